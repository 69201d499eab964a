/** The envelope of the Admin API's answers: data, errors, cost, warnings about the search. */
import { z } from 'zod';

import type { HttpReply } from '@floyo/shared/http';

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
export type GraphqlError = z.infer<typeof graphqlErrorSchema>;

export const answerSchema = z.object({
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

/** The cost that an answer tells, if it does. */
export function readCost(reply: HttpReply): Cost | undefined {
  return answerSchema.safeParse(reply.json).data?.extensions?.cost;
}

/** Retry-After in milliseconds; the header is in seconds, with decimals. */
export function retryAfterMs(reply: HttpReply): number | undefined {
  const seconds = Number(reply.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}
