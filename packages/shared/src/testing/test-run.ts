/** A run on a test database as the pipeline makes one: sessions, the lock, the ledger, a clock that stands at `now`. */
import { Temporal } from 'temporal-polyfill';

import type { AnyConnector } from '../connector.ts';
import { connect, type Session } from '../db.ts';
import { type AgentResult, type RunKind, startRun } from '../ledger.ts';
import { acquireLock, type RunLock } from '../lock.ts';
import { createLogger } from '../log.ts';
import { createReaderPool } from '../reader-pool.ts';
import { createRedactor } from '../redact.ts';
import { type RunContext, runSource, type Work } from '../runner.ts';

export interface TestRunOptions {
  /** The instant at which the run's clock stands. */
  readonly now: string;
  readonly kind?: RunKind;
  readonly reporting?: RunContext['reporting'];
  readonly signal?: AbortSignal;
  readonly waitBudgetMs?: number;
  readonly secrets?: readonly string[];
  readonly progress?: RunContext['progress'];
  readonly warn?: RunContext['warn'];
  readonly betweenWindows?: (lock: RunLock) => Promise<unknown>;
}

export interface TestRun extends AsyncDisposable {
  readonly run: RunContext;
  readonly lock: RunLock;
  readonly lockSession: Session;
}

/** Begins a run that holds the lock; disposing of it gives the lock back and closes its connections. */
export async function startTestRun(url: string, options: TestRunOptions): Promise<TestRun> {
  await using cleanup = new AsyncDisposableStack();
  const session = await connect(url, { applicationName: 'floyo test run' });
  cleanup.defer(() => session.end());
  const lockSession = await connect(url, { applicationName: 'floyo test lock' });
  cleanup.defer(() => lockSession.end());
  const redactor = createRedactor(options.secrets ?? []);
  const ledger = await startRun(session, options.kind ?? 'manual', redactor);
  const lock = await acquireLock(lockSession, ledger.runId, 0);
  if (lock === null) throw new Error('The test database is locked by another run');
  cleanup.defer(async () => {
    if (!lockSession.lost.aborted) await lock.release();
  });
  const now = Temporal.Instant.from(options.now);
  const { betweenWindows } = options;
  const run: RunContext = {
    session,
    write: lock.fenced(session),
    ledger,
    signal: options.signal ?? new AbortController().signal,
    log: createLogger({ level: 'silent', redactor }),
    now: () => now,
    reporting: options.reporting ?? { timezone: 'UTC', currency: 'USD' },
    http: { retryBaseMs: 1, waitBudgetMs: options.waitBudgetMs ?? 0 },
    progress: options.progress ?? (() => undefined),
    warn: options.warn ?? (() => undefined),
    pool: createReaderPool(
      [{ session, write: lock.fenced(session) }],
      betweenWindows && { wanted: () => Promise.resolve(true), open: () => betweenWindows(lock) },
    ),
  };
  const owned = cleanup.move();
  return { run, lock, lockSession, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** One run of one source from beginning to end. */
export async function runTestSource(
  url: string,
  connector: AnyConnector,
  options: TestRunOptions & { readonly work?: Work },
): Promise<AgentResult[]> {
  await using test = await startTestRun(url, options);
  const results = await runSource(test.run, connector, {}, options.work ?? { kind: 'scheduled' });
  await test.run.ledger.finish('succeeded', {});
  return results;
}
