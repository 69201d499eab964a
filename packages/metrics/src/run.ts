/**
 * One computation of what is due: one transaction in one snapshot, from the marks read to the marks deleted. Memory
 * stays in the database. Owns the order of steps; what is due is in due-days.ts, the values are in compute.ts.
 */
import { sql } from 'kysely';
import type { Temporal } from 'temporal-polyfill';

import type { Database, Session, Transaction } from '@floyo/shared/db';
import { PipelineError } from '@floyo/shared/errors';
import type { Write } from '@floyo/shared/lock';
import type { Logger } from '@floyo/shared/log';
import { mergeStage } from '@floyo/shared/merge';
import { createStage } from '@floyo/shared/stage';
import { dayOf, type DayWindow } from '@floyo/shared/window';

import { type Assumptions, DEFAULT_ASSUMPTIONS } from './assumptions.ts';
import { checkRecentDays, type CheckResult, isCheckDue } from './check.ts';
import { readFacts, recordMissingRates, stageMetrics } from './compute.ts';
import { syncDefinitions } from './definitions.ts';
import { findDueDays } from './due-days.ts';
import type { NeededAccount } from './expected.ts';
import { computeExperiments } from './experiments/results.ts';
import { syncProductSettings } from './product/settings.ts';
import { METRICS } from './registry.ts';
import type { Metric } from './registry/define.ts';
import { withGrossMargin } from './registry/subscriptions.ts';
import { recordRestatements } from './restatements.ts';
import { recordRevisions } from './revisions.ts';
import { type Reporting, rezone } from './rezone.ts';
import { rememberDays } from './signatures.ts';
import { countUnpriced } from './subscriptions/refresh.ts';
import type { ReadVersion } from './subscriptions/rezone.ts';
import {
  describeEvents,
  describeMissing,
  describeRefunds,
  describeRevisions,
  describeVersions,
  failOfCheck,
  type MetricsWarning,
} from './warnings.ts';

/** What a caller may ask for besides what is due. */
export interface MetricsRequest {
  /** Computes these days too, due or not; half-open. */
  readonly range?: DayWindow;
  /** Computes every day. */
  readonly full?: boolean;
  /** Moves what is stored to another reporting zone or currency first; computes every day. */
  readonly rezone?: boolean;
  /** The comparison of the last 35 days with a recompute: once a day unless told. */
  readonly check?: 'daily' | 'now' | 'never';
  /** Changes source rows first, in the same transaction: the metrics follow or nothing happens. */
  readonly prepare?: (trx: Transaction<Database>) => Promise<void>;
}

export interface MetricsOptions extends MetricsRequest {
  readonly session: Session;
  /** Opens the write transactions of this run on `session`. */
  readonly write: Write;
  /** The configured accounts, without those of rates. */
  readonly accounts: readonly NeededAccount[];
  readonly reporting: Reporting;
  readonly now: Temporal.Instant;
  readonly runId: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** What is not told is the default. Another answer than the last one recomputes what follows from it. */
  readonly assumptions?: Partial<Assumptions>;
  /** Reads Stripe's events in the ledger anew for another zone; without it a rezone knows the stored versions alone. */
  readonly readVersion?: ReadVersion;
  /** The metrics to compute; the registry unless told. */
  readonly metrics?: Readonly<Record<string, Metric>>;
}

export interface MetricsResult {
  /** How many days were due. */
  readonly days: number;
  readonly inserted: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  /** How many experiments were computed. */
  readonly experiments: number;
  /** How many final values moved; they are in metric_revisions. */
  readonly revisions: number;
  /** How many subscription items and discounts of today are left out of MRR because nothing says what they are worth. */
  readonly unpriced: number;
  /** What the check found, when it was its turn; a mismatch throws. */
  readonly check: CheckResult | null;
  /** Each is told once: a rate that is still missing in the next run is not told again. */
  readonly warnings: readonly MetricsWarning[];
}

/** Final values that move are logged one by one up to here; a rezone moves all of them. */
const MOVED_LOGGED = 50;

/**
 * Computes what is due: marked days, days that a marked customer, order, refund or rate reaches, days whose rows are
 * missing, whose status is no longer what coverage and the clock say or that have matured, and what was asked for.
 * Rows that come out the same are not rewritten. Never waits for a writer of source tables, nor lets one wait.
 * @throws PipelineError when ops.settings was made for another time zone or currency and no rezone was asked for, or
 * (P1, after everything was committed) when the check found stored values that are not those of a full recompute.
 */
export async function runMetrics(options: MetricsOptions): Promise<MetricsResult> {
  const { session, write, reporting, log, signal } = options;
  const assumptions = { ...DEFAULT_ASSUMPTIONS, ...options.assumptions };
  const metrics = withGrossMargin(options.metrics ?? METRICS, assumptions.grossMargin);
  signal.throwIfAborted();
  const stage = await createStage(session, 'daily_metrics');
  const now = options.now.toString();
  const today = dayOf(options.now, reporting.timezone);
  const isolation = { isolationLevel: 'repeatable read' } as const;
  const expect = { metrics, accounts: options.accounts, currency: reporting.currency, today };
  const { counts, missing, moved, unpriced, rezoned } = await write(async (trx) => {
    // A month of users is sorted in memory; the server's default is for many small queries at once.
    await sql`set local work_mem = '32MB'`.execute(trx);
    const rezoned = options.rezone === true ? await rezone(trx, reporting, options.readVersion) : undefined;
    await assertSettings(trx, reporting);
    await options.prepare?.(trx);
    const changed = await syncDefinitions(trx, metrics);
    const isOther = await syncProductSettings(trx, assumptions);
    const days = await findDueDays(trx, {
      ...expect,
      range: options.range,
      full: rezoned
        ? 'rezone'
        : options.full === true
          ? 'full'
          : changed.length > 0
            ? 'definition'
            : undefined,
      derive: isOther ? 'every' : 'marked',
    });
    signal.throwIfAborted();
    await sql`truncate ${sql.ref(stage)}`.execute(trx);
    const groups = await readFacts(trx);
    const missing = await recordMissingRates(trx, groups);
    await stageMetrics(trx, { metrics, groups, stage, computedAt: now });
    signal.throwIfAborted();
    await sql`analyze ${sql.ref(stage)}`.execute(trx);
    const moved = await recordRevisions(trx, { stage, runId: options.runId, now });
    const merged = await replaceRows(trx, stage, options.runId);
    await rememberDays(trx, expect);
    await recordRestatements(trx, { now, timezone: reporting.timezone, runId: options.runId });
    const experiments = await computeExperiments(trx, {
      today,
      now,
      timezone: reporting.timezone,
      runId: options.runId,
      full: rezoned !== undefined || options.full === true,
    });
    await sql`delete from ops.dirty_marks where id in (select id from metric_marks)`.execute(trx);
    return {
      counts: { days, ...merged, experiments },
      missing,
      moved,
      unpriced: await countUnpriced(trx, today),
      rezoned,
    };
  }, isolation);
  // Told when it is committed, not before.
  for (const { external_id: metric, ...values } of moved.slice(0, MOVED_LOGGED))
    log.warn({ metric, ...values }, 'a final value moved');
  if (moved.length > MOVED_LOGGED)
    log.warn({ count: moved.length - MOVED_LOGGED }, 'more final values moved');
  log.info({ ...counts, revisions: moved.length }, 'metrics computed');

  const { check: wanted = 'daily' } = options;
  const isDue = wanted === 'now' || (wanted === 'daily' && (await isCheckDue(session.db, today)));
  const check = isDue
    ? await write((trx) => checkRecentDays(trx, { ...expect, stage, now }), isolation)
    : null;
  if (check)
    log.info({ days: check.days, rows: check.rows, mismatches: check.mismatches }, 'metrics checked');
  if (check && check.mismatches > 0) throw failOfCheck(check);
  return {
    ...counts,
    revisions: moved.length,
    unpriced,
    check,
    warnings: [
      ...describeMissing(missing, reporting.currency),
      ...describeRevisions(moved),
      ...describeRefunds(rezoned?.refundsWithoutInstant ?? 0),
      ...describeVersions(rezoned?.unreadVersions ?? 0),
      ...describeEvents(rezoned?.unreadEvents ?? null),
    ],
  };
}

async function assertSettings(trx: Transaction<Database>, reporting: Reporting): Promise<void> {
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

/** Makes the due rows those of the stage. */
async function replaceRows(trx: Transaction<Database>, stage: string, runId: string) {
  const { rows } = await sql<{ count: number }>`
    with gone as (
      delete from public.daily_metrics d using metric_extra x
      where d.external_id = x.external_id and d.date = x.date
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
