/** What `doctor` says of the access token: whether it works, for how long, and for what. */
import { z } from 'zod';

import type { Finding, Io } from '@floyo/shared/connector';
import { toPipelineError } from '@floyo/shared/errors';

import type { MetaClient } from './client.ts';

const DAY_S = 86_400;
const WARN_DAYS = 7;
const NEEDED_SCOPE = 'ads_read';

const NEW_TOKEN =
  'Make a new token for the system user (Business settings, System users, permission ads_read; without an expiry if you can) and put it into META_ACCESS_TOKEN.';

const tokenSchema = z.object({
  data: z.object({
    is_valid: z.boolean(),
    type: z.string().optional().catch(undefined),
    // Seconds; 0 is never.
    expires_at: z.number().catch(0),
    data_access_expires_at: z.number().catch(0),
    scopes: z.array(z.string()).catch([]),
    error: z.object({ message: z.string() }).optional().catch(undefined),
  }),
});

/**
 * Asks Meta about the token with the token itself. Its address names the token, as Meta wants it; it goes into no log,
 * because addresses are kept without their queries.
 * https://developers.facebook.com/docs/graph-api/reference/debug_token
 */
export async function examineToken(client: MetaClient, io: Io, token: string): Promise<Finding[]> {
  let json: unknown;
  try {
    json = (await client.get(io, 'debug_token', { input_token: token })).json;
  } catch (error) {
    const { type, message, advice } = toPipelineError(error);
    return [
      {
        check: 'token',
        level: type === 'auth' ? 'error' : 'warning',
        message: type === 'auth' ? message : `Meta does not tell about the token: ${message}`,
        fix: advice ?? NEW_TOKEN,
      },
    ];
  }
  const parsed = tokenSchema.safeParse(json);
  if (!parsed.success)
    return [
      {
        check: 'token',
        level: 'warning',
        message: 'Meta describes the token in a way that is not known here',
        fix: 'Look at it in the Access Token Debugger: https://developers.facebook.com/tools/debug/accesstoken/',
      },
    ];
  const { data } = parsed.data;
  if (!data.is_valid) {
    const why = data.error === undefined ? '' : `: ${data.error.message}`;
    return [{ check: 'token', level: 'error', message: `the token is not valid${why}`, fix: NEW_TOKEN }];
  }
  const nowS = io.now().epochMilliseconds / 1000;
  return [
    expiryFinding('token', 'the token', data.expires_at, nowS),
    ...(data.data_access_expires_at === 0
      ? []
      : [expiryFinding('data access', "the token's access to data", data.data_access_expires_at, nowS)]),
    data.scopes.includes(NEEDED_SCOPE)
      ? { check: 'scopes', level: 'ok', message: `the token has ${data.scopes.join(', ')}`, fix: null }
      : {
          check: 'scopes',
          level: 'error',
          message: `the token lacks ${NEEDED_SCOPE} (it has ${data.scopes.join(', ') || 'no scope'})`,
          fix: `Give the app ${NEEDED_SCOPE} again (Meta takes away what was not used for 90 days), then make a new token with it.`,
        },
  ];
}

function expiryFinding(check: string, what: string, expiresAt: number, nowS: number): Finding {
  if (expiresAt === 0) return { check, level: 'ok', message: `${what} does not expire`, fix: null };
  const days = Math.floor((expiresAt - nowS) / DAY_S);
  const on = new Date(expiresAt * 1000).toISOString().slice(0, 10);
  if (expiresAt <= nowS) return { check, level: 'error', message: `${what} ended on ${on}`, fix: NEW_TOKEN };
  if (days < WARN_DAYS)
    return { check, level: 'warning', message: `${what} ends on ${on}, in ${days} days`, fix: NEW_TOKEN };
  return { check, level: 'ok', message: `${what} lasts until ${on}`, fix: null };
}
