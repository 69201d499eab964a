/**
 * Re-reads objects that events left in doubt: each one singly, within the pace of the key, and applied as of the time it was
 * read. One that is gone becomes a tombstone. The scheduled run and the webhook server's timer both do this.
 */
import { PipelineError } from '@floyo/shared/errors';

import type { Change } from '../mapping/change.ts';
import { mapObject } from '../mapping/map-object.ts';
import type { CallIo, Parameters, StripeClient } from './client.ts';
import { MissingObjectError } from './errors.ts';
import { completeObject } from './read-state.ts';
import { PLATFORM } from './session.ts';

/** An object in doubt, as `billing_objects` names it. */
export interface DirtyObject {
  readonly account: string;
  readonly type: string;
  readonly id: string;
}

/** Where the doubts are kept, and what they become. */
export interface DirtyStore {
  /** Objects in doubt of one mode, those longest in doubt first. */
  listDirty(livemode: boolean, limit: number): Promise<readonly DirtyObject[]>;
  /** One call of `public.stripe_apply`; its answer. */
  apply(change: Change): Promise<string>;
}

export interface Reread {
  /** Objects that were asked for. */
  read: number;
  /** Those that Stripe no longer has. */
  gone: number;
  /** Of a type that can't be read singly; their doubt stays until an event or a list tells. */
  skipped: number;
  /** What could not be read, one error for each account and type. */
  readonly failures: PipelineError[];
}

/** Where each type is read, and what has to be asked for besides. There is no way to read a discount. */
const READS: Readonly<Record<string, { readonly path: string; readonly expand?: readonly string[] }>> = {
  customer: { path: 'customers' },
  subscription: {
    path: 'subscriptions',
    expand: ['discounts', 'items.data.discounts', 'items.data.price.tiers'],
  },
  invoice: { path: 'invoices' },
  invoice_payment: { path: 'invoice_payments' },
  charge: { path: 'charges', expand: ['balance_transaction'] },
  refund: { path: 'refunds', expand: ['balance_transaction'] },
  dispute: { path: 'disputes' },
  payment_intent: { path: 'payment_intents' },
  price: { path: 'prices', expand: ['tiers'] },
  product: { path: 'products' },
  coupon: { path: 'coupons', expand: ['applies_to'] },
  subscription_schedule: { path: 'subscription_schedules' },
};

/** Re-reads at most `limit` objects. What fails for one account and type does not stop the others. */
export async function rereadDirty(options: {
  readonly client: StripeClient;
  readonly io: CallIo;
  readonly store: DirtyStore;
  readonly limit: number;
}): Promise<Reread> {
  const { client, io, store, limit } = options;
  const result: Reread = { read: 0, gone: 0, skipped: 0, failures: [] };
  const failed = new Set<string>();
  for (const dirty of await store.listDirty(client.livemode, limit)) {
    const kind = `${dirty.account} ${dirty.type}`;
    if (READS[dirty.type] === undefined || failed.has(kind)) {
      result.skipped++;
      continue;
    }
    try {
      result.read++;
      const change = await readOne(client, io, dirty);
      if (change.object?.deleted === true) result.gone++;
      await store.apply(change);
    } catch (error) {
      if (!(error instanceof PipelineError) || !CONCERNS_TYPE.has(error.type)) throw error;
      failed.add(kind);
      result.failures.push(error);
    }
  }
  return result;
}

/** What is wrong with one type only; anything else is wrong with all. */
const CONCERNS_TYPE = new Set<string>(['permission', 'contract']);

/** The object as it is now, or its tombstone. */
export async function readOne(
  client: StripeClient,
  io: CallIo,
  { account, type, id }: DirtyObject,
): Promise<Change> {
  const read = READS[type];
  if (read === undefined) throw new TypeError(`${type} can't be read singly`);
  const { livemode } = client;
  const parameters: Parameters = read.expand === undefined ? {} : { expand: read.expand };
  try {
    const path = `${read.path}/${encodeURIComponent(id)}`;
    const { object, fetchedAt } = await client.get(
      io,
      path,
      parameters,
      account === PLATFORM ? undefined : account,
    );
    return mapObject(await completeObject(client, io, object), { fetchedAt, account, livemode });
  } catch (error) {
    if (!(error instanceof MissingObjectError)) throw error;
    const gone = { id, object: type, deleted: true };
    return mapObject(gone, { fetchedAt: error.answeredAt, account, livemode });
  }
}
