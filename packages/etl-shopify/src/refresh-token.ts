/**
 * The refresh token of one shop, which Shopify replaces with every use: the new one is stored, sealed, before the access
 * token that came with it is used, so that a crash at any point leaves a token that works or the one that was just spent.
 * https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens
 */
import { createHash } from 'node:crypto';

import type { Io, SecretStore } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';

import type { ShopAuth } from './auth.ts';
import { seal, unseal } from './seal.ts';

export type RefreshAuth = Extract<ShopAuth, { kind: 'refresh' }>;

/** What came in exchange for a refresh token. */
export interface Exchange {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInSeconds: number;
}

const KEY = 'refresh_token';

interface Kept {
  /** As it stands in the store; undefined when nothing does. */
  readonly stored: string | undefined;
  readonly token: string;
}

/**
 * Exchanges the refresh token for an access token.
 * @param exchange asks Shopify; throws a PipelineError of type `auth` when the token is refused
 */
export async function refreshAccess(
  shop: string,
  auth: RefreshAuth,
  io: Io,
  exchange: (refreshToken: string) => Promise<Exchange>,
): Promise<Exchange> {
  const { secrets } = io;
  if (secrets === undefined)
    throw new PipelineError({
      type: 'config',
      message: `The refresh token of ${shop} can't be used here: the one that Shopify gives in exchange could not be kept`,
      advice: 'Run it with a database.',
      context: { shop },
    });
  const kept = await readKept(shop, auth, secrets);
  let granted: Exchange;
  try {
    granted = await exchange(kept.token);
  } catch (error) {
    // Somebody else (`doctor` beside a run) may just have spent it: then theirs is there.
    if (!(error instanceof PipelineError) || error.type !== 'auth') throw error;
    const theirs = await readKept(shop, auth, secrets);
    if (theirs.token === kept.token) throw error;
    return keep(shop, auth, secrets, theirs, await exchange(theirs.token));
  }
  return keep(shop, auth, secrets, kept, granted);
}

async function readKept(shop: string, auth: RefreshAuth, secrets: SecretStore): Promise<Kept> {
  const stored = await secrets.load(KEY);
  if (stored === undefined) return { stored, token: auth.refreshToken };
  const [origin, sealed = ''] = stored.split(':');
  // The app was authorized again since: what is stored descends from an earlier token.
  if (origin !== originOf(auth)) return { stored, token: auth.refreshToken };
  const token = unseal(sealed, auth.tokenKey, shop);
  if (token !== undefined) return { stored, token };
  throw new PipelineError({
    type: 'config',
    message: `The refresh token of ${shop} that is stored can't be opened with SHOPIFY_TOKEN_KEY`,
    advice: 'Put the old key back, or authorize the app again and replace SHOPIFY_REFRESH_TOKENS.',
    context: { shop },
  });
}

async function keep(
  shop: string,
  auth: RefreshAuth,
  secrets: SecretStore,
  before: Kept,
  granted: Exchange,
): Promise<Exchange> {
  const next = `${originOf(auth)}:${seal(granted.refreshToken, auth.tokenKey, shop)}`;
  if (await secrets.replace(KEY, before.stored, next)) return granted;
  throw new PipelineError({
    type: 'auth',
    message: `Another process refreshed the token of ${shop} at the same moment`,
    advice: 'The next run goes on with the token that it stored.',
    retryable: true,
    context: { shop },
  });
}

/** Which configured token the stored one descends from; nothing of it can be read from this. */
function originOf({ refreshToken }: RefreshAuth): string {
  return createHash('sha256').update(refreshToken).digest('hex').slice(0, 16);
}
