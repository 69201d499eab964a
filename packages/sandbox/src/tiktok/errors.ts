/** TikTok's envelope: HTTP 200 whatever happened, `code` tells; and the faults that answer with an error. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { Fault, VendorContext } from '../core.ts';

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

/** The envelope around `data`; every answer has an id of its own, made of the clock and the requests so far. */
export function answer(
  c: Context,
  context: VendorContext,
  code: number,
  message: string,
  data: unknown,
): Response {
  const stamp = context.clock.now().toString().replace(/\D/g, '').slice(0, 14);
  const requestId = `${stamp}${String(context.log.entries.length).padStart(8, '0')}`;
  return c.json({ code, message, request_id: requestId, data });
}

const valueSchema = z.object({ code: z.number().optional(), maxDays: z.number().optional() });

/** Throws if a fault that refuses the whole request strikes it. */
export function refuseByFault(
  context: VendorContext,
  target: { account: string | undefined; path: string },
): void {
  const take = (kind: Fault['kind']): Fault | undefined => context.faults.take('tiktok', kind, target);
  if (take('wrong_token') !== undefined) throw wrongToken;
  const throttle = take('throttle');
  if (throttle !== undefined) throw throttled(throttle, target.account);
  if (take('server_error') !== undefined)
    throw new TikTokFailure(50000, 'System error. Please try again later.');
  if (take('permission') !== undefined || take('missing_scope') !== undefined) {
    throw new TikTokFailure(40001, `No permission to operate advertiser ${target.account ?? ''}.`);
  }
}

export const wrongToken = new TikTokFailure(40105, 'Access token is incorrect or has been revoked.');
export const missingToken = new TikTokFailure(
  40104,
  'Access token is null, you should set it in http header with key Access-Token.',
);

/** Throws while a `too_large` fault is active and more than `value.maxDays` (7) days are asked for. */
export function refuseTooLarge(
  context: VendorContext,
  target: { account: string | undefined; path: string },
  days: number,
): void {
  const fault = context.faults.take('tiktok', 'too_large', target);
  if (fault === undefined || days <= (valueSchema.safeParse(fault.value).data?.maxDays ?? 7)) return;
  const message =
    'Your query is too large, please reduce the query size (e.g. fewer metrics or time range) and retry after a while.';
  throw new TikTokFailure(40067, message);
}

function throttled(fault: Fault, account: string | undefined): TikTokFailure {
  const code = valueSchema.safeParse(fault.value).data?.code ?? 40100;
  const message =
    code === 40133
      ? `Advertiser (${account ?? ''})'s QPS (11) reaches QPS limit 10 for current path, request is temporarily restricted.`
      : 'Too many requests. Please retry in some time.';
  return new TikTokFailure(code, message);
}
