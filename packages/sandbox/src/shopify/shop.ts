/**
 * What a shop and its orders are in the sandbox, and what an order looks like at an instant: an order carries its
 * whole life (refunds and cancellation to come too), and only what has happened by the clock is shown.
 */

/** Money as a whole number of ten-thousandths of the currency's unit, so that sums are exact. */
export type Units = number;

export interface WorldShop {
  readonly domain: string;
  readonly name: string;
  readonly currency: string;
  readonly timezone: string;
  /** Whether prices contain the tax. */
  readonly taxesIncluded: boolean;
  /** The cost bucket: how many points it holds and how many flow back in a second. */
  readonly bucket: { readonly maximum: number; readonly restoreRate: number };
}

export interface WorldLine {
  readonly id: number;
  readonly sku: string | null;
  readonly title: string;
  readonly productId: number | null;
  readonly variantId: number | null;
  readonly quantity: number;
  readonly unitPrice: Units;
  /** The share of all discounts, tax included where prices include it. */
  readonly discount: Units;
  readonly tax: Units;
  readonly taxRate: number;
  readonly isGiftCard: boolean;
}

export interface WorldShipping {
  readonly id: number;
  readonly title: string;
  readonly price: Units;
  readonly discounted: Units;
  readonly tax: Units;
  readonly taxRate: number;
}

export interface WorldRefundLine {
  readonly id: number;
  readonly line: WorldLine;
  readonly quantity: number;
  readonly subtotal: Units;
  readonly tax: Units;
}

export interface WorldRefund {
  readonly id: number;
  readonly at: number;
  readonly lines: readonly WorldRefundLine[];
  readonly shipping: { readonly id: number; readonly subtotal: Units; readonly tax: Units } | null;
  /** The money paid back. */
  readonly total: Units;
}

/** Units taken off an order after it was placed, before they were shipped. Nothing is paid back by it. */
export interface WorldEdit {
  readonly id: number;
  readonly at: number;
  readonly lines: readonly WorldRefundLine[];
}

export interface WorldVisit {
  readonly source: string;
  readonly landingPage: string;
  readonly referrer: string | null;
  readonly utm: { readonly source: string; readonly medium: string; readonly campaign: string } | null;
}

/** An order with its whole life; instants are milliseconds since 1970, on whole seconds. */
export interface WorldOrder {
  readonly id: number;
  readonly name: string;
  readonly createdAt: number;
  readonly processedAt: number;
  readonly paidAt: number | null;
  readonly fulfilledAt: number | null;
  readonly cancelledAt: number | null;
  readonly isVoided: boolean;
  readonly isTest: boolean;
  readonly customerId: number | null;
  readonly presentment: { readonly currency: string; readonly rate: number };
  readonly sourceName: string;
  readonly channel: { readonly handle: string; readonly displayName: string };
  readonly visit: WorldVisit | null;
  readonly discountCode: string | null;
  readonly lines: readonly WorldLine[];
  readonly shipping: readonly WorldShipping[];
  readonly refunds: readonly WorldRefund[];
  readonly edits: readonly WorldEdit[];
  /** From then on Shopify knows what brought the buyer; the order's updatedAt does not tell. */
  readonly attributedAt: number;
  /** From then on there is no such order. */
  readonly deletedAt: number | null;
}

/** Bounds on an instant of orders, as a search gives them; undefined is open. */
export interface OrderRange {
  readonly field: 'created_at' | 'processed_at' | 'updated_at';
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** One shop's orders. */
export interface ShopWorld {
  readonly shop: WorldShop;
  /** At least every order that is within all the ranges; the search looks at them again. */
  candidates(ranges: readonly OrderRange[], now: number): readonly WorldOrder[];
  order(id: number): WorldOrder | undefined;
  refund(id: number): { readonly order: WorldOrder; readonly refund: WorldRefund } | undefined;
}

/** When the order last changed: everything that happens to it moves this. */
export function updatedAt(order: WorldOrder, now: number): number {
  const events = [
    order.paidAt,
    order.fulfilledAt,
    order.cancelledAt,
    ...order.refunds.map((refund) => refund.at),
    ...order.edits.map((edit) => edit.at),
  ];
  return Math.max(order.createdAt, ...events.filter((at): at is number => at !== null && at <= now));
}

/** The refunds made by now, oldest first. */
export function refundsBy(order: WorldOrder, now: number): readonly WorldRefund[] {
  return order.refunds.filter((refund) => refund.at <= now);
}

/** The edits made by now, oldest first. */
export function editsBy(order: WorldOrder, now: number): readonly WorldEdit[] {
  return order.edits.filter((edit) => edit.at <= now);
}

/** The units of a line that are neither returned nor taken off; of a cancelled order none. */
export function currentQuantity(order: WorldOrder, line: WorldLine, now: number): number {
  if (cancelledBy(order, now) !== null) return 0;
  const gone = [...refundsBy(order, now), ...editsBy(order, now)].flatMap((event) => event.lines);
  return gone
    .filter((candidate) => candidate.line.id === line.id)
    .reduce((left, candidate) => left - candidate.quantity, line.quantity);
}

export function cancelledBy(order: WorldOrder, now: number): number | null {
  return order.cancelledAt !== null && order.cancelledAt <= now ? order.cancelledAt : null;
}

export interface Totals {
  readonly subtotal: Units;
  readonly discounts: Units;
  readonly shipping: Units;
  readonly tax: Units;
  readonly total: Units;
  readonly refunded: Units;
  /** The total less what was returned or taken off. */
  readonly current: Units;
}

/** Shopify's totals: before returns, the subtotal after all discounts and with the tax where prices include it. */
export function totalsOf(order: WorldOrder, shop: WorldShop, now: number): Totals {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const subtotal = sum(order.lines.map((line) => line.unitPrice * line.quantity - line.discount));
  const shipping = sum(order.shipping.map((line) => line.discounted));
  const tax = sum([...order.lines, ...order.shipping].map((line) => line.tax));
  const total = subtotal + shipping + (shop.taxesIncluded ? 0 : tax);
  const taxOnTop = (amount: Units): Units => (shop.taxesIncluded ? 0 : amount);
  const refunds = refundsBy(order, now);
  const given = [...refunds, ...editsBy(order, now)].flatMap((event) => event.lines);
  const gone = sum([
    ...given.map((line) => line.subtotal + taxOnTop(line.tax)),
    ...refunds.map((refund) =>
      refund.shipping === null ? 0 : refund.shipping.subtotal + taxOnTop(refund.shipping.tax),
    ),
  ]);
  return {
    subtotal,
    discounts: sum(order.lines.map((line) => line.discount)),
    shipping,
    tax,
    total,
    refunded: sum(refunds.map((refund) => refund.total)),
    current: cancelledBy(order, now) === null ? total - gone : 0,
  };
}

export function financialStatus(order: WorldOrder, shop: WorldShop, now: number): string {
  if (order.isVoided) return cancelledBy(order, now) === null ? 'AUTHORIZED' : 'VOIDED';
  const { total, refunded } = totalsOf(order, shop, now);
  if (refunded > 0) return refunded >= total ? 'REFUNDED' : 'PARTIALLY_REFUNDED';
  return order.paidAt !== null && order.paidAt <= now ? 'PAID' : 'PENDING';
}
