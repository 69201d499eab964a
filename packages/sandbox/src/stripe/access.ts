/** Who may ask: secret and restricted keys of either mode, as Bearer or Basic, for the own account alone. */
import type { Context } from 'hono';

import { StripeFailure } from './errors.ts';

export const stripeKey = 'sk_live_sandboxSecretKey';
export const stripeWebhookSecret = 'whsec_sandboxSigningSecret';
export const stripeAccount = 'acct_sandbox';

/** Any kind of key with this name is good. */
const KEY = /^(sk|rk)_(live|test)_sandboxSecretKey$/;

export type Mode = 'live' | 'test';

/** The mode of the request's key. Throws 401 for a key that is none, 403 for an account that is not connected. */
export function admit(c: Context): Mode {
  const key = keyOf(c.req.header('authorization'));
  if (key === undefined)
    throw new StripeFailure(401, {
      message:
        "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    });
  const [, , mode] = KEY.exec(key) ?? [];
  if (mode === undefined)
    throw new StripeFailure(401, { message: `Invalid API Key provided: ${masked(key)}` });
  const account = c.req.header('stripe-account');
  if (account !== undefined && account !== stripeAccount)
    throw new StripeFailure(403, {
      code: 'account_invalid',
      message: `The provided key '${masked(key)}' does not have access to account '${account}' (or that account does not exist). Application access may have been revoked.`,
    });
  return mode === 'live' ? 'live' : 'test';
}

/** What a restricted key is told that lacks a right. */
export function withoutRight(resource: string): StripeFailure {
  const right = `rak_${resource.replace(/s$/, '')}_read`;
  const message = `The provided key 'rk_live_*****Key' does not have the required permissions for this endpoint on account '${stripeAccount}'. Having the '${right}' permission would allow this request to continue.`;
  return new StripeFailure(403, { message });
}

function keyOf(header: string | undefined): string | undefined {
  const [, scheme, value = ''] = /^(bearer|basic)\s+(\S+)$/i.exec(header ?? '') ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  return Buffer.from(value, 'base64').toString().split(':')[0];
}

function masked(key: string): string {
  return `${key.slice(0, 8)}*****${key.slice(-3)}`;
}
