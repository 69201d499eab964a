/** Meta's nodes beside insights: the ad account and the token. */
import type { Context } from 'hono';

import type { VendorContext } from '../core.ts';
import type { WorldAccount } from '../world/accounts.ts';
import { badParameter } from './errors.ts';
import { hasScope, metaToken } from './request.ts';

export function describeAccount(account: WorldAccount, context: VendorContext): Record<string, unknown> {
  const local = context.clock.now().toZonedDateTimeISO(account.timezone);
  return {
    id: `act_${account.id}`,
    account_id: account.id,
    name: account.name,
    currency: account.currency,
    timezone_name: account.timezone,
    timezone_id: 1,
    timezone_offset_hours_utc: local.offsetNanoseconds / 3.6e12,
    account_status: 1,
    created_time: '2020-04-13T18:04:59-0700',
  };
}

export function describeToken(c: Context, context: VendorContext): Record<string, unknown> {
  const input = c.req.query('input_token');
  if (input === undefined) throw badParameter('The parameter input_token is required');
  if (input !== metaToken) {
    return { is_valid: false, scopes: [], error: { code: 190, message: 'Invalid OAuth access token' } };
  }
  return {
    app_id: '100200300400500',
    type: 'SYSTEM_USER',
    is_valid: true,
    expires_at: 0,
    data_access_expires_at: 0,
    scopes: hasScope(c, context) ? ['ads_read'] : [],
  };
}

/** Only the fields that were asked for; `id` comes always. */
export function pickFields(
  all: Record<string, unknown>,
  c: Context,
  otherwise: readonly string[],
): Record<string, unknown> {
  const asked = c.req.query('fields')?.split(',') ?? otherwise;
  const unknown = asked.find((field) => !(field in all));
  if (unknown !== undefined) {
    throw badParameter(`Tried accessing nonexisting field (${unknown}) on node type (AdAccount)`);
  }
  return Object.fromEntries([...asked, 'id'].map((field) => [field, all[field]]));
}
