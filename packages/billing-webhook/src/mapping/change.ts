/**
 * What one event, or one object read from the API, becomes: the argument of `public.stripe_apply`. Mapping makes it
 * without the database; the database decides by it what is new.
 */
import type { InvoiceRow } from './invoice.ts';
import type { PaymentRow } from './payments.ts';
import type { SubscriptionRow } from './subscription.ts';

/** Object types that have a state here: Stripe's own names. */
export type ObjectType =
  | 'subscription'
  | 'invoice'
  | 'charge'
  | 'refund'
  | 'dispute'
  | 'customer'
  | 'price'
  | 'product'
  | 'coupon'
  | 'discount'
  | 'payment_intent'
  | 'subscription_schedule'
  | 'invoice_payment'
  | 'balance_transaction';

/** An event as `billing_events` keeps it. */
export interface LedgerEvent {
  readonly id: string;
  readonly type: string;
  readonly object_type: string | null;
  readonly object_id: string | null;
  readonly customer_id: string | null;
  readonly api_version: string | null;
  readonly created: string;
  readonly status: 'processed' | 'ignored' | 'failed';
  readonly error?: string;
  /** The event as Stripe sent it, whole. */
  readonly payload: unknown;
}

/** One version of an object. */
export interface ObjectVersion {
  readonly type: ObjectType;
  readonly id: string;
  /** The event's `created`, or when the API was read. An ISO instant. */
  readonly version_at: string;
  /** How far its life has gone, to settle two versions of the same second; null where that says nothing. */
  readonly rank: number | null;
  readonly deleted: boolean;
  /** A thin event: something changed, what it is has to be asked for. */
  readonly unseen?: true;
  /** Of reference types what others need of them; of an invoice payment what it ties together. Nothing personal. */
  readonly data: object | null;
}

export interface StateRows {
  readonly subscription?: SubscriptionRow;
  readonly invoice?: InvoiceRow;
  readonly payments?: readonly PaymentRow[];
}

/** An object and its rows, ordered by its own versions. */
export interface ObjectChange {
  readonly object: ObjectVersion;
  readonly rows: StateRows;
}

/** What was seen of a discount, coupon or price inside another object; kept when nothing better is known. */
export interface Reference {
  readonly type: 'discount' | 'coupon' | 'price';
  readonly id: string;
  readonly data: object;
}

export interface Change {
  /** `default`, or the connected account's id. */
  readonly account: string;
  readonly livemode: boolean;
  readonly source: 'webhook' | 'events' | 'api';
  /** Of the run that reads; the webhook has none. */
  readonly run_id?: string;
  /** Null when it was read from the API. */
  readonly event: LedgerEvent | null;
  /** Null when the event is ignored. */
  readonly object: ObjectVersion | null;
  readonly rows: StateRows;
  /** Objects inside the object that have a life of their own (the refunds in a charge of old versions). */
  readonly embedded: readonly ObjectChange[];
  readonly references: readonly Reference[];
}
