/**
 * What rows there should be, and what they may claim. Owns the temporary tables that say so:
 *   metric_list         a metric, its unit, and which needs it has
 *   metric_needs        one kind of need (metrics that need the same share it), with its areas (metric_need_areas),
 *                       fact groups (metric_need_groups) and converted groups (metric_need_rates)
 *   metric_source_days  a day, area and source ('' for all of them): covered, lacking an account, settled; also over the
 *                       days ahead and back that a metric looks at (within, back)
 *   metric_unripe       a day and a need that is not mature yet though the metric's own days are over
 *   metric_statuses     a day, source and need: status by coverage alone, mature, and which parts are known
 */
import { type RawBuilder, sql } from 'kysely';

import type { SourceName } from '@floyo/shared/connector';
import type { Database, Transaction } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

import { AREAS, UNPRICED } from './facts/define.ts';
import { deriveMetric } from './formula.ts';
import type { Metric } from './registry/define.ts';

/** A configured account and the stream that must have covered a day; rates (fx) are not among them. */
export interface NeededAccount {
  readonly source: SourceName;
  readonly accountId: string;
  readonly stream: string;
}

export interface ExpectOptions {
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly accounts: readonly NeededAccount[];
  readonly currency: string;
  /** The business day of now: the last day with rows. */
  readonly today: Day;
}

/** Fills the tables of needs and of coverage; they end with the transaction. */
export async function readNeeds(trx: Transaction<Database>, options: ExpectOptions): Promise<void> {
  await listMetrics(trx, options);
  await readCoverage(trx, options);
  await coverHistory(trx);
  await lookAround(trx, options);
  await listUnripe(trx, options);
}

async function listMetrics(trx: Transaction<Database>, { metrics, currency }: ExpectOptions): Promise<void> {
  const kinds = new Map<string, number>();
  const list: { metric: string; unit: string; needs: number }[] = [];
  const needs: object[] = [];
  for (const [metric, declared] of Object.entries(metrics)) {
    const { areas, groups, converted } = deriveMetric(declared);
    const need = {
      areas,
      groups,
      converted,
      by_source: declared.dimensions.length > 0,
      maturity_days: declared.maturityDays,
    };
    const kind = JSON.stringify(need);
    const index = kinds.get(kind) ?? kinds.size;
    if (!kinds.has(kind)) {
      kinds.set(kind, index);
      needs.push({ needs: index, size: areas.length, ...need });
    }
    list.push({
      metric,
      unit: declared.unit === 'currency' ? currency : declared.unit,
      needs: index,
    });
  }
  await sql`
    create temp table metric_list on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as l (metric text, unit text, needs integer)`.execute(
    trx,
  );
  await sql`
    create temp table metric_needs on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(needs)}::jsonb) as n (needs integer, size integer,
      areas jsonb, groups text[], converted jsonb, by_source boolean, maturity_days integer)`.execute(trx);
  await sql`
    create temp table metric_need_areas on commit drop as
    select n.needs, n.size, n.by_source, n.maturity_days, a.area, a.within, a.back, a."left" as is_left, a."right" as is_right
    from metric_needs n
    cross join jsonb_to_recordset(n.areas) as a (area text, within integer, back integer, "left" boolean, "right" boolean)`.execute(
    trx,
  );
  await sql`
    create temp table metric_need_groups on commit drop as
    select n.needs, unnest(n.groups) as facts from metric_needs n`.execute(trx);
  await sql`
    create temp table metric_need_rates on commit drop as
    select n.needs, c.facts, c.reach, c.counted from metric_needs n
    cross join jsonb_to_recordset(n.converted) as c (facts text, reach integer, counted boolean)`.execute(
    trx,
  );
}

/** Rows run from the earliest covered day of any source but the rates to today. */
async function readCoverage(trx: Transaction<Database>, { accounts, today }: ExpectOptions): Promise<void> {
  const areas = Object.entries(AREAS).flatMap(([area, { sources }]) =>
    sources.map((source) => ({ area, source })),
  );
  await sql`
    create temp table metric_source_days on commit drop as
    with calendar as (
      select g::date as day from generate_series(
        (select min(day)::timestamp from ops.coverage where source <> 'fx'), ${today}::timestamp, '1 day') g
    ), needed as (
      select source, "accountId" as account_id, stream
      from jsonb_to_recordset(${JSON.stringify(accounts)}::jsonb) as a (source text, "accountId" text, stream text)
    ), configured as (
      select c.day, n.source, bool_or(v.day is null) as lacking, bool_and(coalesce(v.read_at >= v.final_at, false)) as settled
      from calendar c cross join needed n
      left join ops.coverage v
        on v.source = n.source and v.account_id = n.account_id and v.stream = n.stream and v.day = c.day
      group by c.day, n.source
    ), read as (
      select distinct v.day, v.source from ops.coverage v where v.day <= ${today}::date
    ), source_days as (
      -- What was read of accounts that are no longer configured counts, and nothing of them is needed.
      select day, source, r.day is not null as covered, coalesce(c.lacking, false) as lacking, coalesce(c.settled, true) as settled
      from configured c full join (select day, source, day as read_day from read r) r using (day, source)
    )
    select s.day, a.area, coalesce(s.source, '') as source, 0 as within, 0 as back,
      bool_or(s.covered) as covered, bool_or(s.lacking) as lacking, bool_and(s.settled) as settled
    from source_days s
    join jsonb_to_recordset(${JSON.stringify(areas)}::jsonb) as a (area text, source text) on a.source = s.source
    group by grouping sets ((s.day, a.area, s.source), (s.day, a.area))`.execute(trx);
}

/** Where a day's state follows from history, it lacks what any day since the first one read lacks. */
async function coverHistory(trx: Transaction<Database>): Promise<void> {
  const areas = Object.entries<{ readonly clock: string; readonly history?: true }>(AREAS)
    .filter(([, { history }]) => history)
    .map(([area]) => area);
  await sql`
    update metric_source_days s set lacking = s.lacking or coalesce(h.lacking, false), settled = s.settled and coalesce(h.settled, true)
    from (
      select day, area, source, bool_or(lacking) filter (where day >= first_day) over w as lacking,
        bool_and(settled) filter (where day >= first_day) over w as settled
      from (
        select *, min(day) filter (where covered) over (partition by area, source) as first_day
        from metric_source_days where area = any (${areas}::text[])
      ) d
      window w as (partition by area, source order by day)
    ) h
    where h.day = s.day and h.area = s.area and h.source = s.source`.execute(trx);
}

/** A day with a trial that is not over, or whose 14 days after are not, says nothing of its trials yet. */
async function listUnripe(trx: Transaction<Database>, { today }: ExpectOptions): Promise<void> {
  await sql`
    create temp table metric_unripe on commit drop as
    select distinct t.started_on as day, g.needs
    from ops.trials t join metric_need_groups g on g.facts = 'trials' where t.ends_on + 14 >= ${today}::date`.execute(
    trx,
  );
}

/**
 * The same for the days ahead and back that a metric looks at: all of them must be there. While those ahead are not over
 * yet the metric is null whatever was read, and only its own day counts. A stretch back with a day that nothing was read
 * of is lacking, also where it reaches beyond the first day.
 */
async function lookAround(trx: Transaction<Database>, { today }: ExpectOptions): Promise<void> {
  const { rows } = await sql<{ area: string; within: number; back: number }>`
    select distinct area, within, back from metric_need_areas where within > 0 or back > 0 order by within, back`.execute(
    trx,
  );
  const stretches = rows.map(
    ({ area, within, back }) => sql`
      (select day, area, source, ${within}::integer, ${back}::integer, covered,
        case when day + ${within}::integer < ${today}::date or ${within}::integer = 0
          then bool_or(lacking) over around or (${back}::integer > 0 and count(*) filter (where covered) over behind <= ${back}::integer)
          else lacking end,
        case when day + ${within}::integer < ${today}::date or ${within}::integer = 0 then bool_and(settled) over around else settled end
      from metric_source_days
      where within = 0 and back = 0 and area = ${area}
      window
        around as (partition by source order by day
          range between make_interval(days => ${back}::integer) preceding and make_interval(days => ${within}::integer) following),
        behind as (partition by source order by day
          range between make_interval(days => ${back}::integer) preceding and current row))`,
  );
  if (stretches.length > 0)
    await sql`insert into metric_source_days ${sql.join(stretches, sql` union all `)}`.execute(trx);
  await sql`analyze metric_source_days`.execute(trx);
}

/**
 * Fills metric_statuses for the days of `days` (a table with a column day).
 * A metric has rows on days where each of its areas has a source that is configured or was read; a rate that is known
 * to be missing counts too. Metrics that need the same have the same status, so it is made once for all of them.
 */
export async function expectStatuses(
  trx: Transaction<Database>,
  days: string,
  { today }: Pick<ExpectOptions, 'today'>,
): Promise<void> {
  const ripe = sql`bool_and(u.day is null)`;
  const mature = sql`((min(n.maturity_days) = 0 or s.day + min(n.maturity_days) < ${today}::date) and ${ripe})`;
  await sql`
    create temp table metric_statuses on commit drop as
    -- Made first: the planner takes the join of areas for one row and would look through all days for each.
    with opened as materialized (
      select * from metric_source_days where day in (select day from ${sql.ref(days)})
    )
    select s.day, s.source, n.needs, ${mature} as mature,
      case when bool_or(s.lacking) then 'incomplete'
        when bool_and(s.settled) and s.day + min(n.maturity_days) < ${today}::date and ${ripe} then 'final'
        else 'provisional' end as covered_status,
      ${mature} and bool_and(s.covered) filter (where n.is_left) as left_known,
      ${mature} and coalesce(bool_and(s.covered) filter (where n.is_right), false) as right_known
    from metric_need_areas n
    join opened s on s.area = n.area and s.within = n.within and s.back = n.back and (s.source = '' or n.by_source)
    left join metric_unripe u on u.day = s.day and u.needs = n.needs
    group by s.day, s.source, n.needs
    having count(*) = min(n.size)`.execute(trx);
  await sql`analyze metric_statuses`.execute(trx);
}

/**
 * The rows that should be, with their status when the rates that are known to be missing count too.
 * @param only restricts metric_statuses `s`, e.g. to what is due.
 */
export function expectedRows(only: RawBuilder<unknown> = sql``): RawBuilder<unknown> {
  return sql`
    select s.day, s.source, s.needs, s.mature, s.left_known, s.right_known, l.metric, l.unit,
      case s.source when '' then l.metric else l.metric || '[source=' || s.source || ']' end as external_id,
      case when m.day is null then s.covered_status else 'incomplete' end as status
    from metric_statuses s
    ${only}
    join metric_list l on l.needs = s.needs
    left join (
      select distinct r.day, k.needs, v.source
      from ops.missing_rates r
      join metric_need_rates k on k.facts = r.facts and r.after_days <= k.reach
        and (not k.counted or r.currency = ${UNPRICED})
      cross join lateral (values (''), (r.source)) as v (source)
    ) m on m.day = s.day and m.needs = s.needs and m.source = s.source and s.mature`;
}
