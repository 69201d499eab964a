/**
 * The pipeline's own telemetry: what the ledger is told about a run goes to PostHog too, at the run's end. The one file
 * that knows posthog-node. Without a key it does nothing at all; what can't be sent is counted and never fails a run.
 */
import type { PostHog } from 'posthog-node';
import { z } from 'zod';

import type { AgentResult, Ledger, RunKind, RunStatus } from './ledger.ts';
import type { Redactor } from './redact.ts';
import type { TelemetryConfig } from './telemetry-config.ts';
import {
  agentEvent,
  exceptionEvent,
  PIPELINE_ID,
  runEvent,
  type TelemetryEvent,
} from './telemetry-events.ts';
import { post } from './telemetry-post.ts';

export interface Telemetry {
  /** The same ledger; what it is told is kept to be sent. */
  watch(ledger: Ledger, kind: RunKind): Ledger;
  /**
   * Sends what was kept, within the time limit. Never throws.
   * @param status how the run ended, for a ledger that could no longer be told.
   * @returns what to warn of when not everything arrived.
   */
  end(status: RunStatus): Promise<string | undefined>;
}

export interface TelemetryOptions {
  readonly redactor: Redactor;
  /** The time as an ISO instant. */
  readonly now: () => string;
  /** How long sending may hold up the end of a run, in milliseconds. */
  readonly limitMs?: number;
}

/** A run's end waits so long for a PostHog that hangs. */
const LIMIT_MS = 5_000;
/** Above this many kept events the rest is only counted: a run of thousands of errors has said enough. */
const MAX_KEPT = 2_000;

/** @param config undefined: nothing is kept, nothing is sent, the library isn't even loaded. */
export function createTelemetry(config: TelemetryConfig | undefined, options: TelemetryOptions): Telemetry {
  if (config === undefined) return { watch: (ledger) => ledger, end: () => Promise.resolve(undefined) };
  const events: TelemetryEvent[] = [];
  let left = 0;
  let finish: ((status: RunStatus) => void) | undefined;
  const keep = (event: TelemetryEvent | undefined) => {
    if (event === undefined) return;
    if (events.length < MAX_KEPT) events.push(event);
    else left++;
  };
  return {
    watch(ledger, kind) {
      const watched = watchLedger(ledger, kind, options, keep);
      finish = watched.finish;
      return watched.ledger;
    },
    async end(status) {
      finish?.(status);
      if (events.length === 0) return undefined;
      const { sent, problem } = await deliver(config, options, events);
      const missing = events.length + left - sent;
      if (missing === 0) return undefined;
      return `${missing} of ${events.length + left} events about this run did not reach PostHog${problem === undefined ? '' : ` (${options.redactor.text(problem)})`}; the run itself is not affected.`;
    },
  };
}

function watchLedger(
  ledger: Ledger,
  kind: RunKind,
  { redactor, now }: TelemetryOptions,
  keep: (event: TelemetryEvent | undefined) => void,
): { readonly ledger: Ledger; readonly finish: (status: RunStatus) => void } {
  const { runId } = ledger;
  const startedAt = now();
  const results: AgentResult[] = [];
  const seen = new Map<string, number>();
  let told = false;
  const nth = (print: string) => {
    const before = seen.get(print) ?? 0;
    seen.set(print, before + 1);
    return before;
  };
  const keepError = (agent: string, accountId: string | null, thrown: unknown) =>
    keep(exceptionEvent(thrown, { runId, agent, accountId, at: now(), redactor, nth }));
  const keepEnd = (
    status: RunStatus,
    totals: Readonly<Record<string, unknown>>,
    times: { readonly startedAt: string; readonly finishedAt: string },
  ) => {
    if (told) return;
    told = true;
    keep(runEvent({ runId, kind, status, totals, results, ...times }));
  };
  return {
    ledger: {
      runId,
      async writeResult(unsafe, thrown) {
        const result = await ledger.writeResult(unsafe, thrown);
        results.push(result);
        keep(agentEvent(runId, result));
        if (thrown !== undefined) keepError(result.agent, result.account_id, thrown);
        return result;
      },
      writeError(where, thrown) {
        // First, since a database that is gone is the error that most needs telling.
        keepError(where.agent, where.accountId, thrown);
        return ledger.writeError(where, thrown);
      },
      async finish(status, totals) {
        const times = await ledger.finish(status, totals);
        keepEnd(status, totals, times);
        return times;
      },
    },
    finish: (status) => keepEnd(status, {}, { startedAt, finishedAt: now() }),
  };
}

/** With as many the library sends by itself, out of sight; so we flush after one less. */
const FLUSH_AT = 50;

/** Sends in order, in batches; the first batch that fails is the last. */
async function deliver(
  config: TelemetryConfig,
  { redactor, limitMs = LIMIT_MS }: TelemetryOptions,
  events: readonly TelemetryEvent[],
): Promise<{ readonly sent: number; readonly problem?: string }> {
  const tooLong = new AbortController();
  const timer = setTimeout(() => tooLong.abort(new Error(`no answer within ${limitMs} ms`)), limitMs);
  let sent = 0;
  try {
    const client = await openClient(config, redactor, events, tooLong.signal);
    for (let first = 0; first < events.length; first += FLUSH_AT - 1) {
      const batch = events.slice(first, first + FLUSH_AT - 1);
      for (const event of batch) capture(client, event);
      // Not shutdown(): that one resolves when delivery failed, and writes its own complaint to the console.
      await orAborted(client.flush(), tooLong.signal);
      sent += batch.length;
    }
    await client.shutdown(limitMs);
    return { sent };
  } catch (error) {
    return { sent, problem: explain(error) };
  } finally {
    clearTimeout(timer);
    // What still hangs would keep the process alive.
    tooLong.abort();
  }
}

async function openClient(
  config: TelemetryConfig,
  redactor: Redactor,
  events: readonly TelemetryEvent[],
  signal: AbortSignal,
): Promise<PostHog> {
  const { PostHog: Client } = await import('posthog-node');
  const times = new Map(events.map(({ uuid, timestamp }) => [uuid, new Date(timestamp)]));
  return new Client(config.projectKey, {
    host: config.host,
    flushAt: FLUSH_AT,
    flushInterval: 0,
    fetchRetryCount: 1,
    fetchRetryDelay: 500,
    requestTimeout: 5_000,
    fetch: (url, { headers, body, signal: own }) =>
      post(url, { headers, body, signal: own ? AbortSignal.any([own, signal]) : signal }),
    // Everything passes here on its way out, what the library adds to an exception too. It gives exceptions no time.
    before_send: (message) => ({
      ...message,
      properties: withoutSource(redactor.value(message.properties ?? {})),
      timestamp: times.get(message.uuid ?? '') ?? new Date(),
    }),
  });
}

const propertiesSchema = z.record(z.string(), z.unknown());
/** The library reads the lines around each frame from the source files. File and line say as much; the source stays here. */
const SOURCE_KEYS = new Set(['pre_context', 'context_line', 'post_context']);

function withoutSource(properties: object): Record<string, unknown> {
  const text = JSON.stringify(properties, (key, value: unknown) =>
    SOURCE_KEYS.has(key) ? undefined : value,
  );
  return propertiesSchema.parse(JSON.parse(text));
}

function capture(client: PostHog, { event, uuid, timestamp, properties, exception }: TelemetryEvent): void {
  const all = { ...properties, $process_person_profile: false };
  if (exception !== undefined) client.captureException(exception, PIPELINE_ID, all, uuid);
  else
    client.capture({
      distinctId: PIPELINE_ID,
      event,
      uuid,
      timestamp: new Date(timestamp),
      properties: all,
    });
}

/** The library's own retries do not know our limit. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject);
  });
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The library wraps what happened: fetch's "fetch failed" wraps it again.
  const inner = error.cause ?? ('error' in error ? error.error : undefined);
  if ('status' in error && typeof error.status === 'number') return `HTTP ${error.status}`;
  return inner instanceof Error ? explain(inner) : error.message;
}
