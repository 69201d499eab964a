/** TikTok's envelope: HTTP 200 whatever happened, `code` tells; and the faults that answer with an error. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { Fault, RequestTarget, VendorContext } from '../core.ts';

export class TikTokFailure extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** 40002: a parameter is wrong. */
export function badParameter(message: string): TikTokFailure {
  return new TikTokFailure(40002, message);
}

/** The envelope around `data`; every answer has ids of its own, made of the clock and the requests so far. */
export function answer(
  c: Context,
  context: VendorContext,
  code: number,
  message: string,
  data: unknown,
): Response {
  const requestId = nameRequest(c, context);
  return c.json({ code, message, request_id: requestId, data });
}

/** Gives the answer its ids: one for the body, and `X-TT-LOGID`. */
export function nameRequest(c: Context, context: VendorContext): string {
  const stamp = context.clock.now().toString().replace(/\D/g, '').slice(0, 14);
  const requestId = `${stamp}${String(context.log.entries.length).padStart(8, '0')}`;
  c.header('X-TT-LOGID', `${requestId}A1`);
  return requestId;
}

const valueSchema = z.object({
  code: z.number().optional(),
  message: z.string().optional(),
  maxDays: z.number().optional(),
  per: z.enum(['second', 'minute', 'day']).optional(),
});

/** What TikTok's pages show as the message of a code; other codes get a general text. */
const messages: Readonly<Record<number, string>> = {
  20001: 'Partial success.',
  40001: 'No permission to operate this advertiser.',
  40002: 'Missing required field(s): account_id.',
  40016: 'Request frequency is restricted.',
  40067:
    'Your query is too large, please reduce the query size (e.g. fewer metrics or time range) and retry after a while.',
  40100: 'Too many requests. Please retry in some time.',
  40104: 'Access token is null, you should set it in http header with key Access-Token.',
  40105: 'Access token is incorrect or has been revoked.',
  40118: 'The app is not in the allowlist of this API.',
  40200: 'Task error.',
  40201: 'Task is not ready.',
  40300: 'The advertiser does not exist.',
  40301: 'The advertiser has been deleted.',
  50000: 'System error. Please try again later.',
  60001: 'The service is under maintenance.',
};

/** A failure with the code, and TikTok's text for it unless another is given. */
export function failure(code: number, message?: string): TikTokFailure {
  return new TikTokFailure(code, message ?? messages[code] ?? `Error ${code}.`);
}

/** Throws if a fault that refuses the whole request strikes it. */
export function refuseByFault(context: VendorContext, target: RequestTarget): void {
  const take = (kind: Fault['kind']): Fault | undefined => context.faults.take('tiktok', kind, target);
  if (take('wrong_token') !== undefined) throw failure(40105);
  const throttle = take('throttle');
  if (throttle !== undefined) throw throttled(throttle, target.account);
  if (take('server_error') !== undefined) throw failure(50000);
  if (take('permission') !== undefined || take('missing_scope') !== undefined)
    throw failure(40001, `No permission to operate advertiser ${target.account ?? ''}.`);
  const error = take('error');
  if (error !== undefined) {
    const { code = 50000, message } = valueSchema.safeParse(error.value).data ?? {};
    throw failure(code, message);
  }
}

/** Throws while a `too_large` fault is active and more than `value.maxDays` (7) days are asked for. */
export function refuseTooLarge(context: VendorContext, target: RequestTarget, days: number): void {
  const fault = context.faults.take('tiktok', 'too_large', target);
  if (fault === undefined || days <= (valueSchema.safeParse(fault.value).data?.maxDays ?? 7)) return;
  throw failure(40067);
}

/** The words in which TikTok tells which limit of calls was reached; they are the only place that does. */
export function limitMessage(owner: string, per: 'second' | 'minute' | 'day', calls: number, limit: number) {
  const unit = { second: 'QPS', minute: 'QPM', day: 'QPD' }[per];
  return `${owner}'s ${unit} (${calls}) reaches ${unit} limit ${limit} for current path, request is temporarily restricted.`;
}

function throttled(fault: Fault, account: string | undefined): TikTokFailure {
  const { code = 40100, per } = valueSchema.safeParse(fault.value).data ?? {};
  const owner = code === 40133 ? `Advertiser (${account ?? ''})` : 'App';
  if (code !== 40133 && per === undefined) return failure(code);
  const limit = { second: 10, minute: 600, day: 864_000 }[per ?? 'second'];
  return failure(code, limitMessage(owner, per ?? 'second', limit + 1, limit));
}
