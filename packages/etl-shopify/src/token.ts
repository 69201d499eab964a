/** The access token of one shop: a static one, or one that the client-credentials grant gives for a day. */
import { performance } from 'node:perf_hooks';

import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { ShopAuth } from './config.ts';

export interface TokenSource {
  get(io: Io): Promise<string>;
  /** After a refusal: whether a fresh token can be had, so that the call is worth another try. */
  forget(): boolean;
}

const grantSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });

/** A token this near to its end is replaced before it is used. */
const MARGIN_MS = 5 * 60_000;

/**
 * @param address the shop's own address, without `/admin`
 * https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
 */
export function createTokenSource(
  shop: string,
  address: string,
  auth: ShopAuth,
  nowMs: () => number = () => performance.now(),
): TokenSource {
  if (auth.kind === 'token') return { get: () => Promise.resolve(auth.token), forget: () => false };
  let granted: { readonly token: string; readonly until: number } | undefined;
  return {
    async get(io) {
      if (granted !== undefined && nowMs() < granted.until - MARGIN_MS) return granted.token;
      const reply = await io.http.request({
        url: `${address}/admin/oauth/access_token`,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: auth.clientId,
          client_secret: auth.clientSecret,
        }).toString(),
        safeToRepeat: true,
        classify: (answer) => classifyGrant(answer, shop),
      });
      const { access_token: token, expires_in: seconds } = grantSchema.parse(reply.json);
      granted = { token, until: nowMs() + seconds * 1_000 };
      return token;
    },
    forget() {
      granted = undefined;
      return true;
    },
  };
}

function classifyGrant(reply: HttpReply, shop: string): PipelineError | undefined {
  const context = { shop, status: reply.status, request_id: reply.headers.get('x-request-id') ?? undefined };
  if (reply.status === 200 && grantSchema.safeParse(reply.json).success) return undefined;
  if (reply.status === 200 || reply.status >= 500 || reply.status === 429)
    return new PipelineError({
      type: 'upstream',
      message: `${shop} gave no access token (HTTP ${reply.status})`,
      advice: 'The next run tries again; check shopifystatus.com if it goes on.',
      retryable: true,
      context,
    });
  return new PipelineError({
    type: 'auth',
    message: `${shop} gives no access token for the client id (HTTP ${reply.status})`,
    advice:
      'Check SHOPIFY_CLIENT_IDS and SHOPIFY_CLIENT_SECRETS; the app has to be installed in the shop, and both have to belong to one organisation.',
    context,
  });
}
