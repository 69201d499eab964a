/** For the daily sweep: which orders there are, at 13 points for 250, and orders whole by their ids. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import type { DayWindow } from '@floyo/shared/window';

import { connectionSchema, nextCursor } from './connection.ts';
import { ordersOf, refuseHiddenDays } from './days.ts';
import { idsQuery } from './queries.ts';
import { readOrdersById } from './read-orders.ts';
import type { ShopifySession } from './session.ts';

const IDS_PER_PAGE = 250;

const idsSchema = z.object({
  orders: connectionSchema.extend({
    nodes: z.array(
      z.object({ id: z.string().regex(/^gid:\/\/shopify\/Order\/\d+$/), updatedAt: z.string() }),
    ),
  }),
});

/** The orders of whole days, a page at a time. Refuses days that are hidden: their orders would look deleted. */
export async function* readIds(
  session: ShopifySession,
  window: DayWindow,
  io: Io,
): AsyncGenerator<readonly { readonly externalId: string; readonly updatedAt: string }[]> {
  refuseHiddenDays(session, window, io);
  const query = ordersOf(window, io);
  for (let after: string | null = null; ;) {
    const variables = { first: IDS_PER_PAGE, after, query };
    const { orders }: z.infer<typeof idsSchema> = await session.client.ask(
      io,
      { operation: 'Ids', document: idsQuery, variables },
      idsSchema,
    );
    yield orders.nodes.map(({ id, updatedAt }) => ({
      externalId: `shopify:${id.slice(id.lastIndexOf('/') + 1)}`,
      updatedAt,
    }));
    if (!orders.pageInfo.hasNextPage) return;
    after = nextCursor(session, 'Ids', orders.pageInfo.endCursor, after);
  }
}

/** Whole orders; one that is gone, or older than the app may see, is left out. */
export function readRecords(
  session: ShopifySession,
  externalIds: readonly string[],
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  return readOrdersById(
    session,
    externalIds.map((id) => `gid://shopify/Order/${id.replace('shopify:', '')}`),
    io,
  );
}
