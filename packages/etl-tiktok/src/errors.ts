/**
 * What TikTok's return codes mean for us. HTTP is 200 for almost all of them: `code` decides.
 * https://business-api.tiktok.com/portal/docs?id=1737172488964097
 */
import { z } from 'zod';

import {
  AccountPausedError,
  type ErrorDetails,
  PipelineError,
  ThrottledError,
  WindowTooLargeError,
} from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

/** The synchronous report holds the newest 20,000 ads only. `rows` is how many it has of them in the window. */
export class CutOffError extends PipelineError {
  readonly rows: number;
  constructor(details: Omit<ErrorDetails, 'type'> & { readonly rows: number }) {
    super({ ...details, type: 'truncated' });
    this.rows = details.rows;
  }
}

/** Rows moved between pages while they were read: some came twice or were missed, so all have to be read again. */
export class MovedPagesError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'upstream', retryable: true });
  }
}

/** A report task came to nothing; a new one may succeed. */
export class FailedTaskError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'upstream' });
  }
}

type Action = 'throttle' | 'split' | 'retry' | 'partial' | 'auth' | 'permission' | 'gone' | 'config' | 'task';

interface Meaning {
  readonly action: Action;
  readonly reason?: string;
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  20001: { action: 'partial', reason: 'the answer holds only a part of what was asked for' },
  40000: { action: 'config' },
  40001: { action: 'permission', reason: 'the token has no permission for this advertiser' },
  40002: { action: 'config', reason: 'TikTok refuses a parameter' },
  40006: { action: 'config' },
  40007: { action: 'config' },
  40008: { action: 'config' },
  40009: { action: 'config' },
  40010: { action: 'config' },
  40011: { action: 'split', reason: 'the request names too many ids' },
  40013: { action: 'config' },
  40014: { action: 'config' },
  40016: { action: 'throttle' },
  40051: { action: 'config' },
  40067: { action: 'split', reason: 'the report is too large for one request' },
  40100: { action: 'throttle', reason: "the app's limit of calls is reached" },
  40101: { action: 'auth' },
  40102: { action: 'auth' },
  40104: { action: 'auth', reason: 'TikTok got no access token' },
  40105: { action: 'auth', reason: 'the access token is wrong or was revoked' },
  40106: { action: 'auth' },
  40110: { action: 'auth' },
  40113: { action: 'auth' },
  40115: { action: 'auth' },
  40118: { action: 'permission', reason: 'the app is not on the allow list of this call' },
  40119: { action: 'permission' },
  40125: { action: 'permission' },
  40132: { action: 'throttle' },
  40133: { action: 'throttle', reason: "the advertiser's limit of calls is reached" },
  40200: { action: 'task' },
  40201: { action: 'retry' },
  40202: { action: 'retry' },
  40300: { action: 'gone', reason: 'the advertiser does not exist' },
  40301: { action: 'gone', reason: 'the advertiser was deleted' },
  40700: { action: 'retry' },
  41000: { action: 'permission' },
  41001: { action: 'config' },
  41002: { action: 'config' },
  60001: { action: 'retry', reason: 'TikTok is under maintenance' },
};
/** All of 50000 to 59999 are failures of TikTok's own. */
const SYSTEM_ERROR: Meaning = { action: 'retry' };

const GENERAL: Readonly<Record<Action, { readonly reason: string; readonly advice: string }>> = {
  throttle: {
    reason: 'calls come faster than TikTok allows',
    advice:
      'Nothing to do: the run waits. If it happens daily, ask TikTok for a higher rate tier of the app.',
  },
  split: { reason: 'the request is too large', advice: 'Nothing to do: fewer days are asked for.' },
  retry: {
    reason: 'TikTok had an error that passes',
    advice: "Nothing to do: the next run tries again. If it lasts, look at TikTok's status page.",
  },
  partial: {
    reason: 'the answer is not complete',
    advice:
      'Nothing of it was loaded; the next run tries again. If it lasts, ask TikTok with the request_id.',
  },
  auth: {
    reason: 'the access token does not work',
    advice: 'Authorize the app again for the advertisers and put the new token into TIKTOK_ACCESS_TOKEN.',
  },
  permission: {
    reason: 'the advertiser may not be read',
    advice: 'Have the advertiser grant the app the reporting scope, or take it out of TIKTOK_ADVERTISER_IDS.',
  },
  gone: {
    reason: 'the advertiser is gone',
    advice: 'Take it out of TIKTOK_ADVERTISER_IDS: its rows stay, and its days no longer count as missing.',
  },
  config: {
    reason: 'TikTok refuses the request',
    advice: 'Check TIKTOK_CONVERSION_METRIC and TIKTOK_VALUE_METRIC, and the days of the backfill.',
  },
  task: {
    reason: 'a report task failed',
    advice: 'The next run creates it again. If it lasts, ask TikTok with the request_id.',
  },
};

const SECOND_MS = 1000;
const QPM_WAIT_MS = 300_000;
const DAY_MS = 86_400_000;

const envelopeSchema = z.object({
  code: z.number(),
  message: z.string().catch(''),
  request_id: z.string().optional().catch(undefined),
});

/** What a reply means, or undefined when it is good. `nowMs` (epoch) is for limits that last until midnight UTC. */
export function classifyReply(reply: HttpReply, nowMs: number): PipelineError | undefined {
  const envelope = envelopeSchema.safeParse(reply.json);
  if (!envelope.success) return unknownAnswer(reply);
  const { code, message } = envelope.data;
  const context = { code, vendor_message: message, ...requestContext(reply) };
  if (code === 0) return reply.status < 300 ? undefined : unknownAnswer(reply);

  const meaning = lookUp(code);
  if (meaning === undefined)
    return new PipelineError({
      type: 'upstream',
      message: `TikTok: ${message || 'an error without a message'} (${code})`,
      advice: `Look the code ${code} up in TikTok's return codes; TikTok's support asks for the request_id.`,
      context,
    });
  const { action } = meaning;
  const general = GENERAL[action];
  const reason = meaning.reason ?? general.reason;
  const detail = (action === 'config' || action === 'task') && message !== '' ? `: ${message}` : '';
  const details = { message: `TikTok: ${reason}${detail} (${code})`, advice: general.advice, context };
  switch (action) {
    case 'throttle':
      return throttled(details, message, nowMs);
    case 'split':
      return new WindowTooLargeError(details);
    case 'retry':
      return new PipelineError({ ...details, type: 'upstream', retryable: true });
    case 'partial':
      return new PipelineError({ ...details, type: 'truncated', retryable: true });
    case 'task':
      return new FailedTaskError(details);
    case 'gone':
      return new PipelineError({ ...details, type: 'permission' });
    case 'auth':
    case 'permission':
    case 'config':
      return new PipelineError({ ...details, type: action });
  }
}

/** The code of an answer, undefined without an envelope. */
export function codeOf(reply: HttpReply): number | undefined {
  return envelopeSchema.safeParse(reply.json).data?.code;
}

/** What TikTok's support asks for: the request's ids. */
export function requestContext(reply: HttpReply): Record<string, unknown> {
  const requestId = envelopeSchema.safeParse(reply.json).data?.request_id;
  return {
    request_id: requestId,
    logid: reply.headers.get('x-tt-logid') ?? undefined,
    http_status: reply.status,
    url: reply.url,
  };
}

function lookUp(code: number): Meaning | undefined {
  return MEANINGS[code] ?? (code >= 50_000 && code <= 59_999 ? SYSTEM_ERROR : undefined);
}

/** Whether the limit that this code tells of is the app's, so that no advertiser may be called. */
export function isLimitOfApp(code: unknown): boolean {
  return code === 40100 || code === 40016;
}

/**
 * Which limit was hit is told in the text alone: per second, per minute (locks out for 5 minutes) or per day (until
 * midnight UTC). When it says none, the HTTP client waits ever longer by itself.
 */
function throttled(
  details: { readonly message: string; readonly advice: string; readonly context: Record<string, unknown> },
  message: string,
  nowMs: number,
): PipelineError {
  if (/\bqpd\b|per day|daily/i.test(message))
    return new AccountPausedError({
      ...details,
      advice:
        'Nothing to do: the first run after midnight UTC goes on. If it happens daily, ask for a higher tier.',
      until: new Date(nowMs + DAY_MS - (nowMs % DAY_MS)).toISOString(),
    });
  if (/\bqpm\b|per minute/i.test(message)) return new ThrottledError({ ...details, waitMs: QPM_WAIT_MS });
  const waitMs = /\bqps\b|per second/i.test(message) ? SECOND_MS : undefined;
  return new ThrottledError({ ...details, waitMs });
}

function unknownAnswer(reply: HttpReply): PipelineError {
  const context = requestContext(reply);
  if (reply.status === 429)
    return new ThrottledError({
      message: 'TikTok: calls come too fast (HTTP 429)',
      advice: GENERAL.throttle.advice,
      context,
    });
  const isOurs = reply.status >= 400 && reply.status < 500;
  return new PipelineError({
    type: 'upstream',
    message: `TikTok answered HTTP ${reply.status} with ${reply.json === undefined ? 'no JSON' : 'an unknown body'}`,
    advice: isOurs
      ? 'Check TIKTOK_BASE_URL and what stands between here and TikTok (a proxy?).'
      : GENERAL.retry.advice,
    retryable: !isOurs,
    context,
  });
}
