/** The lists of the API: what is in them, which parameters they take and what each may be filtered by. */
import type { Fields, ObjectType } from './objects.ts';

export interface Resource {
  readonly type: ObjectType;
  /** Parameters that are compared with the field of their name. */
  readonly filters: readonly string[];
  /** Whether an object is in the list, given the other parameters; everything is unless told. */
  readonly isListed?: (object: Fields, values: ReadonlyMap<string, string>) => boolean;
  /** Other parameters that `isListed` looks at. */
  readonly parameters?: readonly string[];
}

export const RESOURCES: Readonly<Record<string, Resource>> = {
  subscriptions: {
    type: 'subscription',
    filters: ['customer', 'collection_method'],
    parameters: ['status', 'test_clock'],
    isListed: (object, values) => hasStatus(object, values.get('status')) && hasClock(object, values),
  },
  customers: { type: 'customer', filters: ['email'], parameters: ['test_clock'], isListed: hasClock },
  products: { type: 'product', filters: ['active'] },
  prices: { type: 'price', filters: ['active', 'currency', 'product', 'type'] },
  coupons: { type: 'coupon', filters: [] },
  invoices: {
    type: 'invoice',
    filters: ['collection_method', 'customer', 'status'],
    parameters: ['subscription'],
    isListed: (object, values) => {
      const asked = values.get('subscription');
      return asked === undefined || inner(object, 'parent', 'subscription_details', 'subscription') === asked;
    },
  },
  invoice_payments: { type: 'invoice_payment', filters: ['invoice', 'status'] },
  charges: { type: 'charge', filters: ['customer', 'payment_intent'] },
  refunds: { type: 'refund', filters: ['charge', 'payment_intent'] },
  disputes: { type: 'dispute', filters: ['charge', 'payment_intent'] },
  balance_transactions: { type: 'balance_transaction', filters: ['currency', 'source', 'type'] },
  payment_intents: { type: 'payment_intent', filters: ['customer'] },
};

/** Canceled ones are listed only when they are asked for. */
function hasStatus({ status }: Fields, asked: string | undefined): boolean {
  if (asked === 'all') return true;
  if (asked === 'ended') return status === 'canceled' || status === 'incomplete_expired';
  return asked === undefined ? status !== 'canceled' : status === asked;
}

/** What runs on a test clock is listed only for that clock, or for its customer. */
function hasClock(object: Fields, values: ReadonlyMap<string, string>): boolean {
  const clock = object['test_clock'] ?? null;
  const asked = values.get('test_clock');
  return asked === undefined ? clock === null || values.has('customer') : clock === asked;
}

function inner(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (within, key) =>
      typeof within === 'object' && within !== null ? new Map(Object.entries(within)).get(key) : undefined,
    value,
  );
}
