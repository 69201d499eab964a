/** The shape of a page of a list, and where the next one begins. */
import { z } from 'zod';

import { PipelineError } from '@floyo/shared/errors';

import type { ShopifySession } from './session.ts';

const pageInfoSchema = z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() });

export const connectionSchema = z.object({ pageInfo: pageInfoSchema, nodes: z.array(z.unknown()) });
export type Connection = z.infer<typeof connectionSchema>;

/** The same list with a cursor for each of its members. */
export const edgesSchema = z.object({
  pageInfo: pageInfoSchema,
  edges: z.array(z.object({ cursor: z.string(), node: z.unknown() })),
});

/** Throws when the list says that it goes on and does not lead on. */
export function nextCursor(
  session: ShopifySession,
  operation: string,
  next: string | null,
  last: string | null,
): string {
  if (next !== null && next !== last) return next;
  throw new PipelineError({
    type: 'truncated',
    message: `${session.id} says that ${operation} goes on and does not say where`,
    advice: 'Nothing of this window was loaded; the next run reads it again.',
    context: { shop: session.id, operation },
  });
}
