/**
 * Runs one source: for every account and stream it plans windows, reads pages, validates, maps, stages, and commits rows,
 * coverage and cursor of a window in one transaction. Knows Postgres through the loader and no vendor.
 * A failing account is recorded and the next one goes on.
 */
import { Temporal } from 'temporal-polyfill';

import type { Account, AnyConnector, AnyStream, Io, Reporting } from './connector.ts';
import type { Session } from './db.ts';
import {
  AccountPausedError,
  LockLostError,
  PipelineError,
  toPipelineError,
  WindowTooLargeError,
} from './errors.ts';
import { createHttpClient } from './http.ts';
import type { AgentResult, Ledger, ResultStatus } from './ledger.ts';
import { createLoader } from './load.ts';
import type { Write } from './lock.ts';
import type { Logger } from './log.ts';
import { hasOpenRejects } from './rejects.ts';
import { forget, recall, remember, type StateKey } from './state.ts';
import {
  backfillKey,
  calendarOf,
  cursorKey,
  planBackfillOf,
  type PlanInput,
  planScheduled,
} from './stream-plan.ts';
import { addDays, dayOf, type DayWindow, halve } from './window.ts';
import { createWindowReader, type StreamCounts, type WindowReader } from './window-reader.ts';

/** What a run gives to the sources that it runs. */
export interface RunContext {
  readonly session: Session;
  readonly write: Write;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly now: () => Temporal.Instant;
  readonly reporting: Reporting;
  readonly http: { readonly retryBaseMs: number; readonly waitBudgetMs: number };
  /** Told after every page and window, for people who watch. */
  readonly progress: (event: ProgressEvent) => void;
  /** Called between windows: a backfill lets others have the lock here. */
  readonly betweenWindows?: () => Promise<unknown>;
}

export interface ProgressEvent {
  readonly agent: string;
  readonly accountId: string;
  readonly stream: string;
  readonly window: { readonly from: string; readonly to: string };
  readonly rowsRead: number;
}

/** What a run is to do with its sources. */
export type Work =
  /** What is due, by the ledger. */
  | { readonly kind: 'scheduled' }
  /** Whole days again, whatever the ledger says, for one account or all. */
  | { readonly kind: 'backfill'; readonly window: DayWindow; readonly accountId?: string }
  /** Records that were set aside, mapped and loaded again. */
  | { readonly kind: 'replay' };

/** Runs every account of a source and returns their results, already in the ledger. */
export async function runSource(
  run: RunContext,
  connector: AnyConnector,
  config: unknown,
  work: Work,
): Promise<AgentResult[]> {
  const results: AgentResult[] = [];
  try {
    for (const accountId of connector.accounts(config)) {
      if (work.kind === 'backfill' && work.accountId !== undefined && work.accountId !== accountId) continue;
      if (work.kind === 'replay' && !(await hasOpenRejects(run.session.db, connector.agent, accountId)))
        continue;
      results.push(...(await runAccount(run, connector, config, accountId, work)));
    }
  } catch (error) {
    // Whatever the driver said first: without the database there is nothing to go on with, nor to record it in.
    throw run.session.lost.aborted ? run.session.lost.reason : error;
  }
  return results;
}

async function runAccount(
  run: RunContext,
  connector: AnyConnector,
  config: unknown,
  accountId: string,
  work: Work,
): Promise<AgentResult[]> {
  const log = run.log.child({ pkg: connector.agent, account_id: accountId });
  const http = createHttpClient({
    signal: run.signal,
    now: () => run.now().epochMilliseconds,
    retryBaseMs: run.http.retryBaseMs,
    waitBudgetMs: run.http.waitBudgetMs,
  });
  const io: Io = { http, log, signal: run.signal, now: run.now, reporting: run.reporting };
  const pauseKey = { agent: connector.agent, scope: accountId, key: 'paused_until' };
  const results: AgentResult[] = [];
  let account: Account | undefined;

  for (const stream of connector.streams as readonly AnyStream[]) {
    const startedAt = new Date();
    const callsBefore = { ...http.counts };
    const counts: StreamCounts = {
      read: 0,
      inserted: 0,
      updated: 0,
      unchanged: 0,
      deleted: 0,
      rejected: 0,
      metadata: {},
    };
    const span: { from: string | null; to: string | null } = { from: null, to: null };
    let status: ResultStatus = 'succeeded';
    let failure: unknown;
    try {
      const wasPaused = await refusePaused(run, pauseKey, accountId);
      account ??= (await connector.open(config, accountId, io)) as Account;
      const input = { connector, stream, account, reporting: run.reporting, now: run.now() };
      const loader = await createLoader(run.session, stream);
      const reader = createWindowReader({ run, connector, stream, account, io, counts, loader });
      const job = { run, input, reader, counts, span };
      if (work.kind === 'backfill') await readBackfill(job, work.window);
      else if (work.kind === 'replay') await reader.replay();
      else await readScheduled(job);
      if (wasPaused) await run.write((trx) => forget(trx, pauseKey));
    } catch (thrown) {
      if (run.session.lost.aborted || thrown instanceof LockLostError) throw thrown;
      if (run.signal.aborted) throw run.signal.reason;
      const error = toPipelineError(thrown);
      status = error instanceof AccountPausedError ? 'paused' : 'failed';
      failure = error;
      if (error instanceof AccountPausedError) await rememberPause(run, pauseKey, error.until);
      log.error(
        { stream: stream.name, error_type: error.type, context: error.context, advice: error.advice },
        error.message,
      );
    }
    const finishedAt = new Date();
    results.push(
      await run.ledger.writeResult(
        {
          agent: connector.agent,
          account_id: accountId,
          stream: stream.name,
          status,
          started_at: startedAt.toISOString(),
          finished_at: finishedAt.toISOString(),
          duration_ms: finishedAt.getTime() - startedAt.getTime(),
          window_from: span.from,
          window_to: span.to,
          rows_read: counts.read,
          rows_inserted: counts.inserted,
          rows_updated: counts.updated,
          rows_unchanged: counts.unchanged,
          rows_deleted: counts.deleted,
          rows_rejected: counts.rejected,
          api_calls: http.counts.apiCalls - callsBefore.apiCalls,
          retries: http.counts.retries - callsBefore.retries,
          throttled_ms: Math.round(http.counts.throttledMs - callsBefore.throttledMs),
          metadata: {
            ...counts.metadata,
            ...(account
              ? { timezone: account.timezone, currency: account.currency, name: account.name }
              : {}),
          },
        },
        failure,
      ),
    );
    if (counts.rejected > 0 && status === 'succeeded')
      await run.ledger.writeError({ agent: connector.agent, accountId }, rejectsWarning(stream.name, counts));
  }
  return results;
}

function rejectsWarning(stream: string, counts: StreamCounts): PipelineError {
  return new PipelineError({
    type: 'rejects',
    severity: 'P2',
    message: `${counts.rejected} of ${counts.read} records of ${stream} were set aside`,
    advice:
      '`floyo rejects list` shows them with their reasons; after a fix `floyo rejects replay` loads them.',
  });
}

/**
 * An account that its vendor told to wait is left alone until then: calling while blocked makes the block longer.
 * Returns whether there had been a pause, which is over now.
 */
async function refusePaused(run: RunContext, pauseKey: StateKey, accountId: string): Promise<boolean> {
  const paused = await recall(run.session.db, pauseKey);
  if (typeof paused?.value !== 'string') return false;
  if (Temporal.Instant.compare(paused.value, run.now()) <= 0) return true;
  throw new AccountPausedError({
    message: `Account ${accountId} is paused until ${paused.value}, as its vendor asked`,
    advice: 'Nothing to do: the first run after that goes on where it stopped.',
    until: paused.value,
  });
}

async function rememberPause(run: RunContext, pauseKey: StateKey, until: string): Promise<void> {
  await run.write(async (trx) => {
    const before = await recall(trx, pauseKey);
    if (before?.value !== until) await remember(trx, pauseKey, until, before?.version ?? 0);
  });
}

/** What the reading of one stream of one account works on. */
interface Job {
  readonly run: RunContext;
  readonly input: PlanInput;
  readonly reader: WindowReader;
  readonly counts: StreamCounts;
  readonly span: { from: string | null; to: string | null };
}

/** A scheduled run: days that are due, then changes since the cursor. The cursor commits with the first window. */
async function readScheduled(job: Job): Promise<void> {
  const { run, input, reader } = job;
  const { stream } = input;
  const key = cursorKey(input);
  const plan = await planScheduled(run.session.db, input);
  let { cursor, version } = plan;
  await readWindows(job, plan.days, async (trx) => {
    if (version === 0) version = await remember(trx, key, cursor, 0);
  });
  const calendar = calendarOf(input);
  const coveredFrom = dayOf(cursor.covered_to ?? run.now(), calendar);
  for (const [index, window] of plan.changes.entries()) {
    const caughtUp = index === plan.changes.length - 1;
    cursor = { ...cursor, synced_to: window.to, ...(caughtUp ? { covered_to: window.to } : {}) };
    const overlapMs = stream.changes?.overlapMs ?? 0;
    const from = Temporal.Instant.from(window.from).subtract({ milliseconds: overlapMs }).toString();
    await reader.readChanges(
      { from, to: window.to },
      {
        covers: caughtUp
          ? { window: { from: coveredFrom, to: addDays(dayOf(window.to, calendar), 1) }, timezone: calendar }
          : undefined,
        alongside: async (trx) => {
          version = await remember(trx, key, cursor, version);
        },
      },
    );
    widen(job.span, { from, to: window.to });
  }
}

/** A backfill of whole days: resumes after the days that its earlier runs read, and forgets itself when it is done. */
async function readBackfill(job: Job, window: DayWindow): Promise<void> {
  const { run, input } = job;
  const key = backfillKey(input, window);
  const plan = await planBackfillOf(run.session.db, input, window);
  if (plan.runs.length > 0) job.counts.metadata['resumes'] = plan.runs;
  await run.write((trx) => remember(trx, key, [...plan.runs, run.ledger.runId], plan.version));
  await readWindows(job, plan.days);
  await run.write((trx) => forget(trx, key));
}

/** Reads the windows one by one; one that is too large for the vendor is halved. */
async function readWindows(
  { run, input, reader, span }: Job,
  windows: readonly DayWindow[],
  alongside?: Parameters<WindowReader['readDays']>[2],
): Promise<void> {
  const queue = [...windows];
  for (let window = queue.shift(); window !== undefined; window = queue.shift()) {
    try {
      await reader.readDays(window, calendarOf(input), alongside);
    } catch (error) {
      const halves = error instanceof WindowTooLargeError ? halve(window) : null;
      if (halves === null) throw error;
      run.log.info({ stream: input.stream.name, window }, 'too much for one request, split by date');
      queue.unshift(...halves);
      continue;
    }
    widen(span, window);
    if (queue.length > 0) await run.betweenWindows?.();
  }
}

function widen(span: Job['span'], window: { readonly from: string; readonly to: string }): void {
  if (span.from === null || window.from < span.from) span.from = window.from;
  if (span.to === null || window.to > span.to) span.to = window.to;
}
