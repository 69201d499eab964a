/** Moves what Stripe said to the business days of another zone (rezone.ts of the package). */
import { sql } from 'kysely';

import { encodeJson } from '@floyo/shared/copy-text';
import type { Database, Transaction } from '@floyo/shared/db';

/** Entities and the instant that their day is of. */
const ENTITIES = [
  ['payments', 'occurred_at'],
  ['invoices', 'created_at'],
  ['billing_events', 'event_created'],
  ['billing_objects', 'version_at'],
] as const;

/** Payloads in memory at once. */
const PAGE = 200;

/**
 * What an event says of its subscription: `object` and `rows` as ops.apply_version takes them. Null when it can't be read.
 * Whoever knows Stripe's payloads hands it in.
 */
export type ReadVersion = (payload: unknown) => { readonly object: object; readonly rows: object } | null;

/**
 * The day of a subscription's version is that of its event. Marks follow from the writes; every span is made anew in the
 * same run.
 * @returns how many events of subscriptions could not be read anew: their days hold what was stored.
 */
export async function moveBilling(
  trx: Transaction<Database>,
  timezone: string,
  readVersion: ReadVersion | undefined,
): Promise<number> {
  for (const [table, instant] of ENTITIES) {
    const day = sql`(${sql.ref(instant)} at time zone ${timezone})::date`;
    // An object of which no version is known yet has no instant: it stays where it is.
    await sql`
      update ${sql.id('public', table)} set date = ${day} where date <> ${day} and isfinite(${sql.ref(instant)})`.execute(
      trx,
    );
  }
  await moveVersions(trx, timezone);
  return readVersion === undefined ? 0 : await tellAgain(trx, timezone, readVersion);
}

/** The stored versions to their days. Two that fall on one day of the new zone become the newer one. */
async function moveVersions(trx: Transaction<Database>, timezone: string): Promise<void> {
  await sql`
    create temp table moved_subscriptions on commit drop as
    select * from public.subscriptions where external_id in (
      select external_id from public.subscriptions where date <> (stripe_event_created at time zone ${timezone})::date)`.execute(
    trx,
  );
  await sql`update moved_subscriptions set date = (stripe_event_created at time zone ${timezone})::date`.execute(
    trx,
  );
  // Row by row an update would meet days that are still to move.
  await sql`
    delete from public.subscriptions where external_id in (select external_id from moved_subscriptions)`.execute(
    trx,
  );
  await sql`
    insert into public.subscriptions
    select distinct on (external_id, date) * from moved_subscriptions
    order by external_id, date, reconstructed, stripe_event_created desc, rank desc nulls last`.execute(trx);
}

/**
 * Versions that another one of their day had replaced, and that are the newest of a day now: applied once more from the
 * ledger, by the same function and in the same order as the first time, so that it decides as it did then.
 */
async function tellAgain(
  trx: Transaction<Database>,
  timezone: string,
  readVersion: ReadVersion,
): Promise<number> {
  await listUntold(trx);
  let unread = 0;
  for (let after = 0; ;) {
    const { rows } = await sql<{ place: number; event: string; payload: unknown }>`
      select u.place, u.event, e.payload
      from untold_versions u join public.billing_events e on e.external_id = u.event
      where u.place > ${after} order by u.place limit ${PAGE}`.execute(trx);
    const last = rows.at(-1);
    if (last === undefined) return unread;
    after = last.place;
    const told = rows.flatMap(({ place, event, payload }) => {
      const version = readVersion(payload);
      return version === null ? [] : { place, event, object: version.object, rows: version.rows };
    });
    unread += rows.length - told.length;
    await sql`
      select ops.apply_version(
        -- The webhook has no run.
        jsonb_build_object('source', case when e.run_id is null then 'webhook' else 'events' end, 'run_id', e.run_id),
        jsonb_build_object('id', e.payload -> 'id', 'type', e.type, 'payload', e.payload),
        t.object, t.rows, e.account, e.livemode, e.external_id, ${timezone})
      from jsonb_to_recordset(${encodeJson(told)}::jsonb) as t (place integer, event text, object jsonb, rows jsonb)
      join public.billing_events e on e.external_id = t.event
      order by t.place`.execute(trx);
  }
}

/**
 * The events of the last second of a subscription's day where the stored row is older, or there is none, as they came.
 * Where the row is of that second, they were told apart when they came: a second is of one day in any zone.
 */
async function listUntold(trx: Transaction<Database>): Promise<void> {
  await sql`
    create temp table untold_versions on commit drop as
    with told as (
      select e.external_id as event, ops.stripe_key(e.account, e.object_id) as subscription, e.date, e.event_created as at,
        -- A failed event is applied later than it was received.
        e.synced_at as applied_at, max(e.event_created) over (partition by e.account, e.object_id, e.date) as last_at
      from public.billing_events e
      where e.object_type = 'subscription' and e.type like 'customer.subscription.%' and e.status = 'processed'
    )
    select row_number() over (order by t.applied_at, t.event)::integer as place, t.event
    from told t
    where t.at = t.last_at and not exists (
      select 1 from public.subscriptions s
      where s.external_id = t.subscription and s.date = t.date and s.stripe_event_created >= t.at and not s.reconstructed)`.execute(
    trx,
  );
  await sql`alter table untold_versions add primary key (place)`.execute(trx);
  await sql`analyze untold_versions`.execute(trx);
}
