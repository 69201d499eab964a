/**
 * The rows of subscriptions' past: from what invoices billed, else from the first version that is known, as it was before
 * the event that told it. The functions are in the migrations that make `ops.billed_periods` and after it.
 */
import { type RawBuilder, sql } from 'kysely';

import { retryConflicts } from '@floyo/shared/apply-loader';
import type { Desk } from '@floyo/shared/connector';
import { encodeJson } from '@floyo/shared/copy-text';

import { mapBefore } from '../mapping/before.ts';
import type { StripeSession } from './session.ts';

/** Subscriptions whose past is made in one transaction. */
const REBUILT_AT_ONCE = 500;
/** Payloads in memory at once. */
const PAGE = 200;

/**
 * Rows of the past that events tell better go, and what invoices tell is made. With `everything` what no invoice tells is
 * looked for too. Returns how many rows changed.
 */
export async function rebuildPast(
  { id: account, client }: StripeSession,
  { db, write, runId, count }: Desk,
  everything: boolean,
): Promise<number> {
  const { livemode } = client;
  // The webhook may be at work on the same rows.
  const call = async <T>(statement: RawBuilder<T>): Promise<T | undefined> =>
    (await retryConflicts(() => write((trx) => statement.execute(trx)))).rows[0];
  const dropped = await call(sql<{ rows: number }>`select ops.drop_overtaken_subscriptions() as rows`);
  let updated = 0;
  for (let left = true; left;) {
    const part = await call(sql<{ subscriptions: number; changed: number }>`
      select * from ops.rebuild_subscriptions(${account}, ${livemode}, ${REBUILT_AT_ONCE}, ${runId}::uuid)`);
    updated += part?.changed ?? 0;
    left = (part?.subscriptions ?? 0) > 0;
  }
  let inserted = 0;
  if (everything) {
    const extended = await call(sql<{ written: number; changed: string[] }>`
      select * from ops.extend_subscriptions(${account}, ${livemode}, ${runId}::uuid)`);
    inserted += extended?.written ?? 0;
    const events = extended?.changed ?? [];
    for (let from = 0; from < events.length; from += PAGE) {
      const { rows } = await sql<{ event: string; payload: unknown }>`
        select external_id as event, payload from public.billing_events
        where external_id = any (${events.slice(from, from + PAGE)}::text[])`.execute(db);
      const versions = rows.flatMap(({ event, payload }) => {
        const version = mapBefore(payload);
        return version === undefined ? [] : { event, version };
      });
      const put = await call(sql<{ rows: number }>`
        select ops.put_before(${account}, ${livemode}, ${encodeJson(versions)}::jsonb, ${runId}::uuid) as rows`);
      inserted += put?.rows ?? 0;
    }
    const reached = await call(sql<{ rows: number }>`
      select ops.extend_to_first_day(${account}, ${livemode}, ${runId}::uuid) as rows`);
    inserted += reached?.rows ?? 0;
  }
  const deleted = dropped?.rows ?? 0;
  count({ deleted, updated, inserted });
  return deleted + updated + inserted;
}
