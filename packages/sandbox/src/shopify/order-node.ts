/** An order, its lines and its refunds as GraphQL objects at the clock's now. */
import { agreementsOf } from './agreement-node.ts';
import { connect, type PageArguments } from './connection.ts';
import { moneyBag } from './money.ts';
import { type RequestScope, requireScope } from './scope.ts';
import {
  cancelledBy,
  currentQuantity,
  editsBy,
  financialStatus,
  refundsBy,
  totalsOf,
  type Units,
  updatedAt,
  type WorldLine,
  type WorldOrder,
  type WorldRefund,
  type WorldShipping,
} from './shop.ts';

type GraphObject = Record<string, unknown>;
type Bag = (units: Units) => unknown;

export function orderNode(order: WorldOrder, scope: RequestScope): GraphObject {
  const { shop } = scope.world;
  const bag = bagOf(order, scope);
  const totals = totalsOf(order, shop, scope.now);
  const refunds = refundsBy(order, scope.now);
  const cancelledAt = cancelledBy(order, scope.now);
  return {
    __typename: 'Order',
    id: gid('Order', order.id),
    legacyResourceId: String(order.id),
    name: order.name,
    number: order.id % 1_000_000,
    createdAt: timeText(order.createdAt),
    processedAt: timeText(order.processedAt),
    updatedAt: timeText(updatedAt(order, scope.now)),
    cancelledAt: cancelledAt === null ? null : timeText(cancelledAt),
    cancelReason: cancelledAt === null ? null : 'CUSTOMER',
    closed: false,
    closedAt: null,
    confirmed: true,
    edited: editsBy(order, scope.now).length > 0,
    test: order.isTest,
    tags: [],
    displayFinancialStatus: financialStatus(order, shop, scope.now),
    displayFulfillmentStatus:
      order.fulfilledAt !== null && order.fulfilledAt <= scope.now ? 'FULFILLED' : 'UNFULFILLED',
    sourceName: order.sourceName,
    attribution: order.channel,
    currencyCode: shop.currency,
    presentmentCurrencyCode: order.presentment.currency,
    taxesIncluded: shop.taxesIncluded,
    estimatedTaxes: false,
    dutiesIncluded: false,
    discountCode: order.discountCode,
    discountCodes: order.discountCode === null ? [] : [order.discountCode],
    paymentGatewayNames: ['shopify_payments'],
    subtotalLineItemsQuantity: order.lines.reduce((sum, line) => sum + line.quantity, 0),
    subtotalPriceSet: () => bag(totals.subtotal),
    totalDiscountsSet: () => bag(totals.discounts),
    totalTaxSet: () => bag(totals.tax),
    totalShippingPriceSet: () => bag(totals.shipping),
    totalPriceSet: () => bag(totals.total),
    originalTotalPriceSet: () => bag(totals.total),
    totalRefundedSet: () => bag(totals.refunded),
    currentTotalPriceSet: () => bag(totals.current),
    customer: () => {
      if (order.customerId === null) return null;
      requireScope(scope, 'read_customers', 'customer');
      return { __typename: 'Customer', id: gid('Customer', order.customerId) };
    },
    customerJourneySummary: journeyNode(order, scope.now),
    lineItems: (args: PageArguments) =>
      connect(order.lines, args, placeById, (line) => lineNode(order, line, bag, scope), scope),
    shippingLines: (args: PageArguments) =>
      connect(order.shipping, args, placeById, (line) => shippingNode(line, bag), scope),
    agreements: (args: PageArguments) =>
      agreementsOf(order, args, {
        now: scope.now,
        taxesIncluded: shop.taxesIncluded,
        limits: scope,
        bag,
        line: (line) => lineNode(order, line, bag, scope),
        timeText,
      }),
    refunds: ({ first }: { first?: number | null }) =>
      refunds.slice(0, first ?? refunds.length).map((refund) => refundNode(order, refund, scope)),
  };
}

export function refundNode(order: WorldOrder, refund: WorldRefund, scope: RequestScope): GraphObject {
  const bag = bagOf(order, scope);
  const at = timeText(refund.at);
  const shipping = refund.shipping === null ? [] : [refund.shipping];
  return {
    __typename: 'Refund',
    id: gid('Refund', refund.id),
    legacyResourceId: String(refund.id),
    createdAt: at,
    processedAt: at,
    updatedAt: at,
    note: null,
    order: () => orderNode(order, scope),
    totalRefundedSet: () => bag(refund.total),
    refundLineItems: (args: PageArguments) =>
      connect(
        refund.lines,
        args,
        placeById,
        (line) => ({
          id: gid('RefundLineItem', line.id),
          quantity: line.quantity,
          restockType: 'RETURN',
          restocked: true,
          lineItem: () => lineNode(order, line.line, bag, scope),
          priceSet: () => bag(Math.round(line.subtotal / line.quantity)),
          subtotalSet: () => bag(line.subtotal),
          totalTaxSet: () => bag(line.tax),
        }),
        scope,
      ),
    refundShippingLines: (args: PageArguments) =>
      connect(
        shipping,
        args,
        placeById,
        (line) => ({
          __typename: 'RefundShippingLine',
          id: gid('RefundShippingLine', line.id),
          shippingLine: () => order.shipping.map((sold) => shippingNode(sold, bag))[0],
          subtotalAmountSet: () => bag(line.subtotal),
          taxAmountSet: () => bag(line.tax),
        }),
        scope,
      ),
    orderAdjustments: (args: PageArguments) => connect([], args, placeById, () => null, scope),
  };
}

function lineNode(order: WorldOrder, line: WorldLine, bag: Bag, scope: RequestScope): GraphObject {
  const total = line.unitPrice * line.quantity;
  return {
    __typename: 'LineItem',
    id: gid('LineItem', line.id),
    sku: line.sku,
    title: line.title,
    name: line.title,
    variantTitle: null,
    vendor: 'Floyo',
    quantity: line.quantity,
    currentQuantity: currentQuantity(order, line, scope.now),
    isGiftCard: line.isGiftCard,
    taxable: line.taxRate > 0,
    product: () => productNode('Product', line.productId, scope),
    variant: () => productNode('ProductVariant', line.variantId, scope),
    originalUnitPriceSet: () => bag(line.unitPrice),
    originalTotalSet: () => bag(total),
    // Codes are left out of it unless asked for, so it is no measure of the discount.
    discountedTotalSet: () => bag(total),
    totalDiscountSet: () => bag(0),
    discountAllocations: line.discount === 0 ? [] : [{ allocatedAmountSet: () => bag(line.discount) }],
    taxLines: line.taxRate === 0 ? [] : [taxNode(line, bag)],
  };
}

function shippingNode(line: WorldShipping, bag: Bag): GraphObject {
  return {
    __typename: 'ShippingLine',
    id: gid('ShippingLine', line.id),
    title: line.title,
    code: line.title.toUpperCase(),
    custom: false,
    isRemoved: false,
    originalPriceSet: () => bag(line.price),
    discountedPriceSet: () => bag(line.discounted),
    currentDiscountedPriceSet: () => bag(line.discounted),
    discountAllocations: [],
    taxLines: line.taxRate === 0 ? [] : [taxNode(line, bag)],
  };
}

function taxNode(taxed: { readonly tax: Units; readonly taxRate: number }, bag: Bag): GraphObject {
  return {
    title: 'Tax',
    rate: taxed.taxRate,
    ratePercentage: taxed.taxRate * 100,
    priceSet: () => bag(taxed.tax),
  };
}

function productNode(
  type: 'Product' | 'ProductVariant',
  id: number | null,
  scope: RequestScope,
): GraphObject | null {
  if (id === null) return null;
  requireScope(scope, 'read_products', type === 'Product' ? 'product' : 'variant');
  return { __typename: type, id: gid(type, id), legacyResourceId: String(id) };
}

/** Until the visits are attributed there is a summary without them. */
function journeyNode(order: WorldOrder, now: number): GraphObject | null {
  if (order.sourceName === 'pos') return null;
  const ready = order.attributedAt <= now;
  const visit = ready ? order.visit : null;
  const node =
    visit === null
      ? null
      : {
          __typename: 'CustomerVisit',
          id: gid('CustomerVisit', order.id),
          occurredAt: timeText(order.createdAt - 600_000),
          source: visit.source,
          sourceType: null,
          landingPage: visit.landingPage + queryOf(visit.utm),
          referrerUrl: visit.referrer,
          referralCode: null,
          utmParameters: visit.utm === null ? null : { ...visit.utm, term: null, content: null },
        };
  return { ready, customerOrderIndex: null, daysToConversion: 0, firstVisit: node, lastVisit: node };
}

function queryOf(
  utm: { readonly source: string; readonly medium: string; readonly campaign: string } | null,
): string {
  if (utm === null) return '';
  return `?utm_source=${utm.source}&utm_medium=${utm.medium}&utm_campaign=${utm.campaign}`;
}

function bagOf(order: WorldOrder, scope: RequestScope): Bag {
  return (units) => moneyBag(units, scope.world.shop.currency, order.presentment);
}

function placeById(item: { readonly id: number }): { id: number; value: number } {
  return { id: item.id, value: item.id };
}

function gid(type: string, id: number): string {
  return `gid://shopify/${type}/${id}`;
}

/** Seconds, as Shopify tells instants. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
