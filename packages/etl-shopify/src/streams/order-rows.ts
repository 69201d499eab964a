/** One order record to rows of orders, order_items and refunds. Pure. */
import type { LoadRow, LoadRows, Reporting } from '@floyo/shared/connector';
import { dayOf } from '@floyo/shared/window';

import { lineAmounts, moneyOf, refundAmounts, shippingAmount, sum } from './amounts.ts';
import { type Removal, removalOf, untoldRemoval } from './edit-amounts.ts';
import type { LineRecord, OrderRecord, RefundRecord } from './order-record.ts';

/** Throws when the record can't be trusted; its message is the reason for the quarantine. */
export function toOrderRows(order: OrderRecord, shop: string, reporting: Reporting): LoadRows {
  const money = moneyOf(order);
  const externalId = `shopify:${numberOf(order.id)}`;
  const date = dayOf(order.processedAt, reporting.timezone);
  const lines = order.lineItems.map((line) => ({ line, ...lineAmounts(line, order) }));
  const sales = lines.filter(({ line }) => !line.isGiftCard);
  const grossSales = sum(sales.map(({ gross }) => gross));
  const discounts = sum(sales.map(({ discount }) => discount));
  const shipping = shippingAmount(order);
  const taxes = order.totalTaxSet === null ? sum([]) : money(order.totalTaxSet);
  const visit = order.customerJourneySummary?.lastVisit ?? order.customerJourneySummary?.firstVisit ?? null;
  const row: LoadRow<'orders'> = {
    external_id: externalId,
    date,
    source: 'shopify',
    shop,
    order_name: order.name,
    created_at: order.createdAt,
    processed_at: order.processedAt,
    updated_at: order.updatedAt,
    cancelled_at: order.cancelledAt,
    customer_id: order.customer === null ? null : numberOf(order.customer.id),
    currency: order.currencyCode,
    gross_sales: grossSales.toFixed(),
    discounts: discounts.toFixed(),
    shipping: shipping.toFixed(),
    taxes: taxes.toFixed(),
    total: money(order.totalPriceSet).toFixed(),
    refunded: money(order.totalRefundedSet).toFixed(),
    financial_status: order.displayFinancialStatus,
    test: order.test,
    channel: order.attribution?.handle ?? order.sourceName,
    landing_page: pageOf(visit?.landingPage ?? null),
    utm_source: visit?.utmParameters?.source ?? null,
    utm_medium: visit?.utmParameters?.medium ?? null,
    utm_campaign: visit?.utmParameters?.campaign ?? null,
    attribution_ready: order.attributionGivenUp || (order.customerJourneySummary?.ready ?? true),
    item_count: order.lineItems.reduce((count, line) => count + line.quantity, 0),
  };
  const items = lines.map(({ line, gross, discount }) => ({
    ...describeLine(line),
    date,
    order_external_id: externalId,
    gross_sales: gross.toFixed(),
    discounts: discount.toFixed(),
  }));
  const standing = { goods: grossSales.minus(discounts), shipping, taxes };
  return {
    orders: [row],
    order_items: items,
    refunds: [
      ...order.refunds.map((refund) => refundRow(refund, order, externalId, reporting)),
      ...editRows(order, externalId, reporting),
      ...reversalRows(order, externalId, standing, reporting),
    ],
  };
}

function describeLine(
  line: LineRecord,
): Pick<
  LoadRow<'order_items'>,
  'external_id' | 'product_id' | 'variant_id' | 'sku' | 'title' | 'quantity' | 'is_gift_card'
> {
  return {
    external_id: `shopify:${numberOf(line.id)}`,
    product_id: line.product == null ? null : numberOf(line.product.id),
    variant_id: line.variant == null ? null : numberOf(line.variant.id),
    sku: line.sku,
    title: line.title,
    quantity: line.quantity,
    is_gift_card: line.isGiftCard,
  };
}

function refundRow(
  refund: RefundRecord,
  order: OrderRecord,
  orderExternalId: string,
  reporting: Reporting,
): LoadRow<'refunds'> {
  const at = refund.processedAt ?? refund.createdAt;
  if (at === null) throw new Error(`refund ${numberOf(refund.id)} has no date`);
  const { returns, shipping, taxes } = refundAmounts(refund, order);
  return {
    external_id: `shopify:${numberOf(refund.id)}`,
    date: dayOf(at, reporting.timezone),
    processed_at: at,
    order_external_id: orderExternalId,
    currency: order.currencyCode,
    returns: returns.toFixed(),
    shipping: shipping.toFixed(),
    taxes: taxes.toFixed(),
    total: moneyOf(order)(refund.totalRefundedSet).toFixed(),
  };
}

/**
 * Units that an edit took off are returns of the edit's day, one row for each agreement that removed something:
 * `shopify:edit:<agreement id>`. What no agreement tells is one row `shopify:edited:<order id>` on the day of the order's
 * last change, which a later change of the order moves, reading it again alone does not. Neither is cash: what was paid
 * back for it is a refund of its own, of money without lines.
 */
function editRows(order: OrderRecord, orderExternalId: string, reporting: Reporting): LoadRow<'refunds'>[] {
  const row = (externalId: string, at: string, { returns, taxes }: Removal): LoadRow<'refunds'>[] =>
    returns.isZero() && taxes.isZero()
      ? []
      : [
          {
            external_id: externalId,
            date: dayOf(at, reporting.timezone),
            processed_at: at,
            order_external_id: orderExternalId,
            currency: order.currencyCode,
            returns: returns.toFixed(),
            shipping: '0',
            taxes: taxes.toFixed(),
            total: '0',
          },
        ];
  return [
    ...order.edits.flatMap((edit) =>
      row(`shopify:edit:${numberOf(edit.id)}`, edit.happenedAt, removalOf(edit.sales, order)),
    ),
    ...row(`shopify:edited:${numberOf(order.id)}`, order.updatedAt, untoldRemoval(order)),
  ];
}

/**
 * A cancellation takes the whole order back (Shopify's current totals become 0). What neither refunds nor edits have
 * taken out before comes out on the day of the cancellation, as a row of its own without cash.
 */
function reversalRows(
  order: OrderRecord,
  orderExternalId: string,
  sold: Record<'goods' | 'shipping' | 'taxes', ReturnType<typeof sum>>,
  reporting: Reporting,
): LoadRow<'refunds'>[] {
  if (order.cancelledAt === null) return [];
  const given = order.refunds.map((refund) => refundAmounts(refund, order));
  const edited = order.edits.map((edit) => removalOf(edit.sales, order));
  const returns = sold.goods.minus(sum([...given, ...edited].map((amounts) => amounts.returns)));
  const shipping = sold.shipping.minus(sum(given.map((amounts) => amounts.shipping)));
  const taxes = sold.taxes.minus(sum([...given, ...edited].map((amounts) => amounts.taxes)));
  if (returns.isZero() && shipping.isZero() && taxes.isZero()) return [];
  return [
    {
      external_id: `shopify:cancel:${numberOf(order.id)}`,
      date: dayOf(order.cancelledAt, reporting.timezone),
      processed_at: order.cancelledAt,
      order_external_id: orderExternalId,
      currency: order.currencyCode,
      returns: returns.toFixed(),
      shipping: shipping.toFixed(),
      taxes: taxes.toFixed(),
      total: '0',
    },
  ];
}

/** Without query and fragment: they carry click ids and now and then an e-mail address. */
function pageOf(address: string | null): string | null {
  return address?.replace(/[?#].*$/s, '') ?? null;
}

/** The plain number of a gid. */
export function numberOf(gid: string): string {
  return gid.slice(gid.lastIndexOf('/') + 1);
}
