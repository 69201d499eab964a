/**
 * How far an object's life has gone, to settle which of two versions of the same second is the later one when what
 * changed does not tell. Equal ranks and null settle nothing: a subscription moves between active and past_due, and
 * in and out of paused, in either direction.
 */
import { arrayAt, type Fields, integerAt } from './read.ts';

const SUBSCRIPTION: Readonly<Record<string, number>> = {
  incomplete: 0,
  trialing: 1,
  active: 2,
  past_due: 2,
  unpaid: 3,
  canceled: 4,
  incomplete_expired: 4,
};
const INVOICE: Readonly<Record<string, number>> = { draft: 0, open: 1, uncollectible: 2, paid: 3, void: 3 };
const PAYMENT_INTENT: Readonly<Record<string, number>> = {
  requires_payment_method: 0,
  requires_confirmation: 0,
  requires_action: 0,
  processing: 1,
  requires_capture: 2,
  succeeded: 3,
  canceled: 3,
};
const CHARGE: Readonly<Record<string, number>> = { pending: 0, failed: 1, succeeded: 1 };
const REFUND: Readonly<Record<string, number>> = {
  pending: 0,
  requires_action: 1,
  succeeded: 2,
  failed: 3,
  canceled: 3,
};
const DISPUTE: Readonly<Record<string, number>> = {
  warning_needs_response: 0,
  warning_under_review: 1,
  needs_response: 2,
  under_review: 3,
  warning_closed: 4,
  prevented: 4,
  won: 4,
  lost: 4,
};
/** Above any amount that a charge can be refunded: the status counts first. */
const AMOUNT_LIMIT = 1e13;
const MOVEMENTS_LIMIT = 1000;

function rankIn(ranks: Readonly<Record<string, number>>): (from: Fields) => number | null {
  return (from) => (typeof from['status'] === 'string' ? (ranks[from['status']] ?? null) : null);
}

export const rankSubscription = rankIn(SUBSCRIPTION);
export const rankInvoice = rankIn(INVOICE);
export const rankPaymentIntent = rankIn(PAYMENT_INTENT);
export const rankRefund = rankIn(REFUND);

/** By status, then by what was captured, then by what was refunded, which grows. */
export function rankCharge(from: Fields): number | null {
  const status = rankIn(CHARGE)(from);
  if (status === null) return null;
  const step = status * 2 + (from['captured'] === true ? 1 : 0);
  return step * AMOUNT_LIMIT + Math.min(integerAt(from, 'amount_refunded') ?? 0, AMOUNT_LIMIT - 1);
}

/** By status, then by how often its funds were moved. */
export function rankDispute(from: Fields): number | null {
  const status = rankIn(DISPUTE)(from);
  if (status === null) return null;
  return (
    status * MOVEMENTS_LIMIT + Math.min(arrayAt(from, 'balance_transactions').length, MOVEMENTS_LIMIT - 1)
  );
}
