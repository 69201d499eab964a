/**
 * What an answer of Meta means for us, as an error of the pipeline in plain words. The table of codes is in `codes.ts`.
 * https://developers.facebook.com/docs/graph-api/guides/error-handling
 */
import { z } from 'zod';

import { type ErrorDetails, PipelineError, ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import { type Action, type Meaning, meaningOf } from './codes.ts';
import { throttleWaitMs } from './usage.ts';

/** One page holds too much: a smaller `limit` may do, and if not, fewer days. */
export class PageTooLargeError extends WindowTooLargeError {}

/** The synchronous call took too long: an asynchronous report may do, and if not, fewer days. */
export class CallTimedOutError extends WindowTooLargeError {}

/** The limit of the whole app: every account that uses it has to wait. */
export class AppThrottledError extends ThrottledError {}

/** Meta's report failed by itself. Worth the usual retries, and after them fewer days. */
export class ReportFailedError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'upstream', retryable: true });
  }
}

/** The report is complete and its results can't be had yet: worth the usual retries, and more patience than they have. */
export class NotReadyError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'upstream', retryable: true });
  }
}

/** What was asked for does not exist, may not be seen, or (a report, just after it was started) is not there yet. */
export class InvisibleError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'permission' });
  }
}

/** A failure that Meta calls transient is retried, whatever its code, unless the code asks for something gentler. */
const KEEPS_WHEN_TRANSIENT: ReadonlySet<Action> = new Set<Action>([
  'not_ready',
  'throttle',
  'app_throttle',
  'page',
  'timeout',
  'split',
  'retry_then_split',
]);

const errorSchema = z.object({
  message: z.string().catch(''),
  code: z.number().catch(0),
  error_subcode: z.number().optional().catch(undefined),
  is_transient: z.boolean().optional().catch(undefined),
  error_user_title: z.string().optional().catch(undefined),
  error_user_msg: z.string().optional().catch(undefined),
  fbtrace_id: z.string().optional().catch(undefined),
});
const envelopeSchema = z.object({ error: errorSchema });
type ErrorBody = z.infer<typeof errorSchema>;

const ADVICE: Readonly<Record<Action, string>> = {
  retry: 'Nothing to do: the next run tries again. If it lasts, look at https://metastatus.com.',
  not_ready: 'Nothing to do: it is asked for again a little later.',
  throttle:
    'Nothing to do: the run waits as Meta asks. If it happens daily, ask Meta for Full Access to the Marketing API.',
  app_throttle:
    "Nothing to do: every account waits, as the limit is the whole app's. If it happens daily, ask Meta for Full Access to the Marketing API, or give the pipeline an app of its own.",
  page: 'Nothing to do: fewer rows and then fewer days are asked for.',
  timeout: 'Nothing to do: an asynchronous report is asked for instead.',
  split: 'Nothing to do: less is asked for at a time.',
  retry_then_split: 'Nothing to do: it is tried again, then with fewer days.',
  auth: 'Make a new token for the system user (Business settings, System users, permission ads_read) and put it into META_ACCESS_TOKEN.',
  invisible:
    "Check the number in META_AD_ACCOUNT_IDS, and give the token's system user access to that ad account.",
  permission:
    "Give the token's system user access to the ad account and the app ads_read, or take the account out of META_AD_ACCOUNT_IDS.",
  policy:
    'Look at the Account Quality page of the business and settle the block there; calling on does not help.',
  config: 'Correct what the message names (META_* variables, or the days of the backfill).',
};

/** What a reply means, or undefined when it is no error. `accountId` finds its line in the throttle headers. */
export function classifyReply(reply: HttpReply, accountId: string): PipelineError | undefined {
  const envelope = envelopeSchema.safeParse(reply.json);
  if (envelope.success) return explain(envelope.data.error, reply, accountId);
  if (reply.json !== undefined && reply.status < 300) return undefined;
  if (reply.status === 429)
    return new ThrottledError({
      message: 'Meta: calls come too fast (HTTP 429)',
      advice: ADVICE.throttle,
      waitMs: throttleWaitMs(reply.headers, accountId),
    });
  const isOurs = reply.status >= 400 && reply.status < 500;
  return new PipelineError({
    type: 'upstream',
    message: `Meta answered HTTP ${reply.status} with ${reply.json === undefined ? 'no JSON' : 'an unknown body'}`,
    advice: isOurs ? 'Check META_BASE_URL and what stands between here and Meta (a proxy?).' : ADVICE.retry,
    retryable: !isOurs,
    context: { http_status: reply.status, url: reply.url },
  });
}

/** What a report says of its failure (from v25.0 on), as an error of ours. */
export function classifyFailedReport(
  failure: { readonly code: number; readonly subcode?: number | undefined; readonly message: string },
  reply: HttpReply,
  accountId: string,
): PipelineError {
  const { code, subcode, message } = failure;
  return explain(errorSchema.parse({ code, error_subcode: subcode, message }), reply, accountId);
}

function explain(error: ErrorBody, reply: HttpReply, accountId: string): PipelineError {
  const known = meaningOf(error);
  const meaning: Meaning | undefined =
    error.is_transient === true && !(known && KEEPS_WHEN_TRANSIENT.has(known.action))
      ? { action: 'retry', reason: known?.reason ?? 'Meta had an error that passes' }
      : known;
  const label = error.error_subcode === undefined ? `${error.code}` : `${error.code}/${error.error_subcode}`;
  const details = {
    message: `Meta: ${describe(error, meaning)} (${label})`,
    advice: adviceFor(meaning, label, error.fbtrace_id),
    context: {
      code: error.code,
      subcode: error.error_subcode,
      fbtrace_id: error.fbtrace_id,
      http_status: reply.status,
      vendor_message: error.message,
      vendor_title: error.error_user_title,
      vendor_detail: error.error_user_msg,
      url: reply.url,
    },
  };
  switch (meaning?.action) {
    case 'throttle':
      return new ThrottledError({ ...details, waitMs: throttleWaitMs(reply.headers, accountId) });
    case 'app_throttle':
      return new AppThrottledError({ ...details, waitMs: throttleWaitMs(reply.headers, accountId) });
    case 'page':
      return new PageTooLargeError(details);
    case 'timeout':
      return new CallTimedOutError(details);
    case 'split':
      return new WindowTooLargeError(details);
    case 'retry_then_split':
      return new ReportFailedError(details);
    case 'not_ready':
      return new NotReadyError(details);
    case 'invisible':
      return new InvisibleError(details);
    case 'retry':
      return new PipelineError({ ...details, type: 'upstream', retryable: true });
    case 'policy':
      return new PipelineError({ ...details, type: 'permission' });
    case 'auth':
    case 'permission':
    case 'config':
      return new PipelineError({ ...details, type: meaning.action });
    case undefined:
      return new PipelineError({ ...details, type: 'upstream', retryable: reply.status >= 500 });
  }
}

/** What to do. The trace id is what Meta's support asks for; in the message it would make each failure look new. */
function adviceFor(meaning: Meaning | undefined, label: string, trace: string | undefined): string {
  const advice = meaning ? ADVICE[meaning.action] : `Look the code ${label} up in Meta's error reference.`;
  return trace === undefined ? advice : `${advice} For Meta's support: fbtrace_id ${trace}.`;
}

/** Our words, and where they stay general also Meta's. */
function describe(error: ErrorBody, meaning: Meaning | undefined): string {
  if (meaning === undefined) return error.message || 'an error without a message';
  const detail = error.error_user_msg ?? error.message;
  return meaning.action === 'config' && detail !== '' ? `${meaning.reason}: ${detail}` : meaning.reason;
}
