/** What a request to Meta says before its parameters: version, token, account; and what is refused for it. */
import type { Context } from 'hono';

import type { VendorContext } from '../core.ts';
import type { WorldAccount } from '../world/accounts.ts';
import type { AdsWorld } from '../world/world.ts';
import type { MetaError } from './errors.ts';
import { MetaFailure } from './errors.ts';

export const metaToken = 'sandbox-meta-token';
const usableVersions = ['v25.0', 'v26.0'];
const newestMajorVersion = 26;
/** What an expired version is silently served as. */
const upgradedVersion = 'v25.0';

/** The number in act_<number>, with which faults and the log name the account. */
export function accountOf(c: Context): string | undefined {
  return /\/act_(\d+)/.exec(c.req.path)?.[1];
}

export function findAccount(c: Context, world: AdsWorld): WorldAccount {
  const id = accountOf(c) ?? '';
  const account = world.account(id);
  if (account !== undefined) return account;
  throw new MetaFailure({
    status: 400,
    type: 'GraphMethodException',
    code: 100,
    subcode: 33,
    message:
      `Unsupported get request. Object with ID 'act_${id}' does not exist, ` +
      'cannot be loaded due to missing permissions, or does not support this operation.',
  });
}

export function unknownPath(c: Context): MetaError {
  return { status: 400, code: 2500, message: `Unknown path components: ${c.req.path}` };
}

export function refuseUnknownVersion(c: Context): void {
  const major = /\/v(\d+)\.\d+\//.exec(`${c.req.path}/`)?.[1];
  if (major === undefined || Number(major) > newestMajorVersion) throw new MetaFailure(unknownPath(c));
}

export function refuseWrongToken(c: Context): void {
  const header = /^(?:Bearer|OAuth) (.+)$/.exec(c.req.header('authorization') ?? '')?.[1];
  const token = header ?? c.req.query('access_token');
  if (token === metaToken) return;
  if (token === undefined) {
    throw new MetaFailure({
      status: 400,
      code: 104,
      message: 'An access token is required to request this resource.',
    });
  }
  throw new MetaFailure({
    status: 400,
    code: 190,
    message: 'Invalid OAuth access token - Cannot parse access token',
  });
}

export function hasScope(c: Context, context: VendorContext): boolean {
  return (
    context.faults.take('meta', 'missing_scope', { account: accountOf(c), path: c.req.path }) === undefined
  );
}

/** Any older version is served as a newer one, without a word but this header. */
export function servedVersion(c: Context, context: VendorContext): string {
  const asked = /\/(v\d+\.\d+)\//.exec(`${c.req.path}/`)?.[1] ?? '';
  const target = { account: accountOf(c), path: c.req.path };
  if (context.faults.take('meta', 'wrong_version', target) !== undefined) return 'v24.0';
  return usableVersions.includes(asked) ? asked : upgradedVersion;
}
