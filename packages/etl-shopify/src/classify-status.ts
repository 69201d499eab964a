/** What an HTTP status other than 200 means. https://shopify.dev/docs/api/usage/response-codes */
import { AccountPausedError, type ErrorDetails, PipelineError, ThrottledError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import { retryAfterMs } from './answer.ts';
import { type Asked, facts, TokenRefusedError, tooSlow } from './errors.ts';

export function classifyStatus(reply: HttpReply, asked: Asked): PipelineError {
  const { status } = reply;
  const common = facts(reply, asked);
  const fail = (details: Pick<ErrorDetails, 'type' | 'message' | 'advice' | 'retryable'>): PipelineError =>
    new PipelineError({ ...common, ...details, message: `${asked.shop}: ${details.message}` });
  const pause = (message: string, advice: string): PipelineError =>
    new AccountPausedError({
      ...common,
      message: `${asked.shop}: ${message}; it is left alone until tomorrow`,
      advice,
      until: asked.pauseUntil,
    });
  switch (status) {
    case 401:
      return new TokenRefusedError({
        ...common,
        type: 'auth',
        message: `${asked.shop} refused the access token: it is wrong, expired or revoked`,
        advice: `Install the app again in ${asked.shop} and put the new token (or client id and secret) in the place of the shop.`,
      });
    case 402:
      return pause(
        'the shop is frozen, its Shopify bill is unpaid',
        'Nothing can be read until the owner pays, and its days stay incomplete; take it out of SHOPIFY_SHOPS if it stays shut.',
      );
    case 403:
      return fail({
        type: 'permission',
        message: 'the app may not do this (HTTP 403)',
        advice: 'Check the app’s access scopes in the shop: read_orders, read_customers, read_all_orders.',
      });
    case 404:
      return fail({
        type: 'config',
        message: `there is no such shop or no Admin API ${asked.apiVersion}`,
        advice: 'Check SHOPIFY_SHOPS, SHOPIFY_API_VERSION and SHOPIFY_BASE_URL.',
      });
    case 423:
      return pause(
        'the shop is locked',
        'Ask the owner to contact Shopify support; take it out of SHOPIFY_SHOPS if it stays shut.',
      );
    case 429:
      return new ThrottledError({
        ...common,
        message: `${asked.shop} asks for fewer calls`,
        waitMs: retryAfterMs(reply),
      });
    case 430:
      return pause(
        'Shopify rejected the calls as a security risk (HTTP 430)',
        'If it comes back tomorrow, contact Shopify support with the request id.',
      );
    case 504:
      return tooSlow(reply, asked, `${asked.shop} did not answer in time (HTTP 504)`);
    default:
      return status >= 500
        ? fail({
            type: 'upstream',
            message: `Shopify has a problem (HTTP ${status})`,
            advice: 'The next run tries again; check shopifystatus.com if it goes on.',
            retryable: true,
          })
        : fail({
            type: 'contract',
            message: `Shopify refused the call (HTTP ${status})`,
            advice: 'Report it with the request id.',
          });
  }
}
