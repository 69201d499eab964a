/** Moves what Stripe said to the business days of another zone (rezone.ts of the package). */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

/** Entities and the instant that their day is of. */
const ENTITIES = [
  ['payments', 'occurred_at'],
  ['invoices', 'created_at'],
  ['billing_events', 'event_created'],
  ['billing_objects', 'version_at'],
] as const;

/**
 * The day of a subscription's version is that of its event. Two versions that fall on one day of the new zone become the
 * newer one. Marks follow from the writes; every span is made anew in the same run.
 */
export async function moveBilling(trx: Transaction<Database>, timezone: string): Promise<void> {
  for (const [table, instant] of ENTITIES) {
    const day = sql`(${sql.ref(instant)} at time zone ${timezone})::date`;
    await sql`update ${sql.id('public', table)} set date = ${day} where date <> ${day}`.execute(trx);
  }
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
    order by external_id, date, stripe_event_created desc, rank desc nulls last`.execute(trx);
}
