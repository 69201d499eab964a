/**
 * Which days of the calendar have to be looked at: those of which coverage, the clock, the registry or a missing rate says
 * something else than when they were last computed, or whose number of rows is another. So a run costs in proportion to
 * what changed. Owns ops.metric_days and the temporary table metric_altered (day).
 */
import { type RawBuilder, sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

import type { ExpectOptions } from './expected.ts';

type Clock = Pick<ExpectOptions, 'today'>;

/** Fills metric_altered, with days outside of the calendar whose rows have to go. */
export async function findAlteredDays(trx: Transaction<Database>, options: Clock): Promise<void> {
  await sql`
    create temp table metric_altered on commit drop as
    select day
    from (${signatures(options)}) s
    full join ops.metric_days m using (day)
    full join (select date as day, count(*)::int as rows from public.daily_metrics group by date) d using (day)
    where s.signature is distinct from m.signature or m.rows is distinct from coalesce(d.rows, 0)`.execute(
    trx,
  );
  await sql`analyze metric_altered`.execute(trx);
}

/** Brings ops.metric_days up to date for the days of metric_open, after their rows were written. */
export async function rememberDays(trx: Transaction<Database>, options: Clock): Promise<void> {
  await sql`delete from ops.metric_days where day not in (select day from metric_source_days)`.execute(trx);
  await sql`
    insert into ops.metric_days as m (day, signature, rows)
    select s.day, s.signature,
      (select count(*)::int from public.daily_metrics d where d.date = s.day)
    from (${signatures(options, sql`and day in (select day from metric_open)`)}) s
    on conflict (day) do update set signature = excluded.signature, rows = excluded.rows
    where (m.signature, m.rows) is distinct from (excluded.signature, excluded.rows)`.execute(trx);
}

/** Everything that metric_statuses and expectedRows are made of, as a digest a day. */
function signatures({ today }: Clock, only: RawBuilder<unknown> = sql``): RawBuilder<unknown> {
  return sql`
    select s.day, md5(concat_ws('/', s.said, r.registry, m.missing, u.needs, (
      select string_agg(case when s.day + n.maturity_days < ${today}::date then n.maturity_days::text end, ',' order by n.maturity_days)
      from (select distinct maturity_days from metric_needs) n
    ))) as signature
    from (
      select day, sum(hashtextextended(concat_ws(':', area, source, within, back, covered::int, lacking::int, settled::int), 0))::text as said
      from metric_source_days where true ${only} group by day
    ) s
    cross join (
      select md5(string_agg(concat_ws(':', l.metric, l.unit, n.areas, n.groups, n.converted, n.by_source, n.maturity_days), ' ' order by l.metric)) as registry
      from metric_list l join metric_needs n using (needs)
    ) r
    left join (
      select day, string_agg(concat_ws(':', facts, source, currency, after_days), ' ' order by facts, source, currency) as missing
      from ops.missing_rates group by day
    ) m on m.day = s.day
    left join (
      select day, string_agg(needs::text, ' ' order by needs) as needs from metric_unripe group by day
    ) u on u.day = s.day`;
}
