/**
 * Runs one source: opens every account, has its streams read, and writes what came of it into the ledger. A failing
 * account is recorded and the next one goes on. Knows no vendor.
 */
import { Temporal } from 'temporal-polyfill';

import { type Backfill, backfillName, forgetBackfill } from './backfills.ts';
import type { Account, AnyConnector, AnyStream, Io, Reporting } from './connector.ts';
import type { Session } from './db.ts';
import { AccountPausedError, LockLostError, OutOfTimeError, toPipelineError } from './errors.ts';
import { createHttpClient, LONGEST_WAIT_MS } from './http.ts';
import type { AgentResult, Ledger, ResultStatus } from './ledger.ts';
import type { Write } from './lock.ts';
import type { Logger } from './log.ts';
import { settleAll } from './read-windows.ts';
import type { ReaderPool } from './reader-pool.ts';
import { hasOpenRejects } from './rejects.ts';
import { createSecretStore } from './secret-store.ts';
import { forget, recall, remember, type StateKey } from './state.ts';
import { createReading } from './stream-job.ts';
import { readStream } from './stream-reader.ts';

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
  /** Told what people should know although nothing failed. */
  readonly warn: (message: string) => void;
  /** The sessions that windows are read with; `session` may be one of them. */
  readonly pool: ReaderPool;
  /** No window is begun after this time of the real clock, in epoch milliseconds. */
  readonly deadline?: number;
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
  | ({ readonly kind: 'backfill' } & Backfill)
  /** Records that were set aside, mapped and loaded again. */
  | { readonly kind: 'replay' };

/** Runs every account of a source and returns their results, already in the ledger. */
export async function runSource(
  run: RunContext,
  connector: AnyConnector,
  config: unknown,
  work: Work,
): Promise<AgentResult[]> {
  try {
    const accounts = await accountsFor(run, connector, config, work);
    // A backfill reads accounts side by side, as far as its pool goes; scheduled runs one after another.
    if (work.kind === 'backfill') {
      const results = await settleAll(
        accounts.map((accountId) => runAccount(run, connector, config, accountId, work)),
      );
      const flat = results.flat();
      // As long as one account or stream is missing, the same command goes on: what the others have read stays done.
      if (flat.every(({ status }) => status === 'succeeded'))
        await run.write((trx) => forgetBackfill(trx, backfillName(connector.source, work)));
      return flat;
    }
    const results: AgentResult[] = [];
    for (const accountId of accounts)
      results.push(...(await runAccount(run, connector, config, accountId, work)));
    return results;
  } catch (error) {
    // Whatever the driver said first: without the database there is nothing to go on with, nor to record it in.
    throw run.session.lost.aborted ? run.session.lost.reason : error;
  }
}

async function accountsFor(
  run: RunContext,
  connector: AnyConnector,
  config: unknown,
  work: Work,
): Promise<string[]> {
  const accounts = connector.accounts(config);
  if (work.kind === 'backfill')
    return accounts.filter((accountId) => work.accountId === undefined || work.accountId === accountId);
  if (work.kind === 'scheduled') return [...accounts];
  const rejected = [];
  for (const accountId of accounts)
    if (await hasOpenRejects(run.session.db, connector.agent, accountId)) rejected.push(accountId);
  return rejected;
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
  const secrets = createSecretStore(run.session, run.write, connector.agent, accountId);
  const io: Io = { http, log, signal: run.signal, now: run.now, reporting: run.reporting, secrets };
  const pauseKey = { agent: connector.agent, scope: accountId, key: 'paused_until' };
  const results: AgentResult[] = [];
  let account: Account | undefined;

  for (const stream of streamsFor(connector, work)) {
    const startedAt = new Date();
    const callsBefore = { ...http.counts };
    const reading = createReading();
    const { counts, span } = reading;
    let status: ResultStatus = 'succeeded';
    let failure: unknown;
    try {
      const wasPaused = await refusePaused(run, pauseKey, accountId);
      account ??= (await connector.open(config, accountId, io)) as Account;
      await readStream({ run, connector, stream, account, io, work }, reading);
      if (wasPaused) await run.write((trx) => forget(trx, pauseKey));
    } catch (thrown) {
      if (run.session.lost.aborted || thrown instanceof LockLostError) throw thrown;
      if (run.signal.aborted) throw run.signal.reason;
      const error = toPipelineError(thrown);
      status = error instanceof AccountPausedError || error instanceof OutOfTimeError ? 'paused' : 'failed';
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
    for (const warning of reading.warnings) {
      run.warn(`${connector.agent} ${accountId}: ${warning.message}`);
      await run.ledger.writeError({ agent: connector.agent, accountId }, warning);
    }
  }
  return results;
}

/** No pause is longer, a shop's until its next day included: one that is was remembered by an older version. */
const LONGEST_PAUSE_MS = 2 * LONGEST_WAIT_MS;

/** The streams that such work takes. */
export function streamsFor(connector: AnyConnector, { kind }: Work): readonly AnyStream[] {
  return connector.streams.filter(({ only }) => only === undefined || kind === 'replay' || only === kind);
}

/**
 * An account that its vendor told to wait is left alone until then: calling while blocked makes the block longer.
 * Returns whether there had been a pause, which is over now.
 */
async function refusePaused(run: RunContext, pauseKey: StateKey, accountId: string): Promise<boolean> {
  const paused = await recall(run.session.db, pauseKey);
  if (typeof paused?.value !== 'string') return false;
  const leftMs = Temporal.Instant.from(paused.value).epochMilliseconds - run.now().epochMilliseconds;
  if (leftMs <= 0 || leftMs > LONGEST_PAUSE_MS) return true;
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
