/**
 * What an answer of the Admin API means: good, wait, ask again, ask for less, or fail and say what to do.
 * Throttles, refusals and failures mostly come with status 200. https://shopify.dev/docs/api/usage/rate-limits
 */
import { PipelineError, ThrottledError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import { answerSchema, type Cost, type GraphqlError, retryAfterMs } from './answer.ts';
import { classifyStatus } from './classify-status.ts';
import { type Asked, facts, PageTooLargeError, tooSlow } from './errors.ts';

const MOST_WAIT_MS = 30_000;

/** Undefined when the answer is whole and of the version asked for. */
export function classifyReply(reply: HttpReply, asked: Asked): PipelineError | undefined {
  if (reply.status !== 200) return classifyStatus(reply, asked);
  const version = reply.headers.get('x-shopify-api-version');
  if (version !== asked.apiVersion)
    return new PipelineError({
      ...facts(reply, asked),
      type: 'contract',
      message: `${asked.shop} answered as Admin API ${version ?? 'of an unknown version'}, not ${asked.apiVersion}: Shopify serves a retired version as another one`,
      advice: 'Set SHOPIFY_API_VERSION to a supported version (or unset it) and update the connector to it.',
    });
  const body = answerSchema.safeParse(reply.json);
  if (!body.success)
    return new PipelineError({
      ...facts(reply, asked),
      type: 'upstream',
      message: `${asked.shop} sent an answer that is cut off or no GraphQL`,
      advice: 'The next run tries again; check shopifystatus.com if it goes on.',
      retryable: true,
    });
  const { errors = [], data, extensions } = body.data;
  const [error] = errors;
  if (error !== undefined) return classifyGraphql(error, errors, reply, asked, extensions?.cost);
  const warning = extensions?.search?.flatMap((search) => search.warnings ?? [])[0];
  if (warning !== undefined)
    return new PipelineError({
      ...facts(reply, asked),
      type: 'contract',
      message: `${asked.shop} ignored a filter (${warning.field ?? 'unknown field'}: ${warning.message}), so it answered with other orders than asked for`,
      advice: 'Nothing was loaded. Report it: the search syntax of the API has changed.',
    });
  if (data == null)
    return new PipelineError({
      ...facts(reply, asked),
      type: 'contract',
      message: `${asked.shop} answered without data`,
      advice: 'Report it with the request id.',
    });
  return undefined;
}

function classifyGraphql(
  error: GraphqlError,
  errors: readonly GraphqlError[],
  reply: HttpReply,
  asked: Asked,
  cost: Cost | undefined,
): PipelineError {
  const code = error.extensions?.code;
  const common = facts(reply, asked, { code, path: error.path?.join('.'), errors: errors.length });
  switch (code ?? '') {
    case 'THROTTLED':
      return new ThrottledError({
        ...common,
        message: `${asked.shop} has no points left for ${asked.operation}`,
        waitMs: waitFor(cost, reply),
      });
    case 'MAX_COST_EXCEEDED':
      return new PageTooLargeError({
        ...common,
        type: 'contract',
        message: `${asked.shop}: ${asked.operation} costs more than one query may`,
        advice: 'Report it: the query no longer fits into the API’s cost limit.',
        isPermanent: true,
      });
    case 'TIMEOUT':
      return tooSlow(reply, asked, `${asked.shop} did not finish ${asked.operation} in time`);
    case 'INTERNAL_SERVER_ERROR':
      return new PageTooLargeError({
        ...common,
        type: 'upstream',
        message: `Shopify failed at ${asked.operation} of ${asked.shop}`,
        advice: 'The next run tries again; report the request id to Shopify if it goes on.',
        retryable: true,
        isPermanent: false,
      });
    case 'ACCESS_DENIED':
      return new PipelineError({
        ...common,
        type: 'permission',
        message: `${asked.shop} denies access to ${error.path?.join('.') ?? 'what was asked for'}: ${error.message}`,
        advice: 'Give the app the scopes read_orders, read_customers and read_all_orders in this shop.',
      });
    default:
      return new PipelineError({
        ...common,
        type: 'contract',
        message: `${asked.shop} refused ${asked.operation}: ${error.message}`,
        advice: 'Nothing was loaded. Report it: the API no longer takes this query.',
      });
  }
}

/** Until the bucket holds what was asked for. */
function waitFor(cost: Cost | undefined, reply: HttpReply): number | undefined {
  const told = retryAfterMs(reply);
  if (cost === undefined || cost.throttleStatus.restoreRate <= 0) return told;
  const missing = cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable;
  const refillMs = Math.max(0, (missing / cost.throttleStatus.restoreRate) * 1_000);
  return Math.min(Math.max(refillMs, told ?? 0), MOST_WAIT_MS);
}
