/**
 * The table of Stripe's objects that have a state here: which events speak of them, how far their life has gone, what is
 * kept of them. An object that is not in the table, or an event that is not of its object's family, is ignored.
 */
import type { ObjectChange, ObjectType, Reference, StateRows } from './change.ts';
import { mapInvoice, mapInvoicePayment } from './invoice.ts';
import { mapCharge, mapDispute, mapFee, mapRefund } from './payments.ts';
import { type Discount, mapCoupon, mapDiscount, mapPrice, mapWholePrice } from './prices.ts';
import {
  rankCharge,
  rankDispute,
  rankInvoice,
  rankPaymentIntent,
  rankRefund,
  rankSubscription,
} from './ranks.ts';
import { booleanAt, type Fields, idAt, instantAt, listAt, requiredText, textAt } from './read.ts';
import { mapSubscription, type SubscriptionRow } from './subscription.ts';

/** Where a version comes from. */
export interface Origin {
  readonly versionAt: string;
  /** The event's type; undefined when it was read from the API. */
  readonly eventType: string | undefined;
}

interface ObjectKind {
  readonly type: ObjectType;
  /** The event types that bring a version of it; undefined: none do. */
  readonly events: RegExp | undefined;
  readonly rank?: (from: Fields) => number | null;
  readonly data?: (from: Fields, origin: Origin) => object;
  readonly rows?: (from: Fields, origin: Origin) => StateRows;
  readonly embedded?: (from: Fields, origin: Origin) => ObjectChange[];
  readonly references?: (from: Fields) => Reference[];
}

const KINDS: readonly ObjectKind[] = [
  {
    type: 'subscription',
    events: /^customer\.subscription\.\w+$/,
    rank: rankSubscription,
    rows: (from) => ({ subscription: mapSubscription(from) }),
    references: (from) => referencesOf(mapSubscription(from)),
  },
  {
    type: 'invoice',
    // What an upcoming invoice would be is no invoice yet.
    events: /^invoice\.(?!upcoming$)\w+$/,
    rank: rankInvoice,
    rows: (from) => ({ invoice: mapInvoice(from) }),
  },
  {
    type: 'charge',
    events: /^charge\.\w+$/,
    rank: rankCharge,
    rows: (from) => ({ payments: [mapCharge(from)] }),
    embedded: refundsOf,
  },
  {
    type: 'refund',
    events: /^(refund|charge\.refund)\.\w+$/,
    rank: rankRefund,
    rows: (from) => ({ payments: [mapRefund(from)] }),
  },
  {
    type: 'dispute',
    events: /^charge\.dispute\.\w+$/,
    rank: rankDispute,
    rows: (from, { versionAt, eventType }) => ({
      payments: [mapDispute(from, eventType === undefined ? undefined : versionAt)],
    }),
  },
  { type: 'customer', events: /^customer\.\w+$/, data: (from) => ({ id: requiredText(from, 'id') }) },
  {
    type: 'price',
    events: /^price\.\w+$/,
    data: (from, { eventType }) => (eventType === undefined ? mapWholePrice(from) : mapPrice(from)),
  },
  {
    type: 'product',
    events: /^product\.\w+$/,
    data: (from) => ({
      id: requiredText(from, 'id'),
      name: textAt(from, 'name'),
      active: booleanAt(from, 'active'),
    }),
  },
  {
    type: 'coupon',
    events: /^coupon\.\w+$/,
    data: (from, { eventType }) => mapCoupon(from, eventType === undefined),
  },
  { type: 'discount', events: /^customer\.discount\.\w+$/, data: discountData },
  { type: 'payment_intent', events: /^payment_intent\.\w+$/, rank: rankPaymentIntent },
  { type: 'subscription_schedule', events: /^subscription_schedule\.\w+$/ },
  { type: 'invoice_payment', events: /^invoice_payment\.\w+$/, data: mapInvoicePayment },
  { type: 'balance_transaction', events: undefined, rows: (from) => ({ payments: [mapFee(from)] }) },
];

const BY_TYPE = new Map<unknown, ObjectKind>(KINDS.map((kind) => [kind.type, kind]));

/** The kind of an object by its `object` field; undefined for what has no state here. */
export function kindOf(object: Fields): ObjectKind | undefined {
  return BY_TYPE.get(object['object']);
}

export interface MappedObject extends ObjectChange {
  readonly embedded: readonly ObjectChange[];
  readonly references: readonly Reference[];
}

/** One version of an object with its rows. Throws MappingError. */
export function mapVersion(kind: ObjectKind, from: Fields, origin: Origin): MappedObject {
  const deleted = from['deleted'] === true || isDeletion(kind, origin.eventType);
  // A deleted object may be its id alone.
  const bare = from['deleted'] === true;
  return {
    object: {
      type: kind.type,
      id: requiredText(from, 'id'),
      version_at: origin.versionAt,
      rank: bare ? null : (kind.rank?.(from) ?? null),
      deleted,
      data: bare ? null : (kind.data?.(from, origin) ?? null),
    },
    rows: bare ? {} : (kind.rows?.(from, origin) ?? {}),
    embedded: bare ? [] : (kind.embedded?.(from, origin) ?? []),
    // Events tell a discount in full or by its id alone; only a reading can teach something that the next event leaves out.
    references: bare || origin.eventType !== undefined ? [] : (kind.references?.(from) ?? []),
  };
}

/** A subscription's `deleted` says that it is canceled: the object stays. */
function isDeletion(kind: ObjectKind, eventType: string | undefined): boolean {
  return eventType?.endsWith('.deleted') === true && kind.type !== 'subscription';
}

/** Until 2022-11-15 a charge held its refunds, and older versions have no other event that tells of them. */
function refundsOf(charge: Fields, { versionAt }: Origin): ObjectChange[] {
  return listAt(charge, 'refunds').map((refund) => ({
    object: {
      type: 'refund',
      id: requiredText(refund, 'id'),
      version_at: versionAt,
      rank: rankRefund(refund),
      deleted: false,
      data: null,
    },
    rows: { payments: [mapRefund({ charge: charge['id'], ...refund })] },
  }));
}

function discountData(from: Fields, { versionAt, eventType }: Origin): object {
  const discount = mapDiscount(from);
  const removed = eventType?.endsWith('.deleted') === true;
  return {
    ...discount,
    // Deleted, it has no effect from then on; it had until then.
    end: removed && (discount.end === null || discount.end > versionAt) ? versionAt : discount.end,
    customer: idAt(from, 'customer'),
    subscription: idAt(from, 'subscription'),
    start: instantAt(from, 'start'),
  };
}

/**
 * What a subscription that was read with its discounts teaches about them, and about their coupons where it holds them: one
 * that was deleted can't be read any more, and goes on for the subscriptions that have it.
 */
function referencesOf(row: SubscriptionRow): Reference[] {
  const discounts = [...row.discounts, ...row.items.flatMap((item) => item.discounts)];
  return discounts.flatMap((discount: Discount): Reference[] => {
    const { id, coupon } = discount;
    if (id === null || coupon === null) return [];
    const named: Reference = { type: 'discount', id, data: discount };
    return 'duration' in coupon ? [named, { type: 'coupon', id: coupon.id, data: coupon }] : [named];
  });
}
