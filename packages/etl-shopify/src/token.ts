/** The access token of one shop: a static one, one that the client-credentials grant gives, or a refreshed one. */
import { performance } from 'node:perf_hooks';

import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { ShopAuth } from './auth.ts';
import { classifyStatus } from './classify-status.ts';
import type { Asked } from './errors.ts';
import { refreshAccess } from './refresh-token.ts';

export interface TokenSource {
  /** @param pauseUntil when a shop that is shut is worth another look */
  get(io: Io, pauseUntil: string): Promise<string>;
  /** After a refusal: whether a fresh token can be had, so that the call is worth another try. */
  forget(): boolean;
}

const clientGrantSchema = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const refreshGrantSchema = clientGrantSchema.extend({ refresh_token: z.string().min(1) });

/** A token this near to its end is replaced before it is used. */
const MARGIN_MS = 5 * 60_000;
/** What a token endpoint answers as any other: shut shops, throttles, troubles of Shopify's own. */
const COMMON_STATUSES = [402, 423, 429, 430];

interface Granted {
  readonly token: string;
  readonly seconds: number;
}

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
  let current: { readonly token: string; readonly until: number } | undefined;

  async function grant<T>(
    io: Io,
    asked: Asked,
    parameters: Readonly<Record<string, string>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const { json } = await io.http.request({
      url: `${address}/admin/oauth/access_token`,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams(parameters).toString(),
      safeToRepeat: true,
      classify: (reply) => classifyGrant(reply, asked, schema),
    });
    return schema.parse(json);
  }

  async function renew(io: Io, asked: Asked): Promise<Granted> {
    if (auth.kind === 'token') throw new TypeError('A static token is not renewed');
    const client = { client_id: auth.clientId, client_secret: auth.clientSecret };
    if (auth.kind === 'client') {
      const parameters = { grant_type: 'client_credentials', ...client };
      const { access_token: token, expires_in: seconds } = await grant(
        io,
        asked,
        parameters,
        clientGrantSchema,
      );
      return { token, seconds };
    }
    const { accessToken, expiresInSeconds } = await refreshAccess(shop, auth, io, async (refreshToken) => {
      const parameters = { grant_type: 'refresh_token', refresh_token: refreshToken, ...client };
      const granted = await grant(io, asked, parameters, refreshGrantSchema);
      return {
        accessToken: granted.access_token,
        refreshToken: granted.refresh_token,
        expiresInSeconds: granted.expires_in,
      };
    });
    return { token: accessToken, seconds: expiresInSeconds };
  }

  async function replace(io: Io, pauseUntil: string): Promise<string> {
    const asked = { shop, apiVersion: '', operation: 'token', canShrink: false, pauseUntil };
    const { token, seconds } = await renew(io, asked);
    current = { token, until: nowMs() + seconds * 1_000 };
    return token;
  }

  /** Calls beside each other wait for the same one: a refresh token is good for one use. */
  let renewal: Promise<string> | undefined;
  return {
    get(io, pauseUntil) {
      if (current !== undefined && nowMs() < current.until - MARGIN_MS) return Promise.resolve(current.token);
      renewal ??= replace(io, pauseUntil).finally(() => {
        renewal = undefined;
      });
      return renewal;
    },
    forget() {
      current = undefined;
      return true;
    },
  };
}

function classifyGrant(reply: HttpReply, asked: Asked, schema: z.ZodType): PipelineError | undefined {
  const { shop } = asked;
  const context = { shop, status: reply.status, request_id: reply.headers.get('x-request-id') ?? undefined };
  if (reply.status === 200 && schema.safeParse(reply.json).success) return undefined;
  if (COMMON_STATUSES.includes(reply.status)) return classifyStatus(reply, asked);
  if (reply.status === 200 || reply.status >= 500)
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
      'Check SHOPIFY_CLIENT_IDS and SHOPIFY_CLIENT_SECRETS; the app has to be installed in the shop, and both have to belong to one organisation. A refresh token ends after 90 days without use: authorize the app again then and replace SHOPIFY_REFRESH_TOKENS.',
    context,
  });
}
