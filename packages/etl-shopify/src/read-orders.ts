/**
 * Reads the orders that a search finds, page by page, each as one record with all of its lines and refunds: what does
 * not fit into the page is fetched order by order. A record that has not even that shape is handed on as it is, for the
 * stream's schema to reject.
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';

import { PageTooLargeError } from './errors.ts';
import {
  linesQuery,
  ordersQuery,
  refundLinesQuery,
  refundShippingQuery,
  shippingLinesQuery,
} from './queries.ts';
import type { ShopifySession } from './session.ts';

export interface OrderSearch {
  readonly query: string;
  /** The key that the search filters by: any other order is slow at Shopify. */
  readonly sortKey: 'PROCESSED_AT' | 'UPDATED_AT';
}

const connectionSchema = z.object({
  pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  nodes: z.array(z.unknown()),
});
type Connection = z.infer<typeof connectionSchema>;

const ordersSchema = z.object({ orders: connectionSchema });

const orderSchema = z.looseObject({
  id: z.string(),
  lineItems: connectionSchema,
  shippingLines: connectionSchema,
  refunds: z.array(
    z.looseObject({
      id: z.string(),
      refundLineItems: connectionSchema,
      refundShippingLines: connectionSchema,
    }),
  ),
});

/** A list that goes on: which document fetches the rest, and where in its answer the list is. */
interface Rest {
  readonly operation: string;
  readonly document: string;
  readonly root: 'order' | 'refund';
  readonly field: string;
}

const rests = {
  lines: { operation: 'Lines', document: linesQuery, root: 'order', field: 'lineItems' },
  shippingLines: {
    operation: 'ShippingLines',
    document: shippingLinesQuery,
    root: 'order',
    field: 'shippingLines',
  },
  refundLines: {
    operation: 'RefundLines',
    document: refundLinesQuery,
    root: 'refund',
    field: 'refundLineItems',
  },
  refundShipping: {
    operation: 'RefundShipping',
    document: refundShippingQuery,
    root: 'refund',
    field: 'refundShippingLines',
  },
} satisfies Record<string, Rest>;

/** Pages of records. Returns when Shopify has no more; throws when a page does not lead on. */
export async function* readOrders(
  session: ShopifySession,
  search: OrderSearch,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  for (let after: string | null = null; ;) {
    const { pageInfo, nodes }: Connection = await fetchPage(session, search, after, io);
    const records: unknown[] = [];
    for (const node of nodes) {
      const record = await completeOrder(session, node, io);
      if (record !== undefined) records.push(record);
    }
    yield records;
    if (!pageInfo.hasNextPage) return;
    after = nextCursor(session, 'Orders', pageInfo.endCursor, after);
  }
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

/** The order with its lists whole, or undefined when it was deleted meanwhile. */
async function completeOrder(session: ShopifySession, node: unknown, io: Io): Promise<unknown> {
  const parsed = orderSchema.safeParse(node);
  if (!parsed.success) return node;
  const order = parsed.data;
  const lineItems = await drain(session, order.id, order.lineItems, rests.lines, io);
  const shippingLines = await drain(session, order.id, order.shippingLines, rests.shippingLines, io);
  if (lineItems === undefined || shippingLines === undefined) return undefined;
  const refunds: unknown[] = [];
  for (const refund of order.refunds) {
    const lines = await drain(session, refund.id, refund.refundLineItems, rests.refundLines, io);
    const shipping = await drain(session, refund.id, refund.refundShippingLines, rests.refundShipping, io);
    if (lines === undefined || shipping === undefined) return undefined;
    refunds.push({ ...refund, refundLineItems: lines, refundShippingLines: shipping });
  }
  return { ...order, lineItems, shippingLines, refunds };
}

/** All nodes of a list, or undefined when its owner is gone. */
async function drain(
  session: ShopifySession,
  ownerId: string,
  start: Connection,
  rest: Rest,
  io: Io,
): Promise<unknown[] | undefined> {
  const nodes = [...start.nodes];
  const schema = z.record(z.string(), z.record(z.string(), z.unknown()).nullable());
  let { pageInfo } = start;
  for (let after: string | null = null; pageInfo.hasNextPage;) {
    after = nextCursor(session, rest.operation, pageInfo.endCursor, after);
    const variables = {
      id: ownerId,
      after,
      ...(rest.operation === rests.lines.operation ? { withProducts: session.seesProducts } : {}),
    };
    const query = { operation: rest.operation, document: rest.document, variables };
    const answer = await session.client.ask(io, query, schema);
    const owner = answer[rest.root];
    if (owner == null) {
      io.log.info({ shop: session.id, id: ownerId }, 'an order was deleted while it was read');
      return undefined;
    }
    const page = connectionSchema.parse(owner[rest.field]);
    nodes.push(...page.nodes);
    pageInfo = page.pageInfo;
  }
  return nodes;
}

function nextCursor(
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
