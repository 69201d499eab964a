/** One shop's Admin API: sends a query with a valid token, paced by cost, and gives back whole data or throws. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';
import { addDays, dayOf, startOfDay } from '@floyo/shared/window';

import { type Cost, readCost } from './answer.ts';
import type { ShopAuth } from './auth.ts';
import { classifyReply } from './classify.ts';
import { TokenRefusedError } from './errors.ts';
import { createGovernor } from './governor.ts';
import { pause } from './pause.ts';
import { createTokenSource } from './token.ts';

export interface Query {
  /** Its name in the document, for messages. */
  readonly operation: string;
  readonly document: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether its page can be made smaller when it is too much: then `PageTooLargeError` says so at once. */
  readonly canShrink?: boolean;
  /** False for a mutation: made once, whatever becomes of it. */
  readonly safeToRepeat?: boolean;
}

export interface ShopClient {
  /** The data, of the shape of `schema`. Throws PipelineError; never gives partial data. */
  ask<T>(io: Io, query: Query, schema: z.ZodType<T>): Promise<T>;
  /** The cost bucket as the last answer told it. */
  throttle(): Cost['throttleStatus'] | undefined;
}

export interface ClientOptions {
  readonly shop: string;
  readonly auth: ShopAuth;
  readonly apiVersion: string;
  readonly baseUrl: string | undefined;
}

const dataSchema = z.object({ data: z.unknown() });

export function createShopClient({ shop, auth, apiVersion, baseUrl }: ClientOptions): ShopClient {
  const address = baseUrl === undefined ? `https://${shop}` : `${baseUrl}/${shop}`;
  const tokens = createTokenSource(shop, address, auth);
  const governor = createGovernor();

  async function send(io: Io, query: Query): Promise<HttpReply> {
    // Pacing of our own, before the vendor has to say no: it does not count as a throttle wait.
    const costKey = `${query.operation}:${JSON.stringify(query.variables['first'] ?? null)}`;
    const pauseMs = governor.pauseMs(costKey);
    if (pauseMs > 0) await pause(pauseMs, io.signal);
    const token = await tokens.get(io, tomorrow(io));
    const isDone = governor.start(costKey);
    const reply = io.http.request({
      url: `${address}/admin/api/${apiVersion}/graphql.json`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'x-shopify-access-token': token,
      },
      body: JSON.stringify({
        query: query.document,
        variables: query.variables,
        operationName: query.operation,
      }),
      safeToRepeat: query.safeToRepeat ?? true,
      classify(reply) {
        const cost = readCost(reply);
        if (cost !== undefined) governor.observe(costKey, cost);
        return classifyReply(reply, {
          shop,
          apiVersion,
          operation: query.operation,
          canShrink: query.canShrink ?? false,
          pauseUntil: tomorrow(io),
        });
      },
    });
    return reply.finally(isDone);
  }

  /** Told once: the next version of the API drops something that we ask for. */
  let isDeprecationTold = false;
  function tellDeprecation(io: Io, reply: HttpReply): void {
    const reason = reply.headers.get('x-shopify-api-deprecated-reason');
    if (reason === null || isDeprecationTold) return;
    isDeprecationTold = true;
    io.log.warn({ shop, reason }, 'Shopify will drop what this connector asks for');
  }

  return {
    throttle: () => governor.throttle(),
    async ask(io, query, schema) {
      let reply: HttpReply;
      try {
        reply = await send(io, query);
      } catch (error) {
        if (!(error instanceof TokenRefusedError) || !tokens.forget()) throw error;
        reply = await send(io, query);
      }
      tellDeprecation(io, reply);
      const { data } = dataSchema.parse(reply.json);
      const parsed = schema.safeParse(data);
      if (parsed.success) return parsed.data;
      throw new PipelineError({
        type: 'contract',
        message: `${shop} answered ${query.operation} in another shape than documented: ${z.prettifyError(parsed.error)}`,
        advice: 'Nothing was loaded. Report it: the API has changed.',
        context: {
          shop,
          operation: query.operation,
          request_id: reply.headers.get('x-request-id') ?? undefined,
        },
      });
    },
  };
}

function tomorrow({ now, reporting: { timezone } }: Io): string {
  return startOfDay(addDays(dayOf(now(), timezone), 1), timezone).toString();
}
