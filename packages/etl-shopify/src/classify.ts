/**
 * What an answer of the Admin API means: good, wait, ask again, ask for less, or fail and say what to do.
 * https://shopify.dev/docs/api/usage/response-codes and https://shopify.dev/docs/api/usage/rate-limits
 */
import { type ErrorDetails, PipelineError, ThrottledError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';
import { z } from 'zod';

/** The query was too much at once: the same page with fewer orders may go through. */
export class PageTooLargeError extends PipelineError {
  /** Whether this size is refused for good (by its cost), not by the moment's load. */
  readonly isPermanent: boolean;

  constructor(details: ErrorDetails & { readonly isPermanent: boolean }) {
    super(details);
    this.isPermanent = details.isPermanent;
  }
}

/** The token was refused; a fresh one may help. */
export class TokenRefusedError extends PipelineError {}

/** Who asked for what. */
export interface Asked {
  readonly shop: string;
  readonly apiVersion: string;
  readonly operation: string;
  /** Whether the query has a page that can be made smaller. */
  readonly canShrink: boolean;
}

const costSchema = z.object({
  requestedQueryCost: z.number(),
  actualQueryCost: z.number().nullish(),
  throttleStatus: z.object({
    maximumAvailable: z.number(),
    currentlyAvailable: z.number(),
    restoreRate: z.number(),
  }),
});
export type Cost = z.infer<typeof costSchema>;

const graphqlErrorSchema = z.object({
  message: z.string(),
  path: z.array(z.union([z.string(), z.number()])).optional(),
  extensions: z.looseObject({ code: z.string().optional() }).optional(),
});
type GraphqlError = z.infer<typeof graphqlErrorSchema>;

const bodySchema = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(graphqlErrorSchema).optional(),
  extensions: z
    .looseObject({
      cost: costSchema.optional(),
      search: z
        .array(
          z.object({
            query: z.string().optional(),
            warnings: z.array(z.object({ field: z.string().nullish(), message: z.string() })).optional(),
          }),
        )
        .optional(),
    })
    .optional(),
});

const MOST_WAIT_MS = 30_000;

/** The cost that an answer tells, if it does. */
export function readCost(reply: HttpReply): Cost | undefined {
  return bodySchema.safeParse(reply.json).data?.extensions?.cost;
}

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
  const body = bodySchema.safeParse(reply.json);
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

function classifyStatus(reply: HttpReply, asked: Asked): PipelineError {
  const { status } = reply;
  const common = facts(reply, asked);
  const fail = (details: Pick<ErrorDetails, 'type' | 'message' | 'advice' | 'retryable'>): PipelineError =>
    new PipelineError({ ...common, ...details, message: `${asked.shop}: ${details.message}` });
  switch (status) {
    case 401:
      return new TokenRefusedError({
        ...common,
        type: 'auth',
        message: `${asked.shop} refused the access token: it is wrong, expired or revoked`,
        advice: `Install the app again in ${asked.shop} and put the new token (or client id and secret) in the place of the shop.`,
      });
    case 402:
      return fail({
        type: 'permission',
        message: 'the shop is frozen, its Shopify bill is unpaid',
        advice: 'Nothing can be read until the owner pays; take it out of SHOPIFY_SHOPS meanwhile.',
      });
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
      return fail({
        type: 'permission',
        message: 'the shop is locked',
        advice: 'Ask the owner to contact Shopify support; take it out of SHOPIFY_SHOPS meanwhile.',
      });
    case 429:
      return new ThrottledError({
        ...common,
        message: `${asked.shop} asks for fewer calls`,
        waitMs: retryAfterMs(reply),
      });
    case 430:
      return fail({
        type: 'permission',
        message: 'Shopify rejected the calls as a security risk (HTTP 430)',
        advice: 'Stop for some hours; if it comes back, contact Shopify support with the request id.',
      });
    case 504:
      return slow(reply, asked, `${asked.shop} did not answer in time (HTTP 504)`);
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

function classifyGraphql(
  error: GraphqlError,
  errors: readonly GraphqlError[],
  reply: HttpReply,
  asked: Asked,
  cost: Cost | undefined,
): PipelineError {
  const code = error.extensions?.code;
  const common = facts(reply, asked, { code, path: error.path?.join('.'), errors: errors.length });
  switch (code) {
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
      return slow(reply, asked, `${asked.shop} did not finish ${asked.operation} in time`);
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

/** Too slow: fewer orders at once if that is possible, else the same call again. */
function slow(reply: HttpReply, asked: Asked, message: string): PipelineError {
  return new PageTooLargeError({
    ...facts(reply, asked),
    type: 'upstream',
    message,
    advice: 'The next run tries again; check shopifystatus.com if it goes on.',
    retryable: !asked.canShrink,
    isPermanent: false,
  });
}

/** Until the bucket holds what was asked for. */
function waitFor(cost: Cost | undefined, reply: HttpReply): number | undefined {
  const told = retryAfterMs(reply);
  if (cost === undefined || cost.throttleStatus.restoreRate <= 0) return told;
  const missing = cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable;
  const refillMs = Math.max(0, (missing / cost.throttleStatus.restoreRate) * 1_000);
  return Math.min(Math.max(refillMs, told ?? 0), MOST_WAIT_MS);
}

/** Retry-After is in seconds, with decimals. */
function retryAfterMs(reply: HttpReply): number | undefined {
  const seconds = Number(reply.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}

function facts(
  reply: HttpReply,
  asked: Asked,
  more: Record<string, unknown> = {},
): Pick<ErrorDetails, 'context'> {
  return {
    context: {
      shop: asked.shop,
      operation: asked.operation,
      status: reply.status,
      request_id: reply.headers.get('x-request-id') ?? undefined,
      ...more,
    },
  };
}
