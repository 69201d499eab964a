/** What the stripe world is made of: objects in the newest API version's shape, their versions, and the events of them. */

/** An object as the API renders it. Times are epoch seconds, amounts whole numbers of the currency's smallest unit. */
export type Fields = Readonly<Record<string, unknown>>;

export const OBJECT_TYPES = [
  'product',
  'price',
  'coupon',
  'customer',
  'discount',
  'subscription',
  'invoice',
  'invoice_payment',
  'payment_intent',
  'charge',
  'refund',
  'dispute',
  'balance_transaction',
] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

/** An object from `at` on, until its next version. */
export interface Version {
  readonly type: ObjectType;
  readonly id: string;
  /** Epoch seconds. */
  readonly at: number;
  /** Which version of the object this is, from 1 on; `metadata.seq` says it, too. */
  readonly seq: number;
  readonly object: Fields;
  /** It was deleted at that time; the object is what it was last. */
  readonly deleted: boolean;
}

/** Something that happened, before it is rendered for an API version. */
export interface Happening {
  readonly id: string;
  readonly type: string;
  /** Epoch seconds; several may share one, the list's order is the truth. */
  readonly created: number;
  readonly version: Version;
  /** What the object was before, when the event tells what changed. */
  readonly before: Version | undefined;
}

/** Breaking families of API versions; an event is rendered in one and stays so. */
export const FAMILIES = ['2020-08-27', '2025-03-31.basil', '2025-09-30.clover', '2026-10-28.endive'] as const;
export type Family = (typeof FAMILIES)[number];

export const DAY = 86_400;
export const HOUR = 3_600;

/** Epoch seconds of an ISO instant or day. */
export function toSeconds(at: string): number {
  return Math.floor(Date.parse(at) / 1000);
}
