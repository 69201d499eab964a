/**
 * Makes one order whole: what did not fit into the page is fetched order by order or refund by refund, and the agreements
 * of an order that was edited. Whatever way an order was read, it becomes a record here.
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';

import { type Connection, connectionSchema, edgesSchema, nextCursor } from './connection.ts';
import {
  agreementsQuery,
  linesQuery,
  refundLinesQuery,
  refundShippingQuery,
  salesQuery,
  shippingLinesQuery,
} from './queries.ts';
import type { ShopifySession } from './session.ts';

const DAY_MS = 86_400_000;
/** Attribution comes within hours; an order that has none after so many days is not waited for any more. */
const ATTRIBUTION_DAYS = 7;

const orderSchema = z.looseObject({
  id: z.string(),
  processedAt: z.string(),
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

const agreementSchema = z.object({
  id: z.string(),
  happenedAt: z.string(),
  reason: z.string(),
  sales: connectionSchema,
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

/**
 * The order with its lists whole, or undefined when it was deleted meanwhile. One that has not even the shape of an
 * order comes back as it is, for the stream's schema to reject.
 */
export async function completeOrder(session: ShopifySession, node: unknown, io: Io): Promise<unknown> {
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
  const edits = order['edited'] === true ? await readEdits(session, order.id, io) : [];
  if (edits === undefined) return undefined;
  return toRecord({ ...order, lineItems, shippingLines, refunds, edits }, order.processedAt, io);
}

/** Adds what the reader alone knows. */
export function toRecord(order: object, processedAt: string, io: Io): object {
  const ageMs = io.now().epochMilliseconds - Date.parse(processedAt);
  return { ...order, attributionGivenUp: ageMs > ATTRIBUTION_DAYS * DAY_MS };
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
  let { pageInfo } = start;
  for (let after: string | null = null; pageInfo.hasNextPage;) {
    after = nextCursor(session, rest.operation, pageInfo.endCursor, after);
    const variables = {
      id: ownerId,
      after,
      ...(rest.operation === rests.lines.operation ? { withProducts: session.seesProducts } : {}),
    };
    const owner = await askOwner(session, rest.operation, rest.document, variables, rest.root, io);
    if (owner === undefined) return undefined;
    const page = connectionSchema.parse(owner[rest.field]);
    nodes.push(...page.nodes);
    pageInfo = page.pageInfo;
  }
  return nodes;
}

/** The agreements on edits of an order, with all of their sales. */
async function readEdits(session: ShopifySession, id: string, io: Io): Promise<unknown[] | undefined> {
  const edits: unknown[] = [];
  for (let after: string | null = null; ;) {
    const order = await askOwner(session, 'Agreements', agreementsQuery, { id, after }, 'order', io);
    if (order === undefined) return undefined;
    const { pageInfo, edges } = edgesSchema.parse(order['agreements']);
    for (const [index, edge] of edges.entries()) {
      const agreement = agreementSchema.parse(edge.node);
      if (agreement.reason !== 'ORDER_EDIT') continue;
      const before = edges[index - 1]?.cursor ?? after;
      const sales = await readSales(session, id, before, agreement.sales, io);
      if (sales === undefined) return undefined;
      edits.push({ id: agreement.id, happenedAt: agreement.happenedAt, sales });
    }
    if (!pageInfo.hasNextPage) return edits;
    after = nextCursor(session, 'Agreements', pageInfo.endCursor, after);
  }
}

/** @param before the cursor of the agreement before this one: the way to ask for it alone */
async function readSales(
  session: ShopifySession,
  id: string,
  before: string | null,
  start: Connection,
  io: Io,
): Promise<unknown[] | undefined> {
  const sales = [...start.nodes];
  let { pageInfo } = start;
  for (let after: string | null = null; pageInfo.hasNextPage;) {
    after = nextCursor(session, 'Sales', pageInfo.endCursor, after);
    const order = await askOwner(session, 'Sales', salesQuery, { id, before, after }, 'order', io);
    const agreement = z
      .object({ nodes: z.tuple([z.object({ sales: connectionSchema })]) })
      .optional()
      .parse(order?.['agreements'])?.nodes[0];
    if (agreement === undefined) return undefined;
    sales.push(...agreement.sales.nodes);
    pageInfo = agreement.sales.pageInfo;
  }
  return sales;
}

/** The order or refund, or undefined when it is gone. */
async function askOwner(
  session: ShopifySession,
  operation: string,
  document: string,
  variables: Readonly<Record<string, unknown>>,
  root: Rest['root'],
  io: Io,
): Promise<Record<string, unknown> | undefined> {
  const schema = z.record(z.string(), z.record(z.string(), z.unknown()).nullable());
  const answer = await session.client.ask(io, { operation, document, variables }, schema);
  const owner = answer[root];
  if (owner == null)
    io.log.info({ shop: session.id, ...variables }, 'an order was deleted while it was read');
  return owner ?? undefined;
}
