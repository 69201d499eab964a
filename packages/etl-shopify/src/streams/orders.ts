/** The stream of orders, with their lines and refunds: found by processed_at for whole days, by updated_at for changes. */
import { z } from 'zod';

import { defineStream, type Stream } from '@floyo/shared/connector';

import { type BulkLimits, bulkLimits } from '../bulk-desk.ts';
import { between, refuseHiddenDays, VISIBLE_DAYS } from '../days.ts';
import { PAGING_DAYS, prepareBulk, readByPaging, readInBulk } from '../read-bulk.ts';
import { readOrders } from '../read-orders.ts';
import type { ShopifySession } from '../session.ts';
import { readIds, readRecords } from '../sweep.ts';
import { readTotals } from '../totals.ts';
import { type OrderRecord, orderRecordSchema } from './order-record.ts';
import { numberOf, toOrderRows } from './order-rows.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const identitySchema = z.object({ id: z.string().regex(/^gid:\/\/shopify\/Order\/\d+$/) });

/** The stream; `limits` tell when and how a backfill is read in bulk. */
export function createOrders(limits: BulkLimits = bulkLimits): Stream<ShopifySession, OrderRecord> {
  return defineStream<ShopifySession, OrderRecord>({
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
    maxWindowDays: PAGING_DAYS,
    schema: orderRecordSchema,

    identify(record) {
      const { data } = identitySchema.safeParse(record);
      return data === undefined ? undefined : { externalId: `shopify:${numberOf(data.id)}` };
    },

    readDays(session, window, io) {
      refuseHiddenDays(session, window, io);
      const desk = session.bulk;
      return desk?.has(window) === true
        ? readInBulk(session, desk, window, io)
        : readByPaging(session, window, io);
    },

    prepareBackfill: (session, windows, io) => prepareBulk(session, windows, limits, io),

    changes: {
      read: (session, { from, to }, io) =>
        readOrders(session, { query: between('updated_at', from, to), sortKey: 'UPDATED_AT' }, io),
      // The search index shows a change late, now and then by minutes.
      overlapMs: 15 * MINUTE_MS,
      lagMs: MINUTE_MS,
      maxWindowMs: DAY_MS,
    },

    totals: { measures: ['rows', 'gross_sales', 'discounts'], read: readTotals },

    sweep: {
      // A day less than an app without read_all_orders sees: at its edge an hour of daylight saving would look deleted.
      days: VISIBLE_DAYS - 1,
      readIds,
      readRecords,
      unfinished: 'attribution_ready',
    },

    toRows: (order, session, reporting) => toOrderRows(order, session.id, reporting),
  });
}

export const orders = createOrders();
