/** Faults as Shopify would answer: throttles, refusals and server errors, with the bodies of the vendor's pages. */
import { z } from 'zod';

import type { Faults } from '../core.ts';
import type { ThrottleStatus } from './bucket.ts';

export interface FaultTarget {
  readonly account: string;
  readonly path: string;
}

export interface FaultAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface QueryFacts {
  readonly requestedCost: number;
  readonly first: number;
  readonly throttle: ThrottleStatus;
}

const serverErrorSchema = z.object({ status: z.number().int() });
const throttleSchema = z.object({
  waitMs: z.number().nonnegative().optional(),
  retryAfter: z.number().optional(),
});
const tooLargeSchema = z.object({ above: z.number().optional(), status: z.number().int().optional() });
const permissionSchema = z.object({ code: z.string() });

/** The status that `server_error` asks for. */
export function faultStatus(value: unknown): number {
  return serverErrorSchema.safeParse(value).data?.status ?? 502;
}

/** The answer that a fault puts in the place of the query's, if one strikes. */
export function faultAnswer(faults: Faults, target: FaultTarget, facts: QueryFacts): FaultAnswer | undefined {
  const broken = faults.take('shopify', 'server_error', target);
  if (broken !== undefined) {
    return { status: faultStatus(broken.value), body: { errors: 'Internal Server Error' } };
  }
  const throttled = faults.take('shopify', 'throttle', target);
  if (throttled !== undefined)
    return throttleAnswer(throttleSchema.safeParse(throttled.value).data ?? {}, facts);
  const large = faults.take('shopify', 'too_large', target);
  if (large !== undefined) {
    const { above = 50, status } = tooLargeSchema.safeParse(large.value).data ?? {};
    if (facts.first > above)
      return status === undefined
        ? overCost(facts.requestedCost)
        : { status, body: { errors: 'Gateway Timeout' } };
  }
  const denied = faults.take('shopify', 'permission', target);
  if (denied !== undefined) {
    const code = permissionSchema.safeParse(denied.value).data?.code ?? 'ACCESS_DENIED';
    const message =
      code === 'ACCESS_DENIED' ? 'Access denied for orders field.' : 'The sandbox was asked to refuse this.';
    return {
      status: 200,
      body: { errors: [{ message, path: ['orders'], extensions: { code } }], data: null },
    };
  }
  return undefined;
}

/** In the body of an answer with status 200, or as HTTP 429 when the fault says `retryAfter`. */
function throttleAnswer(
  { waitMs = 50, retryAfter }: z.infer<typeof throttleSchema>,
  { requestedCost, throttle }: QueryFacts,
): FaultAnswer {
  if (retryAfter !== undefined)
    return {
      status: 429,
      body: { errors: 'Too Many Requests' },
      headers: { 'retry-after': retryAfter.toFixed(1) },
    };
  const missing = (waitMs / 1_000) * throttle.restoreRate;
  return throttledAnswer(requestedCost, { ...throttle, currentlyAvailable: requestedCost - missing });
}

export function throttledAnswer(requestedCost: number, throttle: ThrottleStatus): FaultAnswer {
  return {
    status: 200,
    body: {
      errors: [
        {
          message: 'Throttled',
          extensions: { code: 'THROTTLED', documentation: 'https://shopify.dev/api/usage/rate-limits' },
        },
      ],
      extensions: {
        cost: { requestedQueryCost: requestedCost, actualQueryCost: null, throttleStatus: throttle },
      },
    },
  };
}

export const mostCost = 1_000;

export function overCost(requestedCost: number): FaultAnswer {
  const cost = Math.max(requestedCost, mostCost + 1);
  return {
    status: 200,
    body: {
      errors: [
        {
          message: `Query cost is ${cost}, which exceeds the single query max cost limit (${mostCost}).`,
          extensions: {
            code: 'MAX_COST_EXCEEDED',
            cost,
            maxCost: mostCost,
            documentation: 'https://shopify.dev/api/usage/rate-limits',
          },
        },
      ],
    },
  };
}

const spoilSchema = z.object({
  set: z.record(z.string(), z.unknown()).optional(),
  rows: z.number().int().positive().optional(),
});
const ordersSchema = z.looseObject({ orders: z.looseObject({ nodes: z.array(z.looseObject({})) }) });

/** Spoils the first `value.rows` (1) orders of an answer: sets `value.set`, unless told the total to no number. */
export function spoilOrders(value: unknown, data: unknown): unknown {
  const parsed = ordersSchema.safeParse(data);
  if (!parsed.success) return data;
  const { set = { totalPriceSet: { shopMoney: { amount: 'abc', currencyCode: 'USD' } } }, rows = 1 } =
    spoilSchema.safeParse(value).data ?? {};
  const { orders } = parsed.data;
  const nodes = orders.nodes.map((node, index) => (index < rows ? { ...node, ...set } : node));
  return { ...parsed.data, orders: { ...orders, nodes } };
}
