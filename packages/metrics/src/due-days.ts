/**
 * Which days to compute, and what rows and statuses they should have. Owns the temporary tables that say so:
 *   metric_list         a metric: its areas, the fact groups it converts, whether it is had by source
 *   metric_source_days  a day, area and source ('' for all of them): covered, lacking an account, settled
 *   metric_statuses     a day and source, for each of the needs that metrics have: rows there should be, and their status
 *                       by coverage alone
 *   metric_marks        the marks this run has seen
 *   metric_due          the days to make anew; metric_days those of them that lie in the calendar
 */
import { sql } from 'kysely';

import type { SourceName } from '@floyo/shared/connector';
import type { Database, Transaction } from '@floyo/shared/db';
import type { Day, DayWindow } from '@floyo/shared/window';

import { AREAS } from './facts.ts';
import { deriveMetric } from './formula.ts';
import type { Metric } from './registry.ts';

/** A configured account and the stream that must have covered a day; rates (fx) are not among them. */
export interface NeededAccount {
  readonly source: SourceName;
  readonly accountId: string;
  readonly stream: string;
}

export interface DueOptions {
  readonly metrics: Readonly<Record<string, Metric>>;
  readonly accounts: readonly NeededAccount[];
  readonly currency: string;
  /** The business day of now: the last day with rows. */
  readonly today: Day;
  /** Half-open, like every window. */
  readonly range: DayWindow | undefined;
  readonly full: boolean;
}

/** Fills the temporary tables; they end with the transaction. @returns how many days are due. */
export async function findDueDays(trx: Transaction<Database>, options: DueOptions): Promise<number> {
  await listMetrics(trx, options);
  await readCoverage(trx, options);
  await expectStatuses(trx, options);
  await readMarks(trx);
  return collectDays(trx, options);
}

async function listMetrics(trx: Transaction<Database>, { metrics, currency }: DueOptions): Promise<void> {
  const kinds: string[] = [];
  const list = Object.entries(metrics).map(([metric, declared]) => {
    const { areas, convertedGroups } = deriveMetric(declared);
    const needs = {
      areas,
      converted: convertedGroups,
      by_source: declared.dimensions.length > 0,
      maturity_days: declared.maturityDays,
    };
    const kind = JSON.stringify(needs);
    if (!kinds.includes(kind)) kinds.push(kind);
    const unit = declared.unit === 'currency' ? currency : declared.unit;
    return { metric, unit, ...needs, needs: kinds.indexOf(kind) };
  });
  await sql`
    create temp table metric_list on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(list)}::jsonb) as l (metric text, unit text,
      needs integer, areas text[], converted text[], by_source boolean, maturity_days integer)`.execute(trx);
}

/** Rows run from the earliest covered day of any source but the rates to today. */
async function readCoverage(trx: Transaction<Database>, { accounts, today }: DueOptions): Promise<void> {
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
      from configured c full join (select day, source, day as read_day from read) r using (day, source)
    )
    select s.day, a.area, coalesce(s.source, '') as source,
      bool_or(s.covered) as covered, bool_or(s.lacking) as lacking, bool_and(s.settled) as settled
    from source_days s
    join jsonb_to_recordset(${JSON.stringify(areas)}::jsonb) as a (area text, source text) on a.source = s.source
    group by grouping sets ((s.day, a.area, s.source), (s.day, a.area))`.execute(trx);
}

/**
 * A metric has rows on days where each of its areas has a source that is configured or was read; a rate that is known
 * to be missing counts too. Metrics that need the same have the same status, so it is made once for all of them.
 */
async function expectStatuses(trx: Transaction<Database>, { today }: DueOptions): Promise<void> {
  await sql`
    create temp table metric_statuses on commit drop as
    select s.day, s.source, k.needs,
      case when bool_or(s.lacking) then 'incomplete'
        when bool_and(s.settled) and s.day + min(k.maturity_days) < ${today}::date then 'final'
        else 'provisional' end as covered_status
    from (select distinct needs, unnest(areas) as area, cardinality(areas) as size, maturity_days, by_source from metric_list) k
    join metric_source_days s on s.area = k.area and (s.source = '' or k.by_source)
    group by s.day, s.source, k.needs
    having count(*) = min(k.size)`.execute(trx);
}

/** Under repeatable read these are the marks of this snapshot: what commits later keeps its mark for the next run. */
async function readMarks(trx: Transaction<Database>): Promise<void> {
  await sql`create temp table metric_marks on commit drop as select * from ops.dirty_marks`.execute(trx);
  await sql`analyze metric_marks`.execute(trx);
}

async function collectDays(trx: Transaction<Database>, options: DueOptions): Promise<number> {
  const { range, full, currency } = options;
  await sql`
    create temp table metric_due on commit drop as
    select day from metric_marks where kind = 'day'
    union
    select o.date from (
      select distinct split_part(key, '/', 1) as shop, substr(key, strpos(key, '/') + 1) as customer_id
      from metric_marks where kind = 'customer'
    ) c join public.orders o on o.shop = c.shop and o.customer_id = c.customer_id
    union
    select r.date from metric_marks m join public.refunds r on r.order_external_id = m.key where m.kind = 'order'
    union
    select f.day from (${datesWithCurrencies}) f
    join metric_marks m on m.kind = 'rate' and f.day between m.day and m.until
      and (m.key in (f.currency, '*') or (m.key = ${currency} and f.currency <> ${currency}))
    union
    -- Rows that are missing, are too many, or whose status is another.
    select coalesce(e.day, d.date)
    from (${expectedRows}) e
    full join public.daily_metrics d on d.external_id = e.external_id and d.date = e.day
    where e.status is distinct from d.status
    union
    select day from metric_source_days
    where ${full} or (day >= ${range?.from ?? 'infinity'}::date and day < ${range?.to ?? '-infinity'}::date)`.execute(
    trx,
  );
  await sql`
    create temp table metric_days on commit drop as
    select day from metric_due where day in (select day from metric_source_days)`.execute(trx);
  await sql`analyze metric_due`.execute(trx);
  await sql`analyze metric_days`.execute(trx);
  const { rows } = await sql<{ days: number }>`select count(*)::int as days from metric_due`.execute(trx);
  return rows[0]?.days ?? 0;
}

/** The days and currencies of facts, within the reach of the marks of rates. */
const datesWithCurrencies = sql.join(
  ['spend', 'orders', 'refunds'].map(
    (table) => sql`
      select distinct date as day, currency from public.${sql.ref(table)}
      where date >= (select min(day) from metric_marks where kind = 'rate')
        and date <= (select max(until) from metric_marks where kind = 'rate')`,
  ),
  sql` union `,
);

/** The rows that should be, with their status when the rates that are known to be missing count too. */
export const expectedRows = sql`
  select s.day, s.source, l.metric, l.unit,
    case s.source when '' then l.metric else l.metric || '[source=' || s.source || ']' end as external_id,
    case when m.day is null then s.covered_status else 'incomplete' end as status
  from metric_statuses s
  join metric_list l on l.needs = s.needs
  left join (
    select distinct r.day, k.needs, v.source
    from ops.missing_rates r
    join metric_list k on r.facts = any (k.converted)
    cross join lateral (values (''), (r.source)) as v (source)
  ) m on m.day = s.day and m.needs = s.needs and m.source = s.source`;
