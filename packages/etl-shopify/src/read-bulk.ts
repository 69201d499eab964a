/**
 * Reads the orders of a backfill in bulk when there are many: month by month, as records that paging would give. Orders
 * with refunds or edits, whose lists bulk operations can't have, and orders whose lines look cut off, are read again one
 * by one. Whatever goes wrong with an operation, its window is read in smaller ones or by paging; partial data never.
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import {
  addDays,
  countDays,
  type DayWindow,
  halve,
  joinDays,
  listDays,
  splitNewestFirst,
  toInstants,
} from '@floyo/shared/window';

import { type BulkDesk, type BulkLimits, createBulkDesk } from './bulk-desk.ts';
import { type BulkFile, type BulkOrder, fetchBulkFile } from './bulk-file.ts';
import { type BulkOperation, cancelLeftovers } from './bulk-operations.ts';
import { toRecord } from './complete-order.ts';
import { countOrders } from './count-orders.ts';
import { ordersOf } from './days.ts';
import { readOrders, readOrdersById } from './read-orders.ts';
import type { ShopifySession } from './session.ts';

/** Paging is asked for so many days at once. */
export const PAGING_DAYS = 7;
const RECORDS_PER_PAGE = 250;

const orderSchema = z.looseObject({
  id: z.string(),
  processedAt: z.string(),
  edited: z.boolean(),
  subtotalLineItemsQuantity: z.number(),
  refunds: z.array(z.unknown()),
});
const lineSchema = z.object({ quantity: z.number() });

/**
 * Decides how a backfill is read: above the threshold by months, in bulk, with the first operations started.
 * @returns the windows to read, newest first
 */
export async function prepareBulk(
  session: ShopifySession,
  windows: readonly DayWindow[],
  limits: BulkLimits,
  io: Io,
): Promise<readonly DayWindow[]> {
  session.bulk = undefined;
  await cancelLeftovers(session, io);
  const spans = joinDays(windows.flatMap(listDays));
  if (spans.length === 0 || !session.seesAllOrders) return windows;
  const counts = await countOrders(session, spans, io);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= limits.threshold) return windows;
  const months = spans.toReversed().flatMap(splitByMonth);
  io.log.info({ shop: session.id, orders: total, windows: months.length }, 'reading orders in bulk');
  session.bulk = createBulkDesk(session, months, limits, io.now().toString());
  await session.bulk.pump(io);
  return months;
}

/** Calendar months, newest first. */
function splitByMonth({ from, to }: DayWindow): DayWindow[] {
  const months: DayWindow[] = [];
  for (let end = to; end > from;) {
    const first = `${addDays(end, -1).slice(0, 8)}01`;
    const start = first > from ? first : from;
    months.push({ from: start, to: end });
    end = start;
  }
  return months;
}

/** The orders of whole days by paging, a week at a time. */
export async function* readByPaging(
  session: ShopifySession,
  window: DayWindow,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  for (const slice of splitNewestFirst(window, PAGING_DAYS))
    yield* readOrders(session, { query: ordersOf(slice, io), sortKey: 'PROCESSED_AT' }, io);
}

/**
 * The orders of a window that the desk has.
 * @throws WindowTooLargeError when Shopify gave up and there are days to halve; the halves are at the desk then
 */
export async function* readInBulk(
  session: ShopifySession,
  desk: BulkDesk,
  window: DayWindow,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  await desk.pump(io);
  const outcome = await desk.finish(window, io);
  const halves = halve(window);
  if (outcome.kind === 'failed' && outcome.isTooMuch && halves !== null && countDays(window) > PAGING_DAYS) {
    desk.putFirst(halves);
    await desk.pump(io);
    throw new WindowTooLargeError({
      message: `The bulk operation from ${window.from} to ${window.to} gave nothing: ${outcome.reason}`,
      advice: 'Nothing to do: it is read in halves.',
      context: { shop: session.id, window },
    });
  }
  // The slot is free: the next operations run while this one is read.
  await desk.pump(io);
  const file = outcome.kind === 'completed' ? await fetchFile(outcome.operation, io) : outcome.reason;
  if (typeof file === 'string') {
    io.log.warn(
      { shop: session.id, window, reason: file },
      'a bulk operation gave nothing; reading by paging',
    );
    yield* readByPaging(session, window, io);
    return;
  }
  if (file === undefined) return;
  try {
    for await (const { orders, orphans } of file.read())
      yield* toRecords(session, orders, orphans, window, io);
  } finally {
    await file.remove();
  }
}

/** The file, undefined when there is nothing in it, or why it can't be had. */
async function fetchFile(operation: BulkOperation, io: Io): Promise<BulkFile | string | undefined> {
  if (operation.url === null)
    return operation.objectCount === 0
      ? undefined
      : `it counted ${operation.objectCount} objects and has no file`;
  try {
    return await fetchBulkFile(operation, operation.url, io);
  } catch (error) {
    if (error instanceof PipelineError && ['truncated', 'upstream'].includes(error.type))
      return error.message;
    throw error;
  }
}

async function* toRecords(
  session: ShopifySession,
  orders: readonly BulkOrder[],
  orphans: readonly string[],
  window: DayWindow,
  io: Io,
): AsyncGenerator<readonly unknown[]> {
  const again = [...orphans];
  const records: unknown[] = [];
  for (const { order, lineItems, shippingLines } of orders) {
    const parsed = orderSchema.safeParse(order);
    // What has not the shape of an order is the stream's to reject.
    if (!parsed.success) {
      records.push({ ...order, lineItems, shippingLines });
      continue;
    }
    const { id, processedAt, edited, refunds, subtotalLineItemsQuantity } = parsed.data;
    refuseForeignDay(session, processedAt, window, io);
    if (refunds.length > 0 || edited || unitsOf(lineItems) !== subtotalLineItemsQuantity) again.push(id);
    else
      records.push(toRecord({ ...order, lineItems, shippingLines, refunds: [], edits: [] }, processedAt, io));
  }
  for (let place = 0; place < records.length; place += RECORDS_PER_PAGE)
    yield records.slice(place, place + RECORDS_PER_PAGE);
  yield* readOrdersById(session, again, io);
}

/** Bulk operations are known to cut nested lists off silently; then the units of the lines are too few. */
function unitsOf(lineItems: readonly unknown[]): number {
  return lineItems.reduce<number>((sum, line) => sum + (lineSchema.safeParse(line).data?.quantity ?? 0), 0);
}

/** In bulk nobody warns of a filter that was ignored. */
function refuseForeignDay(session: ShopifySession, processedAt: string, window: DayWindow, io: Io): void {
  const { from, to } = toInstants(window, io.reporting.timezone);
  const at = Date.parse(processedAt);
  if (Number.isNaN(at) || (at >= Date.parse(from) && at < Date.parse(to))) return;
  throw new PipelineError({
    type: 'contract',
    message: `${session.id} answered a bulk operation with an order of ${processedAt}, which was not asked for: the filter was ignored`,
    advice: 'Nothing was loaded. Report it: the search syntax of the API has changed.',
    context: { shop: session.id, window },
  });
}
