/**
 * What PostHog is told of a run: one event a run, one an agent's result, one exception an error. Pure: owns names,
 * properties and ids. The ids follow from what an event is about, so that an event sent twice is the same event.
 */
import { createHash } from 'node:crypto';

import { cleanText } from './copy-text.ts';
import { type PipelineError, type Severity, toPipelineError } from './errors.ts';
import { type AgentResult, fingerprint, type RunStatus } from './ledger.ts';
import type { Redactor } from './redact.ts';

/** Who the events are of: the pipeline, no user. */
export const PIPELINE_ID = 'floyo-pipeline';

/** One thing to send; with `exception` it goes to error tracking. */
export interface TelemetryEvent {
  readonly event: 'pipeline_run_finished' | 'pipeline_agent_finished' | '$exception';
  readonly uuid: string;
  /** An ISO instant, of the ledger where the ledger has one. PostHog counts the same uuid of another day twice. */
  readonly timestamp: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly exception?: Error;
}

/** The end of a run. `totals` are those of the ledger. */
export function runEvent(run: {
  readonly runId: string;
  readonly kind: string;
  readonly status: RunStatus;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly totals: Readonly<Record<string, unknown>>;
  readonly results: readonly AgentResult[];
}): TelemetryEvent {
  return {
    event: 'pipeline_run_finished',
    uuid: stableUuid(['run', run.runId]),
    timestamp: run.finishedAt,
    properties: {
      run_id: run.runId,
      kind: run.kind,
      status: run.status,
      started_at: run.startedAt,
      finished_at: run.finishedAt,
      duration_ms: Math.max(0, Date.parse(run.finishedAt) - Date.parse(run.startedAt)),
      agents: run.results.length,
      agents_failed: run.results.filter(({ status }) => status === 'failed').length,
      ...run.totals,
    },
  };
}

/** What an agent did with an account: the ledger's row without its metadata. */
export function agentEvent(runId: string, result: AgentResult): TelemetryEvent {
  const { error, ...facts } = result;
  return {
    event: 'pipeline_agent_finished',
    uuid: stableUuid(['agent', runId, result.agent, result.account_id, result.stream]),
    timestamp: result.finished_at,
    properties: {
      run_id: runId,
      ...facts,
      // Of any shape, and nothing to count by.
      metadata: undefined,
      error_type: error?.error_type ?? null,
      severity: error?.severity ?? null,
    },
  };
}

/** How PostHog calls the severities; P3 is for information and no exception. */
const LEVELS: Readonly<Record<Severity, string | undefined>> = {
  P0: 'fatal',
  P1: 'error',
  P2: 'warning',
  P3: undefined,
};

/**
 * An error of the ledger as an exception, or nothing when it is none.
 * @param about.nth how many errors with this fingerprint the run had before, which keeps them apart.
 */
export function exceptionEvent(
  thrown: unknown,
  about: {
    readonly runId: string;
    readonly agent: string;
    readonly accountId: string | null;
    readonly at: string;
    readonly redactor: Redactor;
    readonly nth: (fingerprint: string) => number;
  },
): TelemetryEvent | undefined {
  const error: PipelineError = toPipelineError(thrown);
  const level = LEVELS[error.severity];
  if (level === undefined) return undefined;
  const { runId, agent, accountId } = about;
  const print = fingerprint(agent, error.type, cleanText(about.redactor.text(error.message)));
  return {
    event: '$exception',
    uuid: stableUuid(['exception', runId, agent, accountId, print, String(about.nth(print))]),
    timestamp: about.at,
    properties: {
      $exception_fingerprint: print,
      $exception_level: level,
      run_id: runId,
      agent,
      account_id: accountId,
      error_type: error.type,
      severity: error.severity,
      retryable: error.retryable,
      advice: error.advice ?? null,
    },
    exception: thrown instanceof Error ? thrown : error,
  };
}

/** Ours alone, drawn once: what the ids are made within. */
const NAMESPACE = Buffer.from('6d1f0b5e9f0c4a55b1c46a3f6e0f7a21', 'hex');

/** A UUID of version 5 (RFC 9562): the same parts give the same id. */
export function stableUuid(parts: readonly (string | null)[]): string {
  const bytes = createHash('sha1').update(NAMESPACE).update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
