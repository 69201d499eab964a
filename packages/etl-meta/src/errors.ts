/**
 * What Meta's error codes mean for us. Only code and subcode decide, never the HTTP status: throttles come as 400 and
 * 403, and errors also with 200. https://developers.facebook.com/docs/marketing-api/error-reference
 */
import { z } from 'zod';

import { type ErrorDetails, PipelineError, ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import { throttleWaitMs } from './throttle.ts';

/** One page holds too much: a smaller `limit` may do, and if not, fewer days. */
export class PageTooLargeError extends WindowTooLargeError {}

/** Meta's report failed by itself. Worth the usual retries, and after them fewer days. */
export class ReportFailedError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'upstream', retryable: true });
  }
}

type Action =
  'retry' | 'throttle' | 'page' | 'split' | 'retry_then_split' | 'auth' | 'permission' | 'policy' | 'config';

interface Meaning {
  readonly action: Action;
  readonly reason: string;
}

// Keys: `code/subcode`, `*/subcode` whatever the code, or the code alone; the first that fits counts.
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '1': { action: 'retry', reason: 'Meta had an unknown error' },
  '2': { action: 'retry', reason: "Meta's service is not available for a moment" },
  '2/1504043': { action: 'retry_then_split', reason: "Meta's report failed for a moment" },
  '2/1504044': { action: 'retry_then_split', reason: "Meta's report failed for an unknown reason" },
  '-2/2490547': { action: 'retry_then_split', reason: "Meta's report failed" },
  '2637': { action: 'retry', reason: "Meta's report is not ready yet" },
  '*/1815107': { action: 'retry', reason: "Meta's report is not ready yet" },
  '100/1487534': { action: 'split', reason: 'one call asks for more data than Meta gives' },
  '100/1504018': { action: 'split', reason: "Meta's report took too long" },
  '2/1504038': { action: 'split', reason: "Meta's report took too long" },
  '-3/1504045': { action: 'split', reason: 'the report is too large for Meta' },
  '4': { action: 'throttle', reason: "the app's limit of calls is reached" },
  '4/1504022': { action: 'throttle', reason: "the app's limit of insights calls is reached" },
  '4/1504039': { action: 'throttle', reason: 'Meta limits all insights calls for now' },
  '17': { action: 'throttle', reason: "the user's limit of calls is reached" },
  '32': { action: 'throttle', reason: "the page's limit of calls is reached" },
  '341': { action: 'throttle', reason: "the app's limit is reached for now" },
  '613': { action: 'throttle', reason: 'calls come faster than Meta allows' },
  '613/1996': { action: 'throttle', reason: 'the number of calls jumps about too much for Meta' },
  '102': { action: 'auth', reason: 'the session of the access token has ended' },
  '104': { action: 'auth', reason: 'Meta got no access token' },
  '190': { action: 'auth', reason: 'the access token is not valid' },
  '190/458': { action: 'auth', reason: 'the app was removed by the user of the access token' },
  '190/459': { action: 'auth', reason: 'the user of the access token has to log in at facebook.com first' },
  '190/460': { action: 'auth', reason: 'the user of the access token has changed the password' },
  '190/463': { action: 'auth', reason: 'the access token has expired' },
  '190/464': { action: 'auth', reason: 'the user of the access token is not confirmed' },
  '190/467': { action: 'auth', reason: 'the access token was ended by a logout or a changed password' },
  '3': { action: 'permission', reason: 'the app may not make this call' },
  '10': { action: 'permission', reason: 'the app does not have the permission ads_read' },
  '100/33': { action: 'permission', reason: 'the ad account does not exist or the token may not see it' },
  '100/3191001': { action: 'permission', reason: 'the token may not read this ad account' },
  '368': { action: 'policy', reason: 'Meta has blocked the action for breaking its policies' },
  '2/1504041': { action: 'config', reason: 'the breakdowns asked for do not fit together' },
  '2/1504042': { action: 'config', reason: 'a metric asked for is not valid' },
  '100': { action: 'config', reason: 'Meta refuses a parameter' },
  '105': { action: 'config', reason: 'too many parameters' },
  '2500': { action: 'config', reason: 'Meta does not understand the address or query' },
  '3001': { action: 'config', reason: 'Meta refuses the query' },
  '3018': {
    action: 'config',
    reason: 'the days asked for begin more than 37 months ago, which Meta does not keep',
  },
};

const ACCOUNT_LIMIT: Meaning = { action: 'throttle', reason: "the ad account's limit of calls is reached" };
const PERMISSION: Meaning = { action: 'permission', reason: 'the ad account has not granted the permission' };

/** Meta gives these no subcode of their own: its text is the only sign. */
const BY_TEXT: readonly (readonly [code: number, text: RegExp, meaning: Meaning])[] = [
  [
    1,
    /reduce the amount of data/i,
    { action: 'page', reason: 'one page asks for more data than Meta gives' },
  ],
  [
    100,
    /after cursor.*exceeds the max limit/i,
    { action: 'split', reason: 'the result has more pages than Meta gives' },
  ],
];

/** A failure that Meta calls transient is retried, whatever its code, unless the code asks for something gentler. */
const KEEPS_WHEN_TRANSIENT: ReadonlySet<Action> = new Set<Action>([
  'throttle',
  'page',
  'split',
  'retry_then_split',
]);

const envelopeSchema = z.object({
  error: z.object({
    message: z.string().catch(''),
    code: z.number().catch(0),
    error_subcode: z.number().optional().catch(undefined),
    is_transient: z.boolean().optional().catch(undefined),
    error_user_title: z.string().optional().catch(undefined),
    error_user_msg: z.string().optional().catch(undefined),
    fbtrace_id: z.string().optional().catch(undefined),
  }),
});
type MetaError = z.infer<typeof envelopeSchema>['error'];

const ADVICE: Readonly<Record<Action, string>> = {
  retry: 'Nothing to do: the next run tries again. If it lasts, look at https://metastatus.com.',
  throttle:
    'Nothing to do: the run waits as Meta asks. If it happens daily, ask Meta for Full Access to the Marketing API.',
  page: 'Nothing to do: fewer rows and then fewer days are asked for.',
  split: 'Nothing to do: fewer days are asked for.',
  retry_then_split: 'Nothing to do: it is tried again, then with fewer days.',
  auth: 'Make a new token for the system user (Business settings, System users, permission ads_read) and put it into META_ACCESS_TOKEN.',
  permission:
    "Give the token's system user access to the ad account and the app ads_read, or take the account out of META_AD_ACCOUNT_IDS.",
  policy:
    'Look at the Account Quality page of the business and settle the block there; calling on does not help.',
  config: 'Correct what the message names (META_* variables, or the days of the backfill).',
};

/** What a reply means, or undefined when it is no error. `accountId` finds its line in the throttle headers. */
export function classifyReply(reply: HttpReply, accountId: string): PipelineError | undefined {
  const envelope = envelopeSchema.safeParse(reply.json);
  if (envelope.success) return toError(envelope.data.error, reply, accountId);
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

function toError(error: MetaError, reply: HttpReply, accountId: string): PipelineError {
  const known = lookUp(error);
  const meaning: Meaning | undefined =
    error.is_transient === true && !(known && KEEPS_WHEN_TRANSIENT.has(known.action))
      ? { action: 'retry', reason: known?.reason ?? 'Meta had an error that passes' }
      : known;
  const label = error.error_subcode === undefined ? `${error.code}` : `${error.code}/${error.error_subcode}`;
  const details = {
    message: `Meta: ${describe(error, meaning)} (${label})`,
    advice: meaning
      ? ADVICE[meaning.action]
      : `Look the code ${label} up in Meta's error reference; the message and fbtrace_id are what Meta's support asks for.`,
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
      return new ThrottledError({ ...details, waitMs: throttleWaitMs(reply.headers, accountId, error.code) });
    case 'page':
      return new PageTooLargeError(details);
    case 'split':
      return new WindowTooLargeError(details);
    case 'retry_then_split':
      return new ReportFailedError(details);
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

function lookUp({ code, error_subcode: subcode, message }: MetaError): Meaning | undefined {
  const byText = BY_TEXT.find(([known, text]) => known === code && text.test(message));
  if (byText !== undefined) return byText[2];
  const exact =
    subcode === undefined ? undefined : (MEANINGS[`${code}/${subcode}`] ?? MEANINGS[`*/${subcode}`]);
  const found = exact ?? MEANINGS[`${code}`];
  if (found !== undefined) return found;
  if (code >= 80_000 && code <= 80_014) return ACCOUNT_LIMIT;
  return code >= 200 && code <= 299 ? PERMISSION : undefined;
}

/** Our words, and where they stay general also Meta's. */
function describe(error: MetaError, meaning: Meaning | undefined): string {
  if (meaning === undefined) return error.message || 'an error without a message';
  const detail = error.error_user_msg ?? error.message;
  return meaning.action === 'config' && detail !== '' ? `${meaning.reason}: ${detail}` : meaning.reason;
}
