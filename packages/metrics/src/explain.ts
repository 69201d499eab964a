/** Why a metric of a day is what it is: `floyo why`. Reads the sources anew in a transaction that leaves nothing behind. */
import { sql } from 'kysely';
import type { Temporal } from 'temporal-polyfill';

import type { Database, Session, Transaction } from '@floyo/shared/db';
import { createStage } from '@floyo/shared/stage';
import { addDays, type Day, dayOf } from '@floyo/shared/window';

import { readAssumptions } from './assumptions.ts';
import { readFacts, stageMetrics } from './compute.ts';
import { type Definition, listDefinitions } from './definitions.ts';
import { listDaysToRead } from './due-days.ts';
import { listGroupTables, readMarks } from './due-groups.ts';
import { expectStatuses, type NeededAccount, readNeeds } from './expected.ts';
import { AREAS, UNPRICED } from './facts/define.ts';
import { deriveMetric, describeFormula, factsOf } from './formula.ts';
import { refreshProductDays } from './product/days.ts';
import { METRICS } from './registry.ts';
import type { Metric } from './registry/define.ts';
import { withGrossMargin } from './registry/subscriptions.ts';
import type { Reporting } from './rezone.ts';
import { findRowsBehind, type Loaded, type RowsBehind, type TopRow } from './rows-behind.ts';
import { refreshSpans } from './subscriptions/refresh.ts';

interface Values {
  readonly value: string | null;
  readonly numerator: string | null;
  readonly denominator: string | null;
  readonly status: string;
}

export interface Explanation {
  readonly external_id: string;
  readonly date: Day;
  readonly definition: Definition;
  readonly formula: string;
  /** As it is in daily_metrics; null when there is no row. */
  readonly stored:
    (Values & { readonly unit: string; readonly computed_at: string; readonly run_id: string | null }) | null;
  /** As the sources have it now. It differs from what is stored only when something changed since the last run. */
  readonly computed: Values | null;
  readonly stale: boolean;
  /** The fact columns of the formula, in the reporting currency. */
  readonly components: readonly {
    readonly column: string;
    readonly facts: string;
    readonly amount: string | null;
  }[];
  readonly rows: readonly RowsBehind[];
  readonly top: readonly TopRow[];
  /** The runs that loaded those rows. */
  readonly runs: readonly Loaded[];
  /** Every needed account over the days that the metric looks at. */
  readonly coverage: readonly {
    readonly source: string;
    readonly account_id: string;
    readonly stream: string;
    readonly from: Day;
    readonly to: Day;
    readonly days: number;
    readonly missing: number;
    readonly settled: number;
    readonly read_at: string | null;
    readonly final_at: string | null;
    readonly run_id: string | null;
  }[];
  readonly rates: readonly {
    readonly currency: string;
    readonly day: Day;
    readonly rate: string | null;
    readonly published: Day | null;
  }[];
  readonly revisions: readonly {
    readonly old_value: string | null;
    readonly new_value: string | null;
    readonly cause: string;
    readonly revised_at: string;
    readonly run_id: string | null;
  }[];
  /** How the sums of the day moved with each reading. */
  readonly restatements: readonly {
    readonly source: string;
    readonly account_id: string;
    readonly currency: string;
    readonly read_at: string;
    readonly age_days: number;
    readonly spend: string;
    readonly conversions: string;
    readonly revenue: string;
    readonly run_id: string | null;
  }[];
}

/** Rates are listed up to here: a cohort needs one a day. */
const RATES_SHOWN = 100;

/** `ad_spend` or `ad_spend[source=meta]` as a metric and a source; undefined when there is no such metric. */
export function parseMetricId(text: string): { name: string; metric: Metric; source: string } | undefined {
  const match = /^(\w+)(?:\[source=(\w+)\])?$/.exec(text);
  const name = match?.[1] ?? '';
  const metric: Metric | undefined = Object.hasOwn(METRICS, name)
    ? METRICS[name as keyof typeof METRICS]
    : undefined;
  const source = match?.[2] ?? '';
  if (metric === undefined || (source !== '' && metric.dimensions.length === 0)) return undefined;
  return { name, metric, source };
}

/** Explains one metric of one day. Writes nothing. */
export async function explainMetric(options: {
  readonly session: Session;
  /** Name, metric and source as parseMetricId gives them. */
  readonly metric: { readonly name: string; readonly metric: Metric; readonly source: string };
  readonly day: Day;
  readonly accounts: readonly NeededAccount[];
  readonly reporting: Reporting;
  readonly now: Temporal.Instant;
}): Promise<Explanation> {
  const { session, day, reporting } = options;
  const { name, source } = options.metric;
  const { grossMargin } = await readAssumptions(session.db);
  const metrics = withGrossMargin({ [name]: options.metric.metric }, grossMargin);
  const metric = metrics[name] ?? options.metric.metric;
  const externalId = source === '' ? name : `${name}[source=${source}]`;
  const stage = await createStage(session, 'daily_metrics');
  const [definition] = listDefinitions(metrics);
  if (definition === undefined) throw new Error(`${name} has no definition`);
  return rolledBack(session, async (trx) => {
    const today = dayOf(options.now, reporting.timezone);
    await prepareDay(
      trx,
      { metrics, accounts: options.accounts, currency: reporting.currency, today },
      day,
      deriveMetric(metric),
    );
    const read = await readFacts(trx);
    await stageMetrics(trx, { metrics, groups: read, stage, computedAt: options.now.toString() });
    const stored = await findStored(trx, externalId, day);
    const { rows: computedRows } = await sql<Values>`
        select value, numerator, denominator, status from ${sql.ref(stage)}
        where external_id = ${externalId} and date = ${day}::date`.execute(trx);
    const computed = computedRows[0] ?? null;
    const { areas, groups } = deriveMetric(metric);
    const behind = await findRowsBehind(trx, { groups, day, source });
    const restated = areas
      .flatMap(({ area }): readonly string[] => AREAS[area].sources)
      .filter((one) => source === '' || one === source);
    return {
      external_id: externalId,
      date: day,
      definition,
      formula: describeFormula(metric.formula),
      stored,
      computed,
      stale: !sameValues(stored, computed),
      components: await readComponents(trx, metric, source),
      ...behind,
      coverage: await readCoverage(trx, options.accounts, areas, day, source),
      rates: await readRates(trx, reporting.currency),
      revisions: await trx
        .selectFrom('metric_revisions')
        .select(['old_value', 'new_value', 'cause', 'revised_at', 'run_id'])
        .where('external_id', '=', externalId)
        .where('date', '=', day)
        .orderBy('id')
        .execute(),
      restatements: await trx
        .selectFrom('ops.restatements')
        .select(['source', 'account_id', 'currency', 'read_at', 'age_days'])
        .select(['spend', 'conversions', 'revenue', 'run_id'])
        .where('day', '=', day)
        .where('source', 'in', restated.length > 0 ? restated : [''])
        .orderBy('source')
        .orderBy('account_id')
        .orderBy('currency')
        .orderBy('read_at')
        .execute(),
    };
  });
}

/** What is brought up to date on the way to an answer (product/days.ts) stays for the next run to do. */
async function rolledBack<T>({ db }: Session, work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
  const trx = await db.startTransaction().setIsolationLevel('repeatable read').execute();
  try {
    return await work(trx);
  } finally {
    await trx.rollback().execute();
  }
}

function sameValues(stored: Values | null, computed: Values | null): boolean {
  const key = (values: Values | null) =>
    values && [Number(values.value), values.value === null, values.status].join(' ');
  return key(stored) === key(computed);
}

/** Makes the day due for the metric, and nothing else. */
async function prepareDay(
  trx: Transaction<Database>,
  expect: Parameters<typeof readNeeds>[1],
  day: Day,
  { areas, withinDays, backDays }: ReturnType<typeof deriveMetric>,
): Promise<void> {
  if (areas.some(({ area }) => area === 'subscriptions'))
    await refreshSpans(trx, { scope: 'marked', today: expect.today });
  await readNeeds(trx, expect);
  await readMarks(trx);
  await listGroupTables(trx);
  if (areas.some(({ area }) => area === 'product'))
    await refreshProductDays(trx, {
      every: false,
      range: { from: addDays(day, -backDays), to: addDays(day, withinDays + 1) },
    });
  await sql`create temp table metric_open on commit drop as select ${day}::date as day`.execute(trx);
  await expectStatuses(trx, 'metric_open', expect);
  await sql`
    create temp table metric_due on commit drop as select distinct day, needs, 'why' as cause from metric_statuses`.execute(
    trx,
  );
  await listDaysToRead(trx, expect.today);
}

async function findStored(
  trx: Transaction<Database>,
  externalId: string,
  day: Day,
): Promise<Explanation['stored']> {
  const row = await trx
    .selectFrom('daily_metrics')
    .select(['value', 'numerator', 'denominator', 'status', 'unit', 'computed_at', 'run_id'])
    .where('external_id', '=', externalId)
    .where('date', '=', day)
    .executeTakeFirst();
  return row ?? null;
}

async function readComponents(
  trx: Transaction<Database>,
  metric: Metric,
  source: string,
): Promise<Explanation['components']> {
  const facts = factsOf(metric);
  const { rows } = await sql<Record<string, string | null>>`
    select ${sql.join(facts.map(({ column }) => sql`f.${sql.ref(column)}::text`))} from metric_facts f where f.source = ${source}`.execute(
    trx,
  );
  return facts.map(({ column, group }) => ({ column, facts: group, amount: rows[0]?.[column] ?? null }));
}

async function readCoverage(
  trx: Transaction<Database>,
  accounts: readonly NeededAccount[],
  areas: ReturnType<typeof deriveMetric>['areas'],
  day: Day,
  source: string,
): Promise<Explanation['coverage']> {
  const { rows } = await sql<Explanation['coverage'][number]>`
    with needed as (
      select n.source, n."accountId" as account_id, n.stream, max(a.within) as within, max(a.back) as back
      from jsonb_to_recordset(${JSON.stringify(accounts)}::jsonb) as n (source text, "accountId" text, stream text)
      join metric_need_areas a on ${source} in ('', n.source)
        and a.area = any (${areas.map(({ area }) => area)}::text[])
        and exists (select 1 from metric_source_days s where s.area = a.area and s.source = n.source)
      group by n.source, n."accountId", n.stream
    )
    select n.source, n.account_id, n.stream, ${day}::date - n.back as "from", ${day}::date + n.within as "to", n.back + n.within + 1 as days,
      (n.back + n.within + 1 - count(c.day))::int as missing, (count(*) filter (where c.read_at >= c.final_at))::int as settled,
      max(c.read_at) as read_at, max(c.final_at) as final_at,
      (array_agg(c.run_id order by c.read_at desc) filter (where c.day is not null))[1] as run_id
    from needed n
    left join ops.coverage c on c.source = n.source and c.account_id = n.account_id and c.stream = n.stream
      and c.day between ${day}::date - n.back and ${day}::date + n.within
    group by n.source, n.account_id, n.stream, n.within, n.back
    order by n.source, n.account_id`.execute(trx);
  return rows;
}

/** With the day on which the ECB published what is used; none when the currencies are equal or the rate is a fixed one. */
async function readRates(trx: Transaction<Database>, reporting: string): Promise<Explanation['rates']> {
  const { rows } = await sql<Explanation['rates'][number]>`
    select r.currency, r.day, r.rate,
      (select max(f.date) from public.fx_rates f where f.date between r.day - 7 and r.day
        and f.quote = case r.currency when 'EUR' then ${reporting} else r.currency end) as published
    from metric_rates r where r.currency not in (${reporting}, ${UNPRICED})
    order by r.currency, r.day limit ${RATES_SHOWN}`.execute(trx);
  return rows;
}
