/**
 * One run of the pipeline: the lock, then every source in order, then the metrics; what fails is recorded and the rest
 * goes on. Owns the order and the run document; no printing, no process.
 */
import { Temporal } from 'temporal-polyfill';

import type { MetricsRequest } from '@floyo/metrics';
import { connect } from '@floyo/shared/db';
import { LockLostError, PipelineError, toPipelineError } from '@floyo/shared/errors';
import { type AgentResult, type Ledger, type RunKind, type RunStatus, startRun } from '@floyo/shared/ledger';
import type { RunLock } from '@floyo/shared/lock';
import type { Logger } from '@floyo/shared/log';
import { createReaderPool } from '@floyo/shared/reader-pool';
import type { Redactor } from '@floyo/shared/redact';
import { type ProgressEvent, type RunContext, runSource, type Work } from '@floyo/shared/runner';
import { createTelemetry, type Telemetry } from '@floyo/shared/telemetry';

import { postAlert } from './alert.ts';
import type { Database } from './database.ts';
import { noteEnvironment } from './environment.ts';
import { computeMetrics } from './metrics-agent.ts';
import { InterruptedError, linkAborts, takeLock } from './run-lock.ts';
import { statusOf, totalsOf, warningsOf } from './run-outcome.ts';
import type { ConfiguredSource, Settings } from './sources.ts';
import { tidyUp } from './tidy-up.ts';

/** What `run`, `etl`, `backfill` and `metrics` print with `--json`. */
export interface RunDocument {
  readonly run_id: string | null;
  readonly kind: RunKind;
  readonly status: RunStatus;
  readonly skipped_because: {
    readonly run_id: string | null;
    readonly holder: string | null;
    readonly since: string | null;
  } | null;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly agents: readonly AgentResult[];
  readonly warnings: readonly string[];
}

/** Told as a run goes, for people who watch. */
export interface RunWatcher {
  sourceStarted(name: string): void;
  progress(event: ProgressEvent): void;
  result(result: AgentResult): void;
  sourceFinished(name: string): void;
  waiting(holder: { readonly kind: string | null; readonly since: string | null }): void;
}

export interface RunRequest {
  readonly kind: RunKind;
  readonly sources: readonly ConfiguredSource[];
  readonly work: Work;
  /** Whether these are all the sources that are configured: what is not is then no longer waited for. */
  readonly whole?: boolean;
  readonly metrics?: MetricsRequest;
  /** How long to wait for the lock. */
  readonly waitMs: number;
  /** How many windows a backfill reads at once; 1 unless told. */
  readonly agents?: number;
  /** When a backfill begins no further window, in epoch milliseconds. */
  readonly deadline?: number;
  /** A scheduled tick that finds another run at work has nothing to do; it waits only for a backfill. */
  readonly skipWhenBusy: boolean;
}

/** What a run needs of the world. */
export interface RunWorld {
  readonly settings: Settings;
  readonly database: Database;
  readonly redactor: Redactor;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly watcher: RunWatcher;
}

/** Runs it and returns its document; throws only what kept it from being a run at all. */
export async function runPipeline(world: RunWorld, request: RunRequest): Promise<RunDocument> {
  const telemetry = createTelemetry(world.settings.telemetry, {
    redactor: world.redactor,
    now: () => new Date().toISOString(),
  });
  const tell = async (status: RunStatus) => {
    const problem = await telemetry.end(status);
    if (problem !== undefined) world.log.warn(problem);
    return problem;
  };
  const document = await runRecorded(world, request, telemetry).catch(async (error: unknown) => {
    await tell(error instanceof InterruptedError ? 'interrupted' : 'failed');
    throw error;
  });
  // By now the lock is free: nobody waits while events are sent.
  const problem = await tell(document.status);
  return problem === undefined ? document : { ...document, warnings: [...document.warnings, problem] };
}

async function runRecorded(world: RunWorld, request: RunRequest, telemetry: Telemetry): Promise<RunDocument> {
  const { database, settings, redactor } = world;
  const startedAt = new Date().toISOString();
  const ledger = telemetry.watch(await startRun(database.session, request.kind, redactor), request.kind);
  const warnings: string[] = [];
  const agents: AgentResult[] = [];
  const document = (status: RunStatus, more: Partial<RunDocument> = {}): RunDocument => ({
    run_id: ledger.runId,
    kind: request.kind,
    status,
    skipped_because: null,
    started_at: startedAt,
    finished_at: new Date().toISOString(),
    agents,
    warnings: warnings.map((warning) => redactor.text(warning)),
    ...more,
  });

  const taken = await takeLock(world, request, ledger.runId).catch(async (error: unknown) => {
    await ledger.finish(error instanceof InterruptedError ? 'interrupted' : 'failed', {});
    throw error;
  });
  if ('busy' in taken) {
    if (request.skipWhenBusy) {
      await ledger.finish('skipped', {});
      return document('skipped', { skipped_because: taken.busy });
    }
    const error = new PipelineError({
      type: 'lock',
      message: `The lock is held by a ${taken.busy.holder ?? 'unknown'} run since ${taken.busy.since ?? 'some time'}, longer than --wait`,
      advice:
        'Try again later. `pnpm floyo status` shows the holder; `pnpm floyo unlock --force` ends a holder that hangs.',
    });
    warnings.push(`${error.message}. ${error.advice ?? ''}`.trim());
    await ledger.writeError({ agent: 'pipeline', accountId: null }, error);
    await ledger.finish('failed', {});
    const waited = document('failed', { skipped_because: taken.busy });
    await postAlert(world, waited);
    return waited;
  }

  await using cleanup = new AsyncDisposableStack();
  const { lock } = taken;
  const sessions = [database.session];
  while (sessions.length < (request.agents ?? 1)) {
    const session = await connect(database.url, { applicationName: 'floyo agent' });
    cleanup.defer(() => session.end());
    sessions.push(session);
  }
  const abort = linkAborts(world.signal, database.lockSession, sessions, ledger.runId);
  const gate = { wanted: () => lock.hasWaiters(), open: () => lock.yieldToWaiters(abort.signal) };
  const run: RunContext = {
    session: database.session,
    write: lock.fenced(database.session),
    ledger,
    signal: abort.signal,
    log: world.log.child({ run_id: ledger.runId }),
    now: clockOf(settings.config.now),
    reporting: settings.config.reporting,
    http: settings.config.http,
    warn: (message) => warnings.push(message),
    progress: (event) => world.watcher.progress(event),
    pool: createReaderPool(
      sessions.map((session) => ({ session, write: lock.fenced(session) })),
      request.kind === 'backfill' ? gate : undefined,
    ),
    ...(request.deadline === undefined ? {} : { deadline: request.deadline }),
  };
  try {
    const basis = await noteEnvironment(run, settings, request.whole === true);
    for (const source of request.sources) {
      world.watcher.sourceStarted(source.connector.source);
      const results = await runSource(run, source.connector, source.config, request.work);
      for (const result of results) world.watcher.result(result);
      agents.push(...results);
      world.watcher.sourceFinished(source.connector.source);
    }
    world.watcher.sourceStarted('metrics');
    const metrics = await computeMetrics(run, request, basis, warnings);
    world.watcher.result(metrics);
    agents.push(metrics);
    world.watcher.sourceFinished('metrics');
    await tidyUp(run, settings.config);
    const status = statusOf(agents);
    warnings.push(...warningsOf(agents));
    await ledger.finish(status, totalsOf(agents));
    await lock.release();
    const done = document(status);
    if (status !== 'succeeded') await postAlert(world, done);
    return done;
  } catch (thrown) {
    const error = toPipelineError(abort.signal.aborted ? abort.signal.reason : thrown);
    const status: RunStatus =
      error instanceof LockLostError || error instanceof InterruptedError ? 'interrupted' : 'failed';
    const broken = await recordEnd(world, ledger, error, status, lock);
    const ended = document(status, { warnings: [...warnings, redactor.text(error.message), ...broken] });
    if (!(error instanceof InterruptedError)) await postAlert(world, ended);
    return ended;
  } finally {
    abort.stop();
  }
}

/** Writes the end of a broken run as far as the database still takes it; returns what could not be written. */
async function recordEnd(
  world: RunWorld,
  ledger: Ledger,
  error: PipelineError,
  status: 'interrupted' | 'failed',
  lock: RunLock,
): Promise<string[]> {
  world.log.error({ run_id: ledger.runId, error_type: error.type, advice: error.advice }, error.message);
  try {
    await ledger.writeError({ agent: 'pipeline', accountId: null }, error);
    await ledger.finish(status, {});
    if (!world.database.lockSession.lost.aborted) await lock.release();
    return [];
  } catch (cause) {
    const message = `The end of this run could not be written to the ledger: ${cause instanceof Error ? cause.message : String(cause)}`;
    world.log.error({ run_id: ledger.runId }, message);
    return [world.redactor.text(message)];
  }
}

/** Whether a run's document says that something failed: the exit code is then 1. A paused account goes on by itself. */
export function hasFailed(document: RunDocument): boolean {
  return (
    document.status === 'failed' ||
    document.status === 'interrupted' ||
    document.agents.some(({ status }) => status === 'failed')
  );
}

/** The clock of FLOYO_NOW, which stands still, or the real one. */
export function clockOf(fixed: string | undefined): () => Temporal.Instant {
  if (fixed === undefined) return () => Temporal.Now.instant();
  const instant = Temporal.Instant.from(fixed);
  return () => instant;
}
