/**
 * Facts to metrics, for what is due: sums in their own currency (sql/*.sql), converted at the day's rate,
 * added up per day and source, then every formula of the registry over them. Each fact table is read once.
 */
import { readFile } from 'node:fs/promises';

import { type RawBuilder, sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';

import { expectedRows } from './expected.ts';
import { FACTS, listFacts } from './facts.ts';
import { formulaToSql } from './formula.ts';
import type { Metric } from './registry/define.ts';

const GROUPS = Object.keys(FACTS);
const tableOf = (group: string) => sql.ref(`facts_${group}`);

/** Facts that are left out because no rate is known for their currency. */
export interface MissingRate {
  readonly currency: string;
  readonly day: string;
}

/**
 * Reads the facts of metric_days into temporary tables (facts_<group>), with the rate of each (metric_rates).
 * @returns the groups that were read: those with days, and ads, which the ledger of restatements reads.
 */
export async function readFacts(trx: Transaction<Database>): Promise<readonly string[]> {
  await createFrom(trx, 'metric_customers', 'customers');
  await sql`analyze metric_customers`.execute(trx);
  const { rows } = await sql<{ facts: string }>`select distinct facts from metric_days`.execute(trx);
  const groups = GROUPS.filter((group) => group === 'ads' || rows.some(({ facts }) => facts === group));
  for (const group of groups) await createFrom(trx, `facts_${group}`, group);
  const currencies = groups.map(
    (group) => sql`select rate_day as day, currency from ${tableOf(group)} where currency is not null`,
  );
  await sql`
    create temp table metric_rates on commit drop as
    select day, currency, ops.reporting_rate(currency, day) as rate from (${sql.join(currencies, sql` union `)}) c`.execute(
    trx,
  );
  return groups;
}

async function createFrom(trx: Transaction<Database>, table: string, file: string): Promise<void> {
  const text = await readFile(new URL(`./sql/${file}.sql`, import.meta.url), 'utf8');
  await sql`create temp table ${sql.ref(table)} on commit drop as ${sql.raw(text)}`.execute(trx);
}

/**
 * Brings ops.missing_rates up to date for the days and groups that were read.
 * @returns what was not known to be missing before, so that each is told once. Amounts that a metric looks ahead or
 * back to are told on their own day.
 */
export async function recordMissingRates(
  trx: Transaction<Database>,
  groups: readonly string[],
): Promise<MissingRate[]> {
  const missing = sql.join(
    groups.map(
      (group) => sql`
        select f.day, ${sql.lit(group)} as facts, f.source, f.currency, min(abs(f.rate_day - f.day)) as after_days
        from ${tableOf(group)} f join metric_rates r on r.day = f.rate_day and r.currency = f.currency
        where r.rate is null group by f.day, f.source, f.currency`,
    ),
    sql` union all `,
  );
  await sql`create temp table metric_missing on commit drop as ${missing}`.execute(trx);
  await sql`
    delete from ops.missing_rates m where (m.facts, m.day) in (select facts, day from metric_days)
      and (m.day, m.facts, m.source, m.currency, m.after_days) not in
        (select day, facts, source, currency, after_days from metric_missing)`.execute(trx);
  const { rows } = await sql<MissingRate>`
    with added as (
      insert into ops.missing_rates (day, facts, source, currency, after_days)
      select day, facts, source, currency, after_days from metric_missing
      on conflict do nothing returning currency, day, after_days
    ) select distinct a.currency, a.day from added a
    -- As it was before this statement.
    where a.after_days = 0
      and not exists (select 1 from ops.missing_rates m where m.day = a.day and m.currency = a.currency)
    order by a.currency, a.day`.execute(trx);
  return rows;
}

/** Computes the rows of metric_due into the stage. `computedAt` is an ISO instant. */
export async function stageMetrics(
  trx: Transaction<Database>,
  options: {
    readonly metrics: Readonly<Record<string, Metric>>;
    /** The fact groups that were read. */
    readonly groups: readonly string[];
    readonly stage: string;
    readonly computedAt: string;
  },
): Promise<void> {
  const { rows: due } = await sql<{ metric: string }>`
    select distinct l.metric from metric_due d join metric_list l on l.needs = d.needs`.execute(trx);
  const wanted = new Set(due.map(({ metric }) => metric));
  const formulas = Object.entries(options.metrics)
    .filter(([name]) => wanted.has(name))
    .map(([name, metric]) => ({ name: sql.lit(name), ...formulaToSql(metric.formula) }));
  const column = (key: 'name' | 'value' | 'numerator' | 'denominator') =>
    sql`array[${sql.join(formulas.map((formula) => formula[key]))}]`;
  await sql`
    create temp table metric_facts on commit drop as
    with ${sql.join(options.groups.map(sumGroup))} ${joinGroups(options.groups)}`.execute(trx);
  await sql`analyze metric_facts`.execute(trx);
  if (formulas.length === 0) return;
  await sql`
    insert into ${sql.ref(options.stage)}
      (external_id, date, metric, dimensions, value, numerator, denominator, unit, status, computed_at)
    with computed as materialized (
      select f.day, f.source, v.metric, v.value, v.numerator, v.denominator
      from metric_facts f
      cross join lateral unnest(${column('name')}, ${column('value')}, ${column('numerator')}, ${column('denominator')})
        as v (metric, value, numerator, denominator)
    )
    select e.external_id, e.day, e.metric,
      case e.source when '' then '{}' else jsonb_build_object('source', e.source) end,
      case when e.mature then c.value end, case when e.mature then c.numerator end,
      case when e.mature then c.denominator end, e.unit, e.status, ${options.computedAt}::timestamptz
    from computed c
    join (${expectedRows(sql`join metric_due due on due.day = s.day and due.needs = s.needs`)}) e
      on e.day = c.day and e.source = c.source and e.metric = c.metric`.execute(trx);
}

/** A group's columns per day and source, and per day ('' for all sources). A fact without a rate is left out. */
function sumGroup(group: string): RawBuilder<unknown> {
  const columns = listFacts()
    .filter((fact) => fact.group === group)
    .map(
      ({ column, money }) =>
        sql`sum(f.${sql.ref(column)}${money ? sql` * r.rate` : sql``}) as ${sql.ref(column)}`,
    );
  return sql`${sql.ref(`sums_${group}`)} as (
    select f.day, coalesce(f.source, '') as source, ${sql.join(columns)}
    from ${tableOf(group)} f left join metric_rates r on r.day = f.rate_day and r.currency = f.currency
    group by grouping sets ((f.day, f.source), (f.day)))`;
}

/**
 * One row a day and source with all columns: null where nothing of the area was read, else at least a true zero. No metric
 * of a group without days is due, so its columns are null.
 */
function joinGroups(groups: readonly string[]): RawBuilder<unknown> {
  const columns = listFacts().map(({ column, group, area }) =>
    groups.includes(group)
      ? sql`
      case when s.areas @> array[${sql.lit(area)}] then coalesce(${sql.ref(`sums_${group}`)}.${sql.ref(column)}, 0) end as ${sql.ref(column)}`
      : sql`null::numeric as ${sql.ref(column)}`,
  );
  const joins = groups.map((group) => {
    const sums = sql.ref(`sums_${group}`);
    return sql`left join ${sums} on ${sums}.day = s.day and ${sums}.source = s.source`;
  });
  return sql`
    select s.day, s.source, ${sql.join(columns)}
    from (
      select c.day, c.source, coalesce(array_agg(c.area) filter (where c.covered), '{}') as areas
      from metric_source_days c join (select distinct day from metric_due) d on d.day = c.day
      where c.within = 0 and c.back = 0 group by c.day, c.source
    ) s ${sql.join(joins, sql` `)}`;
}
