/** Meta's nodes beside insights: the ad account and the token. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import type { WorldAccount } from '../world/accounts.ts';
import { badParameter } from './errors.ts';
import { hasScope, metaToken, targetOf } from './request.ts';

/** The ad account; a fault of kind `ad_account` sets fields of it (`{account_status: 3}`). */
export function describeAccount(
  account: WorldAccount,
  c: Context,
  context: VendorContext,
): Record<string, unknown> {
  const local = context.clock.now().toZonedDateTimeISO(account.timezone);
  const fault = context.faults.take('meta', 'ad_account', targetOf(c));
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
    ...z.record(z.string(), z.unknown()).safeParse(fault?.value).data,
  };
}

const tokenSchema = z.object({
  /** Days until the token ends; it never ends unless told. */
  expiresInDays: z.number().optional(),
  /** Days until the data can no longer be read with it. */
  dataAccessInDays: z.number().optional(),
  scopes: z.array(z.string()).optional(),
  valid: z.boolean().optional(),
});

/** What the token is worth; a fault of kind `token` sets it. */
export function describeToken(c: Context, context: VendorContext): Record<string, unknown> {
  const input = c.req.query('input_token');
  if (input === undefined) throw badParameter('The parameter input_token is required');
  const fault = tokenSchema.safeParse(context.faults.take('meta', 'token', targetOf(c))?.value).data ?? {};
  if (input !== metaToken || fault.valid === false) {
    return {
      is_valid: false,
      scopes: [],
      error: { code: 190, subcode: 463, message: 'Error validating access token: Session has expired' },
    };
  }
  const endOf = (days: number | undefined): number =>
    days === undefined ? 0 : Math.floor(context.clock.now().epochMilliseconds / 1000) + days * 86_400;
  return {
    app_id: '100200300400500',
    type: 'SYSTEM_USER',
    application: 'Floyo pipeline',
    is_valid: true,
    expires_at: endOf(fault.expiresInDays),
    data_access_expires_at: endOf(fault.dataAccessInDays),
    scopes: fault.scopes ?? (hasScope(c, context) ? ['ads_read'] : []),
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
