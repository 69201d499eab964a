/** What happens to an order after it was placed: payment, shipping, returns, cancellation. */
import { roundToCents } from './money.ts';
import type {
  WorldLine,
  WorldOrder,
  WorldRefund,
  WorldRefundLine,
  WorldShipping,
  WorldShop,
} from './shop.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export type LifeKind =
  'kept' | 'returned' | 'large-return' | 'cancelled-refunded' | 'cancelled-unpaid' | 'voided';

export interface Life {
  readonly kind: LifeKind;
  readonly paidAt: number;
  readonly fulfilledAt: number;
}

/** A return is no older than this; a search by change therefore looks this far back. */
export const longestLifeDays = 45;

/** Draws an order's fate: about 1 in 12 comes back in part, 1 in 40 is cancelled, 1 in 300 voided. */
export function lifeOf(createdAt: number, random: () => number): Life {
  const fate = random();
  const kind: LifeKind =
    fate < 0.083
      ? 'returned'
      : fate < 0.098
        ? 'cancelled-refunded'
        : fate < 0.108
          ? 'cancelled-unpaid'
          : fate < 0.111
            ? 'voided'
            : 'kept';
  const isSlowPayer = random() < 0.04;
  return {
    kind,
    paidAt: isSlowPayer ? later(createdAt, 0.5, 3, random) : createdAt,
    fulfilledAt: later(createdAt, 3.1, 5, random),
  };
}

export interface Draft {
  readonly orderId: number;
  readonly createdAt: number;
  readonly lines: readonly WorldLine[];
  readonly shipping: readonly WorldShipping[];
  readonly shop: WorldShop;
}

export type Events = Pick<WorldOrder, 'paidAt' | 'fulfilledAt' | 'cancelledAt' | 'isVoided' | 'refunds'>;

/** The order's events by its fate. */
export function cancellation(draft: Draft, life: Life, random: () => number): Events {
  const cancelledAt = later(draft.createdAt, 0.3, 3, random);
  const kept: Events = {
    paidAt: life.paidAt,
    fulfilledAt: life.fulfilledAt,
    cancelledAt: null,
    isVoided: false,
    refunds: [],
  };
  switch (life.kind) {
    case 'kept':
      return kept;
    case 'returned':
      return { ...kept, refunds: someReturns(draft, random) };
    case 'large-return':
      return {
        ...kept,
        refunds: [refund(draft, 0, later(draft.createdAt, 6, 7, random), draft.lines.slice(0, 60), false)],
      };
    case 'cancelled-refunded':
      return {
        ...kept,
        paidAt: draft.createdAt,
        fulfilledAt: null,
        cancelledAt,
        refunds: [refund(draft, 0, cancelledAt, draft.lines, true)],
      };
    case 'cancelled-unpaid':
      return { ...kept, paidAt: null, fulfilledAt: null, cancelledAt };
    case 'voided':
      return { ...kept, paidAt: null, fulfilledAt: null, cancelledAt, isVoided: true };
  }
}

/** One return, often of everything; now and then a second one of what the first one left. */
function someReturns(draft: Draft, random: () => number): WorldRefund[] {
  const at = later(draft.createdAt, 6, 25, random);
  const count = random() < 0.5 ? draft.lines.length : 1;
  const first = refund(
    draft,
    0,
    at,
    draft.lines.slice(0, count),
    count === draft.lines.length && random() < 0.5,
  );
  if (count === draft.lines.length || random() < 0.5) return [first];
  return [first, refund(draft, 1, later(at, 1, 15, random), draft.lines.slice(count, count + 1), false)];
}

/** Gives whole lines back. The value of a line is what was paid for it, with the tax where prices include it. */
function refund(
  draft: Draft,
  index: number,
  at: number,
  lines: readonly WorldLine[],
  isWithShipping: boolean,
): WorldRefund {
  const id = draft.orderId * 10 + index;
  const refundLines: WorldRefundLine[] = lines.map((line, place) => ({
    id: id * 1_000 + place,
    line,
    quantity: line.quantity,
    subtotal: roundToCents(line.unitPrice * line.quantity - line.discount),
    tax: line.tax,
  }));
  const shippingLine = isWithShipping ? draft.shipping.find((line) => line.discounted > 0) : undefined;
  const shipping =
    shippingLine === undefined
      ? null
      : { id: id + 5, subtotal: shippingLine.discounted, tax: shippingLine.tax };
  const value = refundLines.reduce((sum, line) => sum + line.subtotal, shipping?.subtotal ?? 0);
  const tax = refundLines.reduce((sum, line) => sum + line.tax, shipping?.tax ?? 0);
  return { id, at, lines: refundLines, shipping, total: value + (draft.shop.taxesIncluded ? 0 : tax) };
}

export function later(from: number, leastDays: number, mostDays: number, random: () => number): number {
  const days = leastDays + random() * (mostDays - leastDays);
  return from + Math.floor((days * dayMs) / 1_000) * 1_000;
}
