/**
 * The nightly check (I9): the last 35 days computed anew into a temporary table and compared both ways with what is
 * stored. Days that a writer changed meanwhile are due anyway and left out. With them a share of the subscriptions' spans.
 */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import { recall, remember } from '@floyo/shared/state';
import { addDays, type Day } from '@floyo/shared/window';

import { readFacts, recordMissingRates, stageMetrics } from './compute.ts';
import { tellDiffering } from './differing.ts';
import { type DueOptions, findDueDays } from './due-days.ts';
import { checkProductDays } from './product/days.ts';
import { findWrongSpans } from './subscriptions/check.ts';

const CHECKED_DAYS = 35;
const STATE = { agent: 'metrics', scope: '', key: 'check' } as const;
/** How many mismatches are named. */
const NAMED = 20;

export interface Mismatch {
  readonly external_id: string;
  readonly date: Day;
  readonly stored: string | null;
  readonly computed: string | null;
  /** In what else the two differ, such as the status. */
  readonly stored_as?: string | null;
  readonly computed_as?: string | null;
}

export interface CheckResult {
  readonly days: number;
  /** How many rows were compared. */
  readonly rows: number;
  readonly mismatches: number;
  /** The first of them. */
  readonly examples: readonly Mismatch[];
}

/** Whether today's check is still to be done. */
export async function isCheckDue(db: Parameters<typeof recall>[0], today: Day): Promise<boolean> {
  const memory = await recall(db, STATE);
  return dayOfCheck(memory?.value) !== today;
}

function dayOfCheck(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'day' in value ? value.day : undefined;
}

/**
 * Compares the last 35 days. What differs is marked, so that the next run puts it right, and the day is remembered as
 * checked. `stage` is emptied and filled.
 */
export async function checkRecentDays(
  trx: Transaction<Database>,
  options: Omit<DueOptions, 'range' | 'full' | 'derive'> & { readonly stage: string; readonly now: string },
): Promise<CheckResult> {
  const { stage, today, metrics } = options;
  const from = addDays(today, 1 - CHECKED_DAYS);
  await findDueDays(trx, {
    ...options,
    range: { from, to: addDays(today, 1) },
    full: undefined,
    derive: 'none',
  });
  await sql`truncate ${sql.ref(stage)}`.execute(trx);
  const groups = await readFacts(trx);
  await recordMissingRates(trx, groups);
  await stageMetrics(trx, { metrics, groups, stage, computedAt: options.now });
  await sql`
    create temp table metric_mismatches on commit drop as
    with compared as (
      select due.day, l.metric from metric_due due join metric_list l on l.needs = due.needs
      where due.day >= ${from}::date and due.cause = 'range'
    ), stored as (
      select d.external_id, d.date, d.value, d.numerator, d.denominator, d.unit, d.status
      from public.daily_metrics d join compared c on c.day = d.date and c.metric = d.metric
    ), computed as (
      select s.external_id, s.date, s.value, s.numerator, s.denominator, s.unit, s.status
      from ${sql.ref(stage)} s join compared c on c.day = s.date and c.metric = s.metric
    ), differing as (
      (select external_id, date from (table stored except table computed) a)
      union
      (select external_id, date from (table computed except table stored) b)
    )
    select d.external_id, d.date, s.value as stored, c.value as computed,
      ${tellDiffering('s', 'c', 'value')} as stored_as, ${tellDiffering('c', 's', 'value')} as computed_as
    from differing d
    left join stored s on s.external_id = d.external_id and s.date = d.date
    left join computed c on c.external_id = d.external_id and c.date = d.date`.execute(trx);
  await sql`
    insert into ops.dirty_marks (kind, table_name, day)
    select distinct 'day', 'check', date from metric_mismatches`.execute(trx);
  const { rows } = await sql<{ days: number; rows: number; mismatches: number }>`
    select (select count(distinct day)::int from metric_due where day >= ${from}::date) as days,
      (select count(*)::int from ${sql.ref(stage)}) as rows, (select count(*)::int from metric_mismatches) as mismatches`.execute(
    trx,
  );
  const { rows: examples } = await sql<Mismatch>`
    select external_id, date, stored, computed, stored_as, computed_as from metric_mismatches order by date, external_id limit ${NAMED}`.execute(
    trx,
  );
  const remembered = await checkProductDays(trx, { from, to: addDays(today, 1) });
  const { days = 0, rows: compared = 0 } = rows[0] ?? {};
  const spans = await findWrongSpans(trx, today, (rows[0]?.mismatches ?? 0) > 0);
  const mismatches = (rows[0]?.mismatches ?? 0) + remembered.length + spans.length;
  const memory = await recall(trx, STATE);
  await remember(trx, STATE, { day: today, at: options.now, mismatches }, memory?.version ?? 0);
  const named = remembered.map(({ table, day, rows: count }) => ({
    external_id: `ops.${table}`,
    date: day,
    stored: `different in ${count} rows`,
    computed: 'as the events say',
  }));
  return { days, rows: compared, mismatches, examples: [...named, ...spans, ...examples].slice(0, NAMED) };
}
