/**
 * The GraphQL documents, written for Admin API 2026-10 and tested against its schema. They ask for no personal data:
 * no name, address, e-mail, phone; of the customer the id alone. Only shop money is read.
 * https://shopify.dev/docs/api/admin-graphql/2026-10
 */

const fragments = {
  money: `fragment money on MoneyBag { shopMoney { amount currencyCode } }`,
  visit: `fragment visit on CustomerVisit { landingPage utmParameters { source medium campaign } }`,
  line: `fragment line on LineItem {
    id sku title quantity isGiftCard
    product @include(if: $withProducts) { id }
    variant @include(if: $withProducts) { id }
    originalTotalSet { ...money }
    discountAllocations { allocatedAmountSet { ...money } }
    taxLines { rate priceSet { ...money } }
  }`,
  shippingLine: `fragment shippingLine on ShippingLine { id discountedPriceSet { ...money } taxLines { priceSet { ...money } } }`,
  refundLine: `fragment refundLine on RefundLineItem {
    id lineItem { isGiftCard } subtotalSet { ...money } totalTaxSet { ...money }
  }`,
  refundShipping: `fragment refundShipping on RefundShippingLine {
    id subtotalAmountSet { ...money } taxAmountSet { ...money }
  }`,
};

const page = 'pageInfo { hasNextPage endCursor }';

/** The shop, and what the token may do. */
export const shopQuery = `query Shop {
  shop { name ianaTimezone currencyCode }
  currentAppInstallation { accessScopes { handle } }
}`;

/** A page of orders with the beginning of each of their lists. At 100 orders it costs about 600 of the 1,000 points. */
export const ordersQuery = `query Orders($first: Int!, $after: String, $query: String!, $sortKey: OrderSortKeys!, $withProducts: Boolean!) {
  orders(first: $first, after: $after, query: $query, sortKey: $sortKey) {
    ${page}
    nodes {
      id name createdAt processedAt updatedAt cancelledAt test displayFinancialStatus
      currencyCode taxesIncluded sourceName
      attribution { handle }
      customer { id }
      customerJourneySummary { firstVisit { ...visit } lastVisit { ...visit } }
      totalPriceSet { ...money } totalTaxSet { ...money } totalRefundedSet { ...money }
      shippingLines(first: 5) { ${page} nodes { ...shippingLine } }
      lineItems(first: 50) { ${page} nodes { ...line } }
      refunds {
        id createdAt processedAt totalRefundedSet { ...money }
        refundLineItems(first: 20) { ${page} nodes { ...refundLine } }
        refundShippingLines(first: 3) { ${page} nodes { ...refundShipping } }
      }
    }
  }
}
${Object.values(fragments).join('\n')}`;

/** The rest of an order's lines. */
export const linesQuery = `query Lines($id: ID!, $after: String, $withProducts: Boolean!) {
  order(id: $id) { lineItems(first: 250, after: $after) { ${page} nodes { ...line } } }
}
${fragments.money}
${fragments.line}`;

/** The rest of an order's shipping lines. */
export const shippingLinesQuery = `query ShippingLines($id: ID!, $after: String) {
  order(id: $id) { shippingLines(first: 250, after: $after) { ${page} nodes { ...shippingLine } } }
}
${fragments.money}
${fragments.shippingLine}`;

/** The rest of a refund's lines. */
export const refundLinesQuery = `query RefundLines($id: ID!, $after: String) {
  refund(id: $id) { refundLineItems(first: 250, after: $after) { ${page} nodes { ...refundLine } } }
}
${fragments.money}
${fragments.refundLine}`;

/** The rest of a refund's shipping. */
export const refundShippingQuery = `query RefundShipping($id: ID!, $after: String) {
  refund(id: $id) { refundShippingLines(first: 250, after: $after) { ${page} nodes { ...refundShipping } } }
}
${fragments.money}
${fragments.refundShipping}`;
