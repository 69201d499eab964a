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

/** The account of act_<number> or of a report's id, with which faults and the log name it. */
export function accountOf(c: Context): string | undefined {
  return /\/act_(\d+)/.exec(c.req.path)?.[1] ?? accountOfReport(c.req.path);
}

/** A report's id holds its account; longer than 2^53, so that a client which reads it as a number loses it. */
export function reportId(accountId: string, number: number): string {
  return `60${accountId}${String(number).padStart(4, '0')}`;
}

function accountOfReport(path: string): string | undefined {
  return /\/60(\d{16})\d{4}(?:\/|$)/.exec(path)?.[1];
}

/** What a fault's `account` and `path` are held against: the path begins with the method, `GET /meta/v26.0/act_…`. */
export function targetOf(c: Context): { account: string | undefined; path: string } {
  return { account: accountOf(c), path: `${c.req.method} ${c.req.path}` };
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
  return context.faults.take('meta', 'missing_scope', targetOf(c)) === undefined;
}

/** Any older version is served as a newer one, without a word but this header. */
export function servedVersion(c: Context, context: VendorContext): string {
  const asked = /\/(v\d+\.\d+)\//.exec(`${c.req.path}/`)?.[1] ?? '';
  if (context.faults.take('meta', 'wrong_version', targetOf(c)) !== undefined) return 'v24.0';
  return usableVersions.includes(asked) ? asked : upgradedVersion;
}
