/**
 * Another reporting time zone or currency: moves what was stored by business day, inside the transaction of the metrics
 * run that computes every day anew. So it happens whole or not at all, and an interrupted one is simply run again.
 */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

import { AREAS } from './facts/define.ts';
import { moveBilling, type ReadVersion } from './subscriptions/rezone.ts';

export interface Reporting {
  readonly timezone: string;
  readonly currency: string;
}

export interface RezoneResult {
  /** Refunds that keep their day: when they were processed is not known. */
  readonly refundsWithoutInstant: number;
  /** Events of subscriptions that can't be read anew: what they said is not told where it was not stored. */
  readonly unreadVersions: number;
  /** Days of events, which have to be read again; null for none. */
  readonly unreadEvents: { readonly from: Day; readonly to: Day } | null;
}

/** Whose rows by business day can't be moved: the vendor counted them a day, so their days have to be read again. */
const COUNTED_BY_DAY: readonly string[] = AREAS.product.sources;

const BUSINESS_SOURCES = Object.values(AREAS)
  .filter(({ clock }) => clock === 'business')
  .flatMap(({ sources }): readonly string[] => sources)
  .filter((source) => !COUNTED_BY_DAY.includes(source));

/**
 * Makes ops.settings those of `reporting` and moves orders, their items, refunds, what Stripe said and the coverage of business days to
 * the new zone's calendar. Days of ads stay: they are the ad account's; those of events have to be read again. Does nothing when the settings agree already.
 */
export async function rezone(
  trx: Transaction<Database>,
  reporting: Reporting,
  readVersion?: ReadVersion,
): Promise<RezoneResult> {
  const { timezone, currency } = reporting;
  const old = await trx.selectFrom('ops.settings').select(['reporting_timezone']).executeTakeFirstOrThrow();
  await sql`
    update ops.settings set reporting_timezone = ${timezone}, reporting_currency = ${currency}, updated_at = now()
    where (reporting_timezone, reporting_currency) is distinct from (${timezone}, ${currency})`.execute(trx);
  if (old.reporting_timezone === timezone)
    return { refundsWithoutInstant: 0, unreadVersions: 0, unreadEvents: null };
  const dayIn = sql`at time zone ${timezone})::date`;
  await sql`
    update public.orders set date = (processed_at ${dayIn} where date <> (processed_at ${dayIn}`.execute(trx);
  await sql`
    update public.order_items i set date = o.date from public.orders o
    where o.external_id = i.order_external_id and i.date <> o.date`.execute(trx);
  const refundsWithoutInstant = await moveRefunds(trx, timezone);
  const unreadVersions = await moveBilling(trx, timezone, readVersion);
  await moveCoverage(trx, old.reporting_timezone, timezone);
  // How days of another calendar moved says nothing about these; the metrics run records them anew.
  await sql`delete from ops.restatements where source = any (${BUSINESS_SOURCES}::text[])`.execute(trx);
  return { refundsWithoutInstant, unreadVersions, unreadEvents: await forgetEventDays(trx) };
}

/** Until they are read again, what is made of them is unknown: their rows stay, and no day of them is covered. */
async function forgetEventDays(trx: Transaction<Database>): Promise<RezoneResult['unreadEvents']> {
  const { rows } = await sql<{ from: Day | null; to: Day | null }>`
    with gone as (delete from ops.coverage where source = any (${COUNTED_BY_DAY}::text[]) returning day)
    select min(day) as "from", max(day) as "to" from gone`.execute(trx);
  await sql`delete from ops.source_days where source = any (${COUNTED_BY_DAY}::text[])`.execute(trx);
  const [days] = rows;
  return days?.from != null && days.to !== null ? { from: days.from, to: days.to } : null;
}

async function moveRefunds(trx: Transaction<Database>, timezone: string): Promise<number> {
  await sql`
    with processed as (
      select r.external_id, coalesce(r.processed_at, o.cancelled_at) as at
      from public.refunds r
      left join public.orders o on o.external_id = r.order_external_id and r.external_id like 'shopify:cancel:%'
    )
    update public.refunds r set date = (p.at at time zone ${timezone})::date from processed p
    where p.external_id = r.external_id and p.at is not null and r.date <> (p.at at time zone ${timezone})::date`.execute(
    trx,
  );
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from public.refunds
    where processed_at is null and external_id not like 'shopify:cancel:%'`.execute(trx);
  return rows[0]?.count ?? 0;
}

/**
 * A day of the new calendar is covered when every day of the old one that reaches into it was, as of the earliest of
 * their readings; old days that had not begun at the last reading are not asked for.
 */
async function moveCoverage(trx: Transaction<Database>, from: string, to: string): Promise<void> {
  await sql`
    create temp table moved_coverage on commit drop as
    with old as (
      select *, day::timestamp at time zone ${from} as begins, (day + 1)::timestamp at time zone ${from} as ends
      from ops.coverage where source = any (${BUSINESS_SOURCES}::text[])
    ), last as (
      select source, account_id, stream, max(read_at) as read_at from old group by source, account_id, stream
    ), wanted as (
      -- The calendars are at most a day and a bit apart.
      select o.source, o.account_id, o.stream, o.day, o.run_id, o.final_at - o.ends as restatement,
        o.day::timestamp at time zone ${to} as begins, (o.day + 1)::timestamp at time zone ${to} as ends, n.day as needed
      from old o
      join last l using (source, account_id, stream)
      cross join lateral (
        select g::date as day from generate_series(o.day - 2, o.day + 2, interval '1 day') g
        where g at time zone ${from} < (o.day + 1)::timestamp at time zone ${to}
          and (g + interval '1 day') at time zone ${from} > o.day::timestamp at time zone ${to}
          and g at time zone ${from} < l.read_at
      ) n
    )
    select w.source, w.account_id, w.stream, w.day, min(o.read_at) as read_at, min(w.ends + w.restatement) as final_at,
      (array_agg(w.run_id))[1] as run_id
    from wanted w
    left join old o on o.source = w.source and o.account_id = w.account_id and o.stream = w.stream and o.day = w.needed
    group by w.source, w.account_id, w.stream, w.day
    having bool_and(o.day is not null)`.execute(trx);
  await sql`delete from ops.coverage where source = any (${BUSINESS_SOURCES}::text[])`.execute(trx);
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at, run_id)
    select source, account_id, stream, day, read_at, final_at, run_id from moved_coverage`.execute(trx);
}
