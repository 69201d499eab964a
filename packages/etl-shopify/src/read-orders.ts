/**
 * Reads orders whole, by a search page by page, or by their ids. A record that has not even the shape of an order is
 * handed on as it is, for the stream's schema to reject.
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';

import { completeOrder } from './complete-order.ts';
import { type Connection, connectionSchema, nextCursor } from './connection.ts';
import { PageTooLargeError } from './errors.ts';
import { nodesQuery, ordersQuery } from './queries.ts';
import type { ShopifySession } from './session.ts';

export interface OrderSearch {
  readonly query: string;
  /** The key that the search filters by: any other order is slow at Shopify. */
  readonly sortKey: 'PROCESSED_AT' | 'UPDATED_AT';
}

const ordersSchema = z.object({ orders: connectionSchema });
const nodesSchema = z.object({ nodes: z.array(z.unknown()) });
/** Orders asked for by id at once; fewer when Shopify finds that too much. */
const MOST_IDS = 25;

/** Pages of records. Returns when Shopify has no more; throws when a page does not lead on. */
export async function* readOrders(
  session: ShopifySession,
  search: OrderSearch,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  for (let after: string | null = null; ;) {
    const { pageInfo, nodes }: Connection = await fetchPage(session, search, after, io);
    yield await completeOrders(session, nodes, io);
    if (!pageInfo.hasNextPage) return;
    after = nextCursor(session, 'Orders', pageInfo.endCursor, after);
  }
}

/** Pages of records by their gids; what is gone, or hidden from the app, is left out. */
export async function* readOrdersById(
  session: ShopifySession,
  gids: readonly string[],
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  let size = MOST_IDS;
  for (let place = 0; place < gids.length;) {
    const nodes = await fetchNodes(session, gids.slice(place, place + size), io);
    if (nodes === undefined) {
      size = Math.ceil(size / 2);
      continue;
    }
    place += size;
    const found = nodes.filter((node) => node !== null);
    yield await completeOrders(session, found, io);
  }
}

/** Undefined when so many are too much. */
async function fetchNodes(
  session: ShopifySession,
  ids: readonly string[],
  io: Io,
): Promise<readonly unknown[] | undefined> {
  const variables = { ids, withProducts: session.seesProducts };
  const query = { operation: 'Nodes', document: nodesQuery, variables, canShrink: ids.length > 1 };
  try {
    return (await session.client.ask(io, query, nodesSchema)).nodes;
  } catch (error) {
    if (error instanceof PageTooLargeError && ids.length > 1) return undefined;
    throw error;
  }
}

async function completeOrders(
  session: ShopifySession,
  nodes: readonly unknown[],
  io: Io,
): Promise<unknown[]> {
  const records: unknown[] = [];
  for (const node of nodes) {
    const record = await completeOrder(session, node, io);
    if (record !== undefined) records.push(record);
  }
  return records;
}

async function fetchPage(
  session: ShopifySession,
  search: OrderSearch,
  after: string | null,
  io: Io,
): Promise<Connection> {
  for (;;) {
    const { pageSize } = session;
    const variables = { ...search, first: pageSize.first, after, withProducts: session.seesProducts };
    const query = { operation: 'Orders', document: ordersQuery, variables, canShrink: pageSize.canShrink };
    try {
      const { orders } = await session.client.ask(io, query, ordersSchema);
      pageSize.succeed();
      return orders;
    } catch (error) {
      if (!(error instanceof PageTooLargeError) || !pageSize.shrink(error)) throw error;
      io.log.info(
        { shop: session.id, first: pageSize.first },
        'Shopify found the page too large; asking for fewer orders',
      );
    }
  }
}
