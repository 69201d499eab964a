/**
 * One computation of what is due: one transaction in one snapshot, from the marks read to the marks deleted. Memory
 * stays in the database. Owns the order of steps; what is due is in due-days.ts, the values are in compute.ts.
 */
import { sql } from 'kysely';
import type { Temporal } from 'temporal-polyfill';

import type { Database, Session, Transaction } from '@floyo/shared/db';
import { PipelineError } from '@floyo/shared/errors';
import { createStage, mergeStage } from '@floyo/shared/load';
import type { Write } from '@floyo/shared/lock';
import type { Logger } from '@floyo/shared/log';
import { addDays, dayOf, type DayWindow, joinDays } from '@floyo/shared/window';

import { type MissingRate, readFacts, recordMissingRates, stageMetrics } from './compute.ts';
import { syncDefinitions } from './definitions.ts';
import { findDueDays, type NeededAccount } from './due-days.ts';
import { type Metric, METRICS } from './registry.ts';

export interface MetricsOptions {
  readonly session: Session;
  /** Opens the write transactions of this run on `session`. */
  readonly write: Write;
  /** The configured accounts, without those of rates. */
  readonly accounts: readonly NeededAccount[];
  readonly reporting: { readonly timezone: string; readonly currency: string };
  readonly now: Temporal.Instant;
  readonly runId: string;
  /** Computes these days too, due or not; half-open. */
  readonly range?: DayWindow;
  /** Computes every day. */
  readonly full?: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The metrics to compute; the registry unless told. */
  readonly metrics?: Readonly<Record<string, Metric>>;
}

export interface MetricsWarning {
  readonly message: string;
  readonly advice: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export interface MetricsResult {
  /** How many days were due. */
  readonly days: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  /** Each is told once: a rate that is still missing in the next run is not told again. */
  readonly warnings: readonly MetricsWarning[];
}

/** Final values that move are logged one by one up to here; a rezone moves all of them. */
const MOVED_LOGGED = 50;

/**
 * Computes the metrics of every day that is due: marked days, days that a marked customer, order or rate reaches, days
 * whose rows are missing or whose status is no longer what coverage says, and what was asked for.
 * Rows that come out the same are not rewritten. Never waits for a writer of source tables, nor lets one wait.
 * @throws PipelineError when ops.settings was made for another time zone or currency.
 */
export async function runMetrics(options: MetricsOptions): Promise<MetricsResult> {
  const { session, write, reporting, metrics = METRICS, log, signal } = options;
  signal.throwIfAborted();
  const stage = await createStage(session, 'daily_metrics');
  const result = await write(
    async (trx) => {
      await assertSettings(trx, reporting);
      const changed = await syncDefinitions(trx, metrics);
      const days = await findDueDays(trx, {
        metrics,
        accounts: options.accounts,
        currency: reporting.currency,
        today: dayOf(options.now, reporting.timezone),
        range: options.range,
        full: options.full === true || changed.length > 0,
      });
      signal.throwIfAborted();
      await sql`truncate ${sql.ref(stage)}`.execute(trx);
      await readFacts(trx);
      const missing = await recordMissingRates(trx);
      await stageMetrics(trx, { metrics, stage, computedAt: options.now.toString() });
      signal.throwIfAborted();
      const moved = await findMovedFinals(trx, stage);
      const counts = await replaceDays(trx, stage, options.runId);
      await sql`delete from ops.dirty_marks where id in (select id from metric_marks)`.execute(trx);
      return { counts: { days, ...counts }, missing, moved };
    },
    { isolationLevel: 'repeatable read' },
  );
  // Told when it is committed, not before.
  for (const { external_id: metric, ...values } of result.moved.slice(0, MOVED_LOGGED))
    log.warn({ metric, ...values }, 'a final value moved');
  if (result.moved.length > MOVED_LOGGED)
    log.warn({ count: result.moved.length - MOVED_LOGGED }, 'more final values moved');
  log.info(result.counts, 'metrics computed');
  return { ...result.counts, warnings: describeMissing(result.missing, reporting.currency) };
}

async function assertSettings(
  trx: Transaction<Database>,
  reporting: MetricsOptions['reporting'],
): Promise<void> {
  const { rows } = await sql`
    select 1 from ops.settings
    where reporting_currency = ${reporting.currency} and reporting_timezone = ${reporting.timezone}`.execute(
    trx,
  );
  if (rows.length > 0) return;
  throw new PipelineError({
    type: 'config',
    message: `The stored days and values are not those of ${reporting.timezone} and ${reporting.currency}`,
    advice:
      'Set REPORTING_TIMEZONE and REPORTING_CURRENCY as in ops.settings, or run floyo metrics --full --rezone.',
  });
}

interface MovedValue {
  readonly external_id: string;
  readonly date: string;
  readonly old_value: string | null;
  readonly new_value: string | null;
}

async function findMovedFinals(trx: Transaction<Database>, stage: string): Promise<MovedValue[]> {
  const { rows } = await sql<MovedValue>`
    select d.external_id, d.date, d.value as old_value, s.value as new_value
    from public.daily_metrics d join ${sql.ref(stage)} s on s.external_id = d.external_id and s.date = d.date
    where d.date in (select day from metric_due) and d.status = 'final' and d.value is distinct from s.value
    order by d.date, d.external_id`.execute(trx);
  return rows;
}

/** Makes the rows of the due days those of the stage. */
async function replaceDays(trx: Transaction<Database>, stage: string, runId: string) {
  await sql`analyze ${sql.ref(stage)}`.execute(trx);
  const { rows } = await sql<{ count: number }>`
    with gone as (
      delete from public.daily_metrics d using metric_due
      where d.date = metric_due.day
        and not exists (select 1 from ${sql.ref(stage)} s where s.external_id = d.external_id and s.date = d.date)
      returning 1
    ) select count(*)::int as count from gone`.execute(trx);
  const merged = await mergeStage(trx, {
    stage,
    table: 'daily_metrics',
    key: ['external_id', 'date'],
    runId,
    ignore: ['computed_at'],
  });
  return { ...merged, deleted: rows[0]?.count ?? 0 };
}

function describeMissing(missing: readonly MissingRate[], reportingCurrency: string): MetricsWarning[] {
  return [...Map.groupBy(missing, (rate) => rate.currency)].map(([currency, rates]) => {
    const days = rates.map((rate) => rate.day);
    const spans = joinDays(days).map(({ from, to }) => {
      const last = addDays(to, -1);
      return from === last ? from : `${from} to ${last}`;
    });
    return {
      message: `No rate from ${currency} to ${reportingCurrency} for ${spans.join(', ')}: amounts in ${currency} are left out of these days`,
      advice: `Run floyo etl fx if the ECB publishes ${currency}; else add it to FX_FIXED_RATES (units per 1 EUR). The days are computed again by themselves.`,
      context: { currency, reporting_currency: reportingCurrency, days },
    };
  });
}
