/** The ledger of runs, of each agent's result in them, and of errors. The JSON documents of the commands are made of it. */
import { createHash } from 'node:crypto';

import { sql } from 'kysely';

import { cleanText, encodeJson } from './copy-text.ts';
import type { Session } from './db.ts';
import { ConfigError, type ErrorType, PipelineError, type Severity, toPipelineError } from './errors.ts';
import type { Redactor } from './redact.ts';

export type RunKind = 'scheduled' | 'manual' | 'source' | 'backfill' | 'metrics' | 'demo';
export type RunStatus = 'running' | 'succeeded' | 'partial' | 'failed' | 'skipped' | 'interrupted';
export type ResultStatus = 'succeeded' | 'failed' | 'paused' | 'skipped';

/** An error as the JSON documents show it. */
export interface ErrorSummary {
  readonly error_type: ErrorType;
  readonly severity: Severity;
  readonly message: string;
  readonly advice: string | null;
}

/** What one agent did with one account and stream: a row of `ops.agent_results`, and its error. */
export interface AgentResult {
  readonly agent: string;
  readonly account_id: string | null;
  readonly stream: string | null;
  readonly status: ResultStatus;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_ms: number;
  /** Half-open: the first day (or instant) read, and the first one not read. */
  readonly window_from: string | null;
  readonly window_to: string | null;
  readonly rows_read: number;
  readonly rows_inserted: number;
  readonly rows_updated: number;
  readonly rows_unchanged: number;
  readonly rows_deleted: number;
  readonly rows_rejected: number;
  readonly api_calls: number;
  readonly retries: number;
  readonly throttled_ms: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly error: ErrorSummary | null;
}

export interface Ledger {
  readonly runId: string;
  /** Writes an agent's result, and its error when it has one. */
  writeResult(result: Omit<AgentResult, 'error'>, error?: unknown): Promise<AgentResult>;
  /** Writes an error or a warning on its own. */
  writeError(
    where: { readonly agent: string; readonly accountId: string | null },
    error: unknown,
  ): Promise<ErrorSummary>;
  /** Writes the run's end; gives its times as the ledger has them. */
  finish(
    status: Exclude<RunStatus, 'running'>,
    totals: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly startedAt: string; readonly finishedAt: string }>;
}

/** Begins a run in the ledger. */
export async function startRun(session: Session, kind: RunKind, redactor: Redactor): Promise<Ledger> {
  const { id: runId } = await session.db
    .insertInto('ops.runs')
    .values({ kind, status: 'running' })
    .returning('id')
    .executeTakeFirstOrThrow();

  async function writeError(
    where: { readonly agent: string; readonly accountId: string | null },
    thrown: unknown,
  ): Promise<ErrorSummary> {
    const error = toPipelineError(thrown);
    const message = cleanText(redactor.text(error.message));
    const advice = error.advice === undefined ? null : cleanText(redactor.text(error.advice));
    await session.db
      .insertInto('ops.errors')
      .values({
        run_id: runId,
        agent: where.agent,
        account_id: where.accountId,
        error_type: error.type,
        severity: error.severity,
        message,
        advice,
        retryable: error.retryable,
        context: encodeJson(redactor.value(error.context)),
        stack: cleanText(redactor.text(describeChain(error))),
        fingerprint: fingerprint(where.agent, error.type, message),
      })
      .execute();
    return { error_type: error.type, severity: error.severity, message, advice };
  }

  return {
    runId,
    writeError,
    async writeResult(unsafe, thrown) {
      const result = { ...unsafe, metadata: redactor.value(unsafe.metadata) };
      await session.db
        .insertInto('ops.agent_results')
        .values({ ...result, run_id: runId, metadata: encodeJson(result.metadata) })
        .execute();
      const error =
        thrown === undefined
          ? null
          : await writeError({ agent: result.agent, accountId: result.account_id }, thrown);
      return { ...result, error };
    },
    async finish(status, totals) {
      const { rows } = await sql<{ startedAt: string; finishedAt: string }>`
        update ops.runs set status = ${status}, finished_at = now(), totals = ${JSON.stringify(totals)}::jsonb
        where id = ${runId} returning started_at as "startedAt", finished_at as "finishedAt"`.execute(
        session.db,
      );
      const [times] = rows;
      if (times === undefined)
        throw new PipelineError({ type: 'internal', message: `The run ${runId} is gone from the ledger` });
      return times;
    },
  };
}

/** The error's stack and those of its causes. */
function describeChain(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${own}\ncaused by ${describeChain(error.cause)}` : own;
}

/** The same trouble has the same fingerprint: numbers, ids and times in the message don't count. */
export function fingerprint(agent: string, type: ErrorType, message: string): string {
  const shape = message.replaceAll(/[0-9a-f]{8,}|\d+/gi, '#');
  return createHash('sha256').update(`${agent}\n${type}\n${shape}`).digest('hex').slice(0, 16);
}

/** The process's exit code for a failure that ended it: 2 for usage and configuration, else 1. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof ConfigError ? 2 : 1;
}
