/**
 * What edits took off an order, in amounts without tax: Shopify keeps the lines and totals as ordered and lowers only
 * `currentQuantity`. Its sales agreements tell the day and the value; units that no agreement tells of are valued by
 * their line.
 */
import { Decimal } from 'decimal.js';

import { lineAmounts, moneyOf, sum } from './amounts.ts';
import type { OrderRecord, SaleRecord } from './order-record.ts';

/** Goods and tax that came off, each positive. */
export interface Removal {
  readonly returns: Decimal;
  readonly taxes: Decimal;
}

const PRODUCT = 'PRODUCT';
const GIFT_CARD = 'GIFT_CARD';

/** What one edit took off. Shipping that an edit takes off is no longer among the order's shipping lines. */
export function removalOf(sales: readonly SaleRecord[], order: OrderRecord): Removal {
  const money = moneyOf(order);
  const removed = sales.filter((sale) => isRemoval(sale));
  const goods = removed.filter((sale) => sale.lineType === PRODUCT);
  const tax = (sale: SaleRecord): Decimal => money(sale.totalTaxAmount).abs();
  return {
    returns: sum(goods.map((sale) => money(sale.totalAmount).abs().minus(tax(sale)))),
    taxes: sum(removed.map(tax)),
  };
}

/** Whether an agreement took units of goods off: raised quantities, prices and discounts are in the order's lines. */
function isRemoval(sale: SaleRecord): boolean {
  return sale.actionType === 'RETURN' && (sale.lineType === PRODUCT || sale.lineType === GIFT_CARD);
}

/** The value of units that are gone without a refund and without an agreement that tells of them. */
export function untoldRemoval(order: OrderRecord): Removal {
  if (!order.edited || order.cancelledAt !== null) return { returns: sum([]), taxes: sum([]) };
  const money = moneyOf(order);
  const told = new Map<string, number>();
  const tell = (lineId: string | undefined, units: number): void => {
    if (lineId !== undefined) told.set(lineId, (told.get(lineId) ?? 0) + units);
  };
  for (const refund of order.refunds)
    for (const line of refund.refundLineItems) tell(line.lineItem.id, line.quantity);
  for (const edit of order.edits)
    for (const sale of edit.sales) if (isRemoval(sale)) tell(sale.lineItem?.id, Math.abs(sale.quantity ?? 0));
  const missing = order.lineItems
    .filter((line) => !line.isGiftCard && line.quantity > 0)
    .map((line) => ({ line, units: line.quantity - line.currentQuantity - (told.get(line.id) ?? 0) }))
    .filter(({ units }) => units > 0);
  const share = (amount: Decimal, units: number, quantity: number): Decimal =>
    amount.times(units).div(quantity).toDecimalPlaces(6);
  return {
    returns: sum(
      missing.map(({ line, units }) => {
        const { gross, discount } = lineAmounts(line, order);
        return share(gross.minus(discount), units, line.quantity);
      }),
    ),
    taxes: sum(
      missing.map(({ line, units }) =>
        share(sum(line.taxLines.map((taxLine) => money(taxLine.priceSet))), units, line.quantity),
      ),
    ),
  };
}
