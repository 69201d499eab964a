/**
 * The GraphQL documents, written for Admin API 2026-10 and tested against its schema.
 * https://shopify.dev/docs/api/admin-graphql/2026-10
 */
import {
  lineFields,
  money,
  orderFields,
  refundLineFields,
  refundShippingFields,
  saleFields,
  shippingLineFields,
} from './selections.ts';

const page = 'pageInfo { hasNextPage endCursor }';
const lines = lineFields(
  'product @include(if: $withProducts) { id } variant @include(if: $withProducts) { id }',
);

const wholeOrder = `fragment wholeOrder on Order {
      ${orderFields}
      shippingLines(first: 5) { ${page} nodes { ${shippingLineFields} } }
      lineItems(first: 50) { ${page} nodes { ${lines} } }
      refunds {
        id createdAt processedAt totalRefundedSet ${money}
        refundLineItems(first: 20) { ${page} nodes { ${refundLineFields} } }
        refundShippingLines(first: 3) { ${page} nodes { ${refundShippingFields} } }
      }
}`;

/** The shop, and what the token may do. */
export const shopQuery = `query Shop {
  shop { name ianaTimezone currencyCode taxesIncluded }
  currentAppInstallation { accessScopes { handle } }
}`;

/** What `doctor` asks for. */
export const examineQuery = `query Examine {
  shop { name ianaTimezone currencyCode plan { publicDisplayName } }
  currentAppInstallation { accessScopes { handle } }
  publicApiVersions { handle supported }
}`;

/**
 * Counts the orders of so many searches: `$q0` into `d0`. Without a limit, because Shopify stops counting at 10,000.
 * Each costs 10 points.
 */
export function countsQuery(size: number): string {
  const places = Array.from({ length: size }, (_, place) => place);
  return `query Counts(${places.map((place) => `$q${place}: String!`).join(', ')}) {
  ${places.map((place) => `d${place}: ordersCount(query: $q${place}, limit: null) { count precision }`).join('\n  ')}
}`;
}

/** What Shopify's own reports say. */
export const reportQuery = `query Report($query: String!) {
  shopifyqlQuery(query: $query) { parseErrors tableData { columns { name } rows } }
}`;

/** Ids of orders and when they changed; 250 cost 13 points. */
export const idsQuery = `query Ids($first: Int!, $after: String, $query: String!) {
  orders(first: $first, after: $after, query: $query, sortKey: PROCESSED_AT) { ${page} nodes { id updatedAt } }
}`;

/** A page of orders with the beginning of each of their lists. At 100 orders it costs about 600 of the 1,000 points. */
export const ordersQuery = `query Orders($first: Int!, $after: String, $query: String!, $sortKey: OrderSortKeys!, $withProducts: Boolean!) {
  orders(first: $first, after: $after, query: $query, sortKey: $sortKey) { ${page} nodes { ...wholeOrder } }
}
${wholeOrder}`;

/** Whole orders by their ids; one that is gone is null. */
export const nodesQuery = `query Nodes($ids: [ID!]!, $withProducts: Boolean!) {
  nodes(ids: $ids) { ...wholeOrder }
}
${wholeOrder}`;

/** The rest of an order's lines. */
export const linesQuery = `query Lines($id: ID!, $after: String, $withProducts: Boolean!) {
  order(id: $id) { lineItems(first: 250, after: $after) { ${page} nodes { ${lines} } } }
}`;

/** The rest of an order's shipping lines. */
export const shippingLinesQuery = `query ShippingLines($id: ID!, $after: String) {
  order(id: $id) { shippingLines(first: 250, after: $after) { ${page} nodes { ${shippingLineFields} } } }
}`;

/** The rest of a refund's lines. */
export const refundLinesQuery = `query RefundLines($id: ID!, $after: String) {
  refund(id: $id) { refundLineItems(first: 250, after: $after) { ${page} nodes { ${refundLineFields} } } }
}`;

/** The rest of a refund's shipping. */
export const refundShippingQuery = `query RefundShipping($id: ID!, $after: String) {
  refund(id: $id) { refundShippingLines(first: 250, after: $after) { ${page} nodes { ${refundShippingFields} } } }
}`;

/** What was agreed on about an order that was edited: when, and which units and amounts came or went. */
export const agreementsQuery = `query Agreements($id: ID!, $after: String) {
  order(id: $id) {
    agreements(first: 20, after: $after) {
      ${page}
      edges { cursor node { id happenedAt reason sales(first: 25) { ${page} nodes { ${saleFields} } } } }
    }
  }
}`;

/** The rest of an agreement's sales. An agreement can't be asked for by its id: it is the first one behind a cursor. */
export const salesQuery = `query Sales($id: ID!, $before: String, $after: String) {
  order(id: $id) {
    agreements(first: 1, after: $before) {
      nodes { id sales(first: 250, after: $after) { ${page} nodes { ${saleFields} } } }
    }
  }
}`;

const bulkFields = 'id status errorCode query objectCount rootObjectCount fileSize url';

/** Starts a bulk operation. Ungrouped: grouping makes it slower and more likely to time out. */
export const startBulkMutation = `mutation StartBulk($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { ${bulkFields} }
    userErrors { field message code }
  }
}`;

/** How far a bulk operation is. The address of partial data is never asked for. */
export const pollBulkQuery = `query PollBulk($id: ID!) { bulkOperation(id: $id) { ${bulkFields} } }`;

/** The app's latest bulk operations at the shop, whoever started them. */
export const listBulkQuery = `query ListBulk { bulkOperations(first: 50) { nodes { ${bulkFields} } } }`;

/** Stops a bulk operation; it is canceled a moment later. */
export const cancelBulkMutation = `mutation CancelBulk($id: ID!) {
  bulkOperationCancel(id: $id) { bulkOperation { ${bulkFields} } userErrors { field message } }
}`;
