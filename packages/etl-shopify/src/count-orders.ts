/** How many orders there are on whole days, by Shopify's own count. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { DayWindow } from '@floyo/shared/window';

import { ordersOf } from './days.ts';
import { countsQuery } from './queries.ts';
import type { ShopifySession } from './session.ts';

/** A count costs 10 points. */
const COUNTS_PER_QUERY = 20;

const countsSchema = z.record(
  z.string(),
  z.object({ count: z.number().int(), precision: z.string() }).nullable(),
);

/** A count for each window. Throws when Shopify counted only so far. */
export async function countOrders(
  session: ShopifySession,
  windows: readonly DayWindow[],
  io: Io,
): Promise<number[]> {
  const counts: number[] = [];
  for (let place = 0; place < windows.length; place += COUNTS_PER_QUERY) {
    const asked = windows.slice(place, place + COUNTS_PER_QUERY);
    const variables = Object.fromEntries(asked.map((window, index) => [`q${index}`, ordersOf(window, io)]));
    const query = { operation: 'Counts', document: countsQuery(asked.length), variables };
    const answer = await session.client.ask(io, query, countsSchema);
    for (const [index, window] of asked.entries()) {
      const told = answer[`d${index}`];
      if (told?.precision !== 'EXACT')
        throw new PipelineError({
          type: 'contract',
          message: `${session.id} did not count the orders from ${window.from} to the end`,
          advice: 'Report it: the API no longer counts without a limit.',
          context: { shop: session.id, window },
        });
      counts.push(told.count);
    }
  }
  return counts;
}
