/**
 * The events that billing needs, in the groups they are read in: Stripe takes at most 20 types a request. What others
 * refer to comes first, so that a subscription finds its price and coupon.
 */
import type Stripe from 'stripe';

type EventType = Stripe.Event['type'];

const CATALOGUE = [
  'product.created',
  'product.updated',
  'product.deleted',
  'price.created',
  'price.updated',
  'price.deleted',
  'coupon.created',
  'coupon.updated',
  'coupon.deleted',
  'customer.created',
  'customer.updated',
  'customer.deleted',
  'customer.discount.created',
  'customer.discount.updated',
  'customer.discount.deleted',
] as const satisfies readonly EventType[];

const SUBSCRIPTIONS = [
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'customer.subscription.pending_update_applied',
  'customer.subscription.pending_update_expired',
  'customer.subscription.trial_will_end',
  'subscription_schedule.aborted',
  'subscription_schedule.canceled',
  'subscription_schedule.completed',
  'subscription_schedule.created',
  'subscription_schedule.expiring',
  'subscription_schedule.released',
  'subscription_schedule.updated',
] as const satisfies readonly EventType[];

const INVOICES = [
  'invoice.created',
  'invoice.finalized',
  'invoice.updated',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.voided',
  'invoice.marked_uncollectible',
  'invoice.deleted',
  'invoice.overdue',
  'invoice_payment.paid',
] as const satisfies readonly EventType[];

const PAYMENTS = [
  'charge.pending',
  'charge.succeeded',
  'charge.failed',
  'charge.captured',
  'charge.expired',
  'charge.refunded',
  'charge.updated',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
  'refund.created',
  'refund.updated',
  'refund.failed',
] as const satisfies readonly EventType[];

/** Each group is one list. */
export const EVENT_GROUPS: readonly (readonly EventType[])[] = [CATALOGUE, SUBSCRIPTIONS, INVOICES, PAYMENTS];

/** What the webhook endpoint has to be subscribed to. */
export const EVENT_TYPES: readonly EventType[] = EVENT_GROUPS.flat();
