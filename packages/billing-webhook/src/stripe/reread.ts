/**
 * Re-reads objects that events left in doubt: each one singly, within the pace of the key, and applied as of the time it was
 * read. One that is gone becomes a tombstone. The scheduled run and the webhook server's timer both do this.
 */
import { PipelineError } from '@floyo/shared/errors';

import type { Change } from '../mapping/change.ts';
import { mapObject } from '../mapping/map-object.ts';
import type { CallIo, Parameters, StripeClient } from './client.ts';
import { MissingObjectError } from './errors.ts';
import { type OddObject, oddWarnings, toOdd } from './odd-objects.ts';
import { completeObject, WHOLE_SUBSCRIPTION } from './read-state.ts';
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
  /** The same, one by one. */
  readonly vanished: DirtyObject[];
  /** Of a type that can't be read singly; their doubt stays until an event or a list tells. */
  skipped: number;
  /** What could not be read, one error for each account and type. */
  readonly failures: PipelineError[];
}

/** Where each type is read, and what has to be asked for besides. There is no way to read a discount. */
const READS: Readonly<Record<string, { readonly path: string; readonly expand?: readonly string[] }>> = {
  customer: { path: 'customers' },
  subscription: { path: 'subscriptions', expand: WHOLE_SUBSCRIPTION },
  invoice: { path: 'invoices' },
  invoice_payment: { path: 'invoice_payments' },
  charge: { path: 'charges', expand: ['balance_transaction'] },
  refund: { path: 'refunds', expand: ['balance_transaction'] },
  dispute: { path: 'disputes' },
  payment_intent: { path: 'payment_intents' },
  price: { path: 'prices', expand: ['tiers', 'currency_options'] },
  product: { path: 'products' },
  coupon: { path: 'coupons', expand: ['applies_to', 'currency_options'] },
  subscription_schedule: { path: 'subscription_schedules' },
};

/**
 * Re-reads at most `limit` objects. One that can't be used does not stop the others, and a right that the key lacks for one
 * account and type does not stop the other types.
 */
export async function rereadDirty(options: {
  readonly client: StripeClient;
  readonly io: CallIo;
  readonly store: DirtyStore;
  readonly limit: number;
}): Promise<Reread> {
  const { client, io, store, limit } = options;
  const result: Reread = { read: 0, gone: 0, vanished: [], skipped: 0, failures: [] };
  const forbidden = new Set<string>();
  const odd: OddObject[] = [];
  for (const dirty of await store.listDirty(client.livemode, limit)) {
    const kind = `${dirty.account} ${dirty.type}`;
    if (READS[dirty.type] === undefined || forbidden.has(kind)) {
      result.skipped++;
      continue;
    }
    try {
      result.read++;
      const change = await readOne(client, io, dirty);
      await store.apply(change);
      if (change.object?.deleted !== true) continue;
      result.gone++;
      result.vanished.push(dirty);
    } catch (error) {
      const one = toOdd(dirty, error);
      if (one !== undefined) odd.push(one);
      else if (error instanceof PipelineError && error.type === 'permission') {
        forbidden.add(kind);
        result.failures.push(error);
      } else throw error;
    }
  }
  result.failures.push(
    ...oddWarnings(odd, '', 'All others were read; this stays as it was, and every run tries again.'),
  );
  return result;
}

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
    const connectedAccount = account === PLATFORM ? undefined : account;
    const { object, fetchedAt } = await client.get(io, path, parameters, connectedAccount);
    return mapObject(await completeObject(client, io, object, connectedAccount), {
      fetchedAt,
      account,
      livemode,
    });
  } catch (error) {
    if (!(error instanceof MissingObjectError)) throw error;
    const gone = { id, object: type, deleted: true };
    return mapObject(gone, { fetchedAt: error.answeredAt, account, livemode });
  }
}
