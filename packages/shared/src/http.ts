/**
 * The one place that talks HTTP and the only one that retries. It asks a connector's `classify` what an answer means,
 * retries what is retryable up to 3 times with exponential backoff and jitter, keeps a vendor's throttle waits (which
 * are no retries) within the account's waiting budget, and counts calls, retries and waits.
 */
import { setTimeout as delay } from 'node:timers/promises';

import pRetry from 'p-retry';

import { AccountPausedError, PipelineError, ThrottledError, toPipelineError } from './errors.ts';

/** An answer, its body read whole. */
export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON, or undefined when it is none. */
  readonly json: unknown;
  /** Without its query string: that may carry a credential. */
  readonly url: string;
}

export interface HttpRequest {
  readonly url: string | URL;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether the call may be made twice without harm. Others are made once. */
  readonly safeToRepeat: boolean;
  /** Undefined when the answer is good, else what it means in the vendor's own codes. */
  readonly classify: (reply: HttpReply) => PipelineError | undefined;
  /** The whole call, body included; 60 s unless told. */
  readonly timeoutMs?: number;
  /** The answer as bytes instead of text (then `text` is '' and `json` undefined). */
  readonly binary?: boolean;
  /**
   * Takes the body of a good answer as it comes, instead of it being kept (then `text` is '' and `json` undefined); for
   * what may be larger than memory. Called anew for every try; a PipelineError that it throws is the call's.
   */
  readonly sink?: (body: AsyncIterable<Uint8Array>) => Promise<void>;
}

export interface HttpClient {
  /** Throws PipelineError; AccountPausedError once the account has waited its budget. */
  request(request: HttpRequest): Promise<HttpReply & { readonly bytes: Uint8Array }>;
  /** Waits before a call that would come too soon (pacing); counted and bounded like a throttle wait. */
  wait(waitMs: number, why: string): Promise<void>;
  readonly counts: Readonly<HttpCounts>;
}

export interface HttpCounts {
  apiCalls: number;
  retries: number;
  throttledMs: number;
}

export interface HttpOptions {
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** First retry's pause; doubles, with jitter. */
  readonly retryBaseMs: number;
  /** How long an account may wait for its vendor in one run before it is paused. */
  readonly waitBudgetMs: number;
  /** How many times a call is tried again; 3 unless told. */
  readonly retries?: number;
}

/** The first pause when a vendor throttles without saying how long. */
const DEFAULT_THROTTLE_WAIT_MS = 2_000;
const MAX_THROTTLE_WAIT_MS = 60_000;
const DEFAULT_TIMEOUT_MS = 60_000;
const RETRIES = 3;
/** A vendor is asked again after this, whatever it told: a slip of its clock or units must not silence an account for years. */
export const LONGEST_WAIT_MS = 24 * 3_600_000;

/** A client for one account in one run. */
export function createHttpClient(options: HttpOptions): HttpClient {
  const counts: HttpCounts = { apiCalls: 0, retries: 0, throttledMs: 0 };

  /** @param whose what the wait is called when it is too long */
  async function wait(askedMs: number, why: string, whose = 'the next call may come in'): Promise<void> {
    // What is no number asks for nothing.
    const waitMs = askedMs > 0 ? Math.min(askedMs, LONGEST_WAIT_MS) : 0;
    if (counts.throttledMs + waitMs > options.waitBudgetMs)
      throw new AccountPausedError({
        message: `${why}; ${whose} ${askedMs > LONGEST_WAIT_MS ? 'more than a day' : formatSeconds(waitMs)}, over this run's budget of ${formatSeconds(options.waitBudgetMs)}`,
        advice:
          'Nothing to do: the account goes on in a later run. If it happens daily, ask the vendor for a higher tier.',
        until: new Date(options.now() + waitMs).toISOString(),
        context: { wait_ms: waitMs, waited_ms: counts.throttledMs },
      });
    counts.throttledMs += waitMs;
    try {
      await delay(waitMs, undefined, { signal: options.signal });
    } catch (error) {
      throw options.signal.aborted ? options.signal.reason : error;
    }
  }

  /** Calls until the vendor stops throttling. */
  async function callWithinLimits(request: HttpRequest): Promise<HttpReply & { bytes: Uint8Array }> {
    for (let throttles = 0; ; throttles++) {
      const reply = await call(request);
      const error = request.classify(reply);
      if (error === undefined) return reply;
      if (!(error instanceof ThrottledError) || !request.safeToRepeat) throw error;
      // A vendor that goes on refusing has told too little, if only 0 s: our own pause grows until it is the longer one.
      const told = Number.isNaN(error.waitMs) ? undefined : error.waitMs;
      const firstPause = told === undefined ? DEFAULT_THROTTLE_WAIT_MS : Math.max(1, options.retryBaseMs);
      const ownPause = Math.min(firstPause * 2 ** throttles, MAX_THROTTLE_WAIT_MS);
      const isOwn = told === undefined || told < ownPause;
      const jitterMs = Math.random() * 250;
      await wait(
        Math.ceil((isOwn ? ownPause : told) + jitterMs),
        error.message,
        isOwn ? 'our own next pause is' : 'the vendor asks for a wait of',
      );
    }
  }

  async function call(request: HttpRequest): Promise<HttpReply & { bytes: Uint8Array }> {
    const url = new URL(request.url);
    counts.apiCalls++;
    try {
      const response = await fetch(url, {
        method: request.method ?? 'GET',
        headers: { 'user-agent': 'Floyo-Pipeline/1.0', ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
        redirect: 'error',
        signal: AbortSignal.any([
          options.signal,
          AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS),
        ]),
      });
      const stream = response.ok && request.sink !== undefined ? response.body : null;
      if (stream !== null) await request.sink?.(stream);
      const bytes = stream === null ? new Uint8Array(await response.arrayBuffer()) : new Uint8Array();
      const text = request.binary === true ? '' : new TextDecoder().decode(bytes);
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: request.binary === true ? undefined : parseJson(text),
        url: `${url.origin}${url.pathname}`,
        bytes,
      };
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      if (error instanceof PipelineError) throw error;
      throw networkError(url, error);
    }
  }

  return {
    counts,
    wait,
    request: (request) =>
      pRetry(() => callWithinLimits(request), {
        retries: request.safeToRepeat ? (options.retries ?? RETRIES) : 0,
        factor: 2,
        minTimeout: options.retryBaseMs,
        maxTimeout: options.retryBaseMs * 16,
        randomize: true,
        signal: options.signal,
        shouldRetry: ({ error }) =>
          !(error instanceof AccountPausedError) &&
          !(error instanceof ThrottledError) &&
          toPipelineError(error).retryable,
        onFailedAttempt: ({ error, retriesLeft }) => {
          if (
            retriesLeft > 0 &&
            error instanceof PipelineError &&
            error.retryable &&
            !(error instanceof AccountPausedError)
          )
            counts.retries++;
        },
      }),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function networkError(url: URL, error: unknown): PipelineError {
  const timedOut = error instanceof Error && error.name === 'TimeoutError';
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // A host with several addresses fails with an error of errors that has a code and no text.
  const why =
    cause instanceof Error
      ? cause.message || ('code' in cause ? String(cause.code) : cause.name)
      : String(cause);
  return new PipelineError({
    type: 'upstream',
    message: timedOut ? `${url.host} did not answer in time` : `${url.host} can't be reached: ${why}`,
    advice: `Check the network and ${url.host}'s status page; the next run tries again.`,
    retryable: true,
    context: { url: `${url.origin}${url.pathname}` },
    cause: error,
  });
}

function formatSeconds(ms: number): string {
  return ms < 120_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}
