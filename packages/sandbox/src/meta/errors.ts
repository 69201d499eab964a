/** Meta's error envelope, and the faults of the sandbox that answer with one. */
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';

import type { Fault, VendorContext } from '../core.ts';
import { createRandom } from '../core.ts';
import { errorOf } from './error-bodies.ts';

export interface MetaError {
  status: ContentfulStatusCode;
  message: string;
  type?: string;
  code: number;
  subcode?: number;
  isTransient?: boolean;
  userTitle?: string;
  userMessage?: string;
  headers?: Record<string, string>;
}

/** An error that a handler throws and the server answers. */
export class MetaFailure extends Error {
  readonly error: MetaError;
  constructor(error: MetaError) {
    super(error.message);
    this.error = error;
  }
}

/** `(#100) …`, HTTP 400: a parameter is wrong. */
export function badParameter(message: string): MetaFailure {
  return new MetaFailure({ status: 400, code: 100, message: `(#100) ${message}` });
}

/** Answers with Meta's envelope. The trace id depends on the request alone. */
export function answerError(c: Context, error: MetaError): Response {
  for (const [name, value] of Object.entries(error.headers ?? {})) c.header(name, value);
  const body = {
    message: error.message,
    type: error.type ?? 'OAuthException',
    ...(error.isTransient === undefined ? {} : { is_transient: error.isTransient }),
    code: error.code,
    ...(error.subcode === undefined ? {} : { error_subcode: error.subcode }),
    ...(error.userTitle === undefined ? {} : { error_user_title: error.userTitle }),
    ...(error.userMessage === undefined ? {} : { error_user_msg: error.userMessage }),
    fbtrace_id: `A${Math.floor(createRandom(c.req.path)() * 1e15).toString(36)}`,
  };
  return c.json({ error: body }, error.status);
}

const faultSchema = z.object({
  code: z.number().optional(),
  subcode: z.number().optional(),
  status: z.number().optional(),
  minutes: z.number().nonnegative().optional(),
});

/** Throws if a fault that refuses the whole request strikes it. */
export function refuseByFault(
  context: VendorContext,
  target: { account?: string | undefined; path: string },
): void {
  const take = (kind: Fault['kind']): Fault | undefined => context.faults.take('meta', kind, target);
  if (take('wrong_token') !== undefined) throw new MetaFailure(expiredToken);
  const throttle = take('throttle');
  if (throttle !== undefined) throw new MetaFailure(throttled(throttle, target.account));
  if (take('server_error') !== undefined) throw new MetaFailure(serverError);
  const permission = take('permission');
  if (permission !== undefined) throw new MetaFailure(denied(permission));
  const ordered = take('error');
  if (ordered !== undefined) throw new MetaFailure(errorOf(ordered));
}

const expiredToken: MetaError = {
  status: 400,
  code: 190,
  subcode: 463,
  message: 'Error validating access token: Session has expired on Friday, 20-Nov-26 10:00:00 PST.',
};

const serverError: MetaError = {
  status: 500,
  code: 2,
  isTransient: true,
  message: 'An unexpected error has occurred. Please retry your request later.',
};

/** Ads insights' limit of one account unless `value.code` says 4 (the app's), 17 (the user's) or another. */
function throttled(fault: Fault, account: string | undefined): MetaError {
  const value = faultSchema.safeParse(fault.value).data ?? {};
  const code = value.code ?? 80000;
  const subcode = value.subcode ?? (code === 4 ? 1504022 : 2446079);
  const usage = {
    type: 'ads_insights',
    call_count: 100,
    total_cputime: 34,
    total_time: 41,
    estimated_time_to_regain_access: value.minutes ?? 0,
    ads_api_access_tier: 'standard_access',
  };
  const isAccountLimit = code >= 80000;
  return {
    status: value.status === 403 ? 403 : value.status === 200 ? 200 : 400,
    code,
    subcode,
    message: isAccountLimit
      ? `(#${code}) There have been too many calls from this ad-account. Wait a bit and try again.`
      : `(#${code}) ${code === 4 ? 'Application' : 'User'} request limit reached`,
    ...(isAccountLimit && account !== undefined
      ? { headers: { 'x-business-use-case-usage': JSON.stringify({ [account]: [usage] }) } }
      : {}),
  };
}

function denied(fault: Fault): MetaError {
  const code = faultSchema.safeParse(fault.value).data?.code ?? 200;
  const message =
    code === 10
      ? '(#10) Application does not have permission for this action'
      : `(#${code}) Ad account owner has NOT granted ads_management or ads_read permission`;
  return { status: 403, code, message };
}
