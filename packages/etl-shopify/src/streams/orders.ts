/** The stream of orders, with their lines and refunds: found by processed_at for whole days, by updated_at for changes. */
import { z } from 'zod';

import { defineStream, type Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { type DayWindow, toInstants } from '@floyo/shared/window';

import { readOrders } from '../read-orders.ts';
import type { ShopifySession } from '../session.ts';
import { type OrderRecord, orderRecordSchema } from './order-record.ts';
import { numberOf, toOrderRows } from './order-rows.ts';

/** What Shopify shows without the scope read_all_orders. */
const VISIBLE_DAYS = 60;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const identitySchema = z.object({ id: z.string().regex(/^gid:\/\/shopify\/Order\/\d+$/) });

export const orders = defineStream<ShopifySession, OrderRecord>({
  name: 'orders',
  parent: {
    table: 'orders',
    key: ['external_id'],
    scope: (shop) => ({ source: 'shopify', shop }),
    newerThan: 'updated_at',
  },
  children: [
    { table: 'order_items', key: ['external_id'], parentColumn: 'order_external_id' },
    { table: 'refunds', key: ['external_id'], parentColumn: 'order_external_id' },
  ],
  calendar: 'reporting',
  // Sixty days with today: all that an app without read_all_orders sees whole.
  firstRun: { daysBack: VISIBLE_DAYS - 1 },
  restatementDays: 0,
  maxWindowDays: 7,
  schema: orderRecordSchema,

  identify(record) {
    const { data } = identitySchema.safeParse(record);
    return data === undefined ? undefined : { externalId: `shopify:${numberOf(data.id)}` };
  },

  readDays(session, window, io) {
    refuseHiddenDays(session, window, io);
    const { from, to } = toInstants(window, io.reporting.timezone);
    return readOrders(session, { query: between('processed_at', from, to), sortKey: 'PROCESSED_AT' }, io);
  },

  changes: {
    read: (session, { from, to }, io) =>
      readOrders(session, { query: between('updated_at', from, to), sortKey: 'UPDATED_AT' }, io),
    // The search index shows a change late, now and then by minutes.
    overlapMs: 15 * MINUTE_MS,
    lagMs: MINUTE_MS,
    maxWindowMs: DAY_MS,
  },

  toRows: (order, session, reporting) => toOrderRows(order, session.id, reporting),
});

function between(field: string, from: string, to: string): string {
  return `${field}:>='${from}' AND ${field}:<'${to}'`;
}

/** Shopify leaves older orders out without a word, which would look like days without sales. */
function refuseHiddenDays(session: ShopifySession, window: DayWindow, io: Io): void {
  if (session.seesAllOrders) return;
  const begin = Date.parse(toInstants(window, io.reporting.timezone).from);
  if (begin >= io.now().epochMilliseconds - VISIBLE_DAYS * DAY_MS) return;
  throw new PipelineError({
    type: 'permission',
    message: `${session.id} hides orders older than ${VISIBLE_DAYS} days from the app, so the days from ${window.from} can't be read whole`,
    advice:
      'Ask for the scope read_all_orders in the app’s settings, install it again, or read later days only.',
    context: { shop: session.id, from: window.from, to: window.to },
  });
}
