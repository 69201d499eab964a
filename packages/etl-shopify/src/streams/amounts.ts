/**
 * An order's money, without tax: Shopify's amounts contain the tax when the shop's prices do. Sums are exact; only the
 * division that takes a tax out of a discounted line is rounded, to six decimals, and gross minus discount stays exact.
 * metrics: gross sales and discounts are of products alone, gift cards left out.
 */
import { Decimal } from 'decimal.js';

import type { LineRecord, MoneyBag, OrderRecord, RefundRecord } from './order-record.ts';

const DIVISION_DECIMALS = 6;
const zero = new Decimal(0);

export interface LineAmounts {
  readonly gross: Decimal;
  readonly discount: Decimal;
}

export interface RefundAmounts {
  readonly returns: Decimal;
  readonly shipping: Decimal;
  readonly taxes: Decimal;
}

/**
 * Price × quantity as ordered and its discounts, without tax.
 * Prices that include tax: the line's tax is that of the discounted price, so both are scaled by net ÷ gross of it.
 * Example at 19 %: 2 × 59.50 less 10 % = 107.10 paid, 17.10 of it tax; gross 119.00 × 90/107.10 = 100, discount 10.
 */
export function lineAmounts(line: LineRecord, order: OrderRecord): LineAmounts {
  const money = moneyOf(order);
  const gross = money(line.originalTotalSet);
  const discount = sum(line.discountAllocations.map((share) => money(share.allocatedAmountSet)));
  if (!order.taxesIncluded) return { gross, discount };
  const paid = gross.minus(discount);
  const net = paid.minus(sum(line.taxLines.map((tax) => money(tax.priceSet))));
  if (discount.isZero()) return { gross: net, discount: zero };
  const share = paid.isZero() ? untaxedShare(line) : net.div(paid);
  const netGross = gross.times(share).toDecimalPlaces(DIVISION_DECIMALS);
  return { gross: netGross, discount: netGross.minus(net) };
}

/** Of a line that was given away nothing tells the tax but its rates. */
function untaxedShare(line: LineRecord): Decimal {
  const rates = line.taxLines.map((tax) => new Decimal(tax.rate ?? 0));
  return new Decimal(1).div(sum(rates).plus(1));
}

/** Charges for shipping after discounts, without tax. */
export function shippingAmount(order: OrderRecord): Decimal {
  const money = moneyOf(order);
  return sum(
    order.shippingLines.map((line) => {
      const price = money(line.discountedPriceSet);
      return order.taxesIncluded ? price.minus(sum(line.taxLines.map((tax) => money(tax.priceSet)))) : price;
    }),
  );
}

/** What a refund gave back of goods, shipping and tax, each positive. Its cash total is another matter. */
export function refundAmounts(refund: RefundRecord, order: OrderRecord): RefundAmounts {
  const money = moneyOf(order);
  const withoutTax = (amount: MoneyBag, tax: MoneyBag): Decimal =>
    order.taxesIncluded ? money(amount).minus(money(tax)) : money(amount);
  const goods = refund.refundLineItems.filter((line) => !line.lineItem.isGiftCard);
  return {
    returns: sum(goods.map((line) => withoutTax(line.subtotalSet, line.totalTaxSet))),
    shipping: sum(
      refund.refundShippingLines.map((line) => withoutTax(line.subtotalAmountSet, line.taxAmountSet)),
    ),
    taxes: sum([
      ...refund.refundLineItems.map((line) => money(line.totalTaxSet)),
      ...refund.refundShippingLines.map((line) => money(line.taxAmountSet)),
    ]),
  };
}

/** Reads shop money. Throws when it is not in the order's currency: sums must not mix currencies. */
export function moneyOf(order: OrderRecord): (bag: MoneyBag) => Decimal {
  return ({ shopMoney }) => {
    if (shopMoney.currencyCode !== order.currencyCode)
      throw new Error(`an amount is in ${shopMoney.currencyCode}, the order in ${order.currencyCode}`);
    return new Decimal(shopMoney.amount);
  };
}

export function sum(amounts: readonly Decimal[]): Decimal {
  return amounts.reduce((total, amount) => total.plus(amount), zero);
}
