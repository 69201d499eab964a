/** Backfills in bulk: the same rows as by paging, whatever happens to the operations. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { parse, validate } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { refuseBulkQuery } from '@floyo/sandbox/shopify/bulk-rules';
import { adminSchema } from '@floyo/sandbox/shopify/schema';
import type { Io, LoadRows } from '@floyo/shared/connector';
import { WindowTooLargeError } from '@floyo/shared/errors';
import { collect } from '@floyo/shared/testing/vendor';
import { countDays, type DayWindow, halve } from '@floyo/shared/window';

import { type BulkLimits, bulkLimits, createBulkDesk } from './bulk-desk.ts';
import { joinLines } from './bulk-file.ts';
import { cancelBulk, listBulk, startBulk } from './bulk-operations.ts';
import { bulkQuery } from './bulk-query.ts';
import type { ShopifySession } from './session.ts';
import { orderRecordSchema } from './streams/order-record.ts';
import { toOrderRows } from './streams/order-rows.ts';
import { createOrders } from './streams/orders.ts';
import { euShop, type Harness, startHarness, usShop } from './testing/harness.ts';

/** Parts of two months with a long order and a long refund, edits and cancellations. */
const span = { from: '2026-10-24', to: '2026-11-13' };
const months = [
  { from: '2026-11-01', to: '2026-11-13' },
  { from: '2026-10-24', to: '2026-11-01' },
];
const quick: BulkLimits = { ...bulkLimits, threshold: 100, pollMs: 1 };

let harness: Harness;
let io: Io;
let session: ShopifySession;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.faults.clear());
afterAll(() => harness.close());

/** Reads as the runner does: prepares, then window by window, halving what is too large. */
async function backfill(shop: string, limits: BulkLimits, window: DayWindow = span): Promise<unknown[]> {
  io = harness.createIo();
  session = await harness.open(shop, io);
  const stream = createOrders(limits);
  const queue = [...((await stream.prepareBackfill?.(session, [window], io)) ?? [])];
  const records: unknown[] = [];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    try {
      records.push(...(await collect(stream.readDays(session, next, io))));
    } catch (error) {
      const halves = error instanceof WindowTooLargeError ? halve(next) : null;
      if (halves === null) throw error;
      queue.unshift(...halves);
    }
  }
  return records;
}

function rowsOf(records: readonly unknown[], shop: string): Map<string, LoadRows> {
  return new Map(
    records.map((record) => {
      const order = orderRecordSchema.parse(record);
      return [order.id, toOrderRows(order, shop, io.reporting)];
    }),
  );
}

const bulkCalls = (): number => harness.log.entries.filter((entry) => entry.path.includes('/bulk/')).length;

const paged = new Map<string, Map<string, LoadRows>>();
async function pagedRows(shop: string): Promise<Map<string, LoadRows>> {
  const known = paged.get(shop) ?? rowsOf(await backfill(shop, { ...quick, threshold: 1e9 }), shop);
  paged.set(shop, known);
  return known;
}

describe('a backfill above the threshold', () => {
  it.each([usShop, euShop])('gives the same rows in bulk as by paging: %s', async (shop) => {
    const byPaging = await pagedRows(shop);
    const files = bulkCalls();
    const records = await backfill(shop, quick);
    expect(bulkCalls() - files).toBe(2);
    expect(records).toHaveLength(byPaging.size);
    expect(rowsOf(records, shop)).toEqual(byPaging);
    const all = [...byPaging.values()];
    expect(all.some((rows) => (rows.order_items?.length ?? 0) >= 120)).toBe(true);
    for (const kind of [/^shopify:\d+$/, /^shopify:edit:/, /^shopify:cancel:/])
      expect(all.some((rows) => rows.refunds?.some((row) => kind.test(row.external_id)))).toBe(true);
  });

  it('reads by months, newest first, and asks far less often than paging would', async () => {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    expect(await createOrders(quick).prepareBackfill?.(session, [span], io)).toEqual(months);
    await backfill(usShop, { ...quick, threshold: 1e9 });
    const { apiCalls } = io.http.counts;
    await backfill(usShop, quick);
    expect(io.http.counts.apiCalls).toBeLessThan(apiCalls * 3);
  });

  it('below the threshold stays with the windows it was given, and without read_all_orders too', async () => {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    const windows = [{ from: '2026-11-01', to: '2026-11-08' }];
    expect(await createOrders().prepareBackfill?.(session, windows, io)).toBe(windows);
    expect(session.bulk).toBeUndefined();
    const blind = { ...session, seesAllOrders: false };
    expect(await createOrders(quick).prepareBackfill?.(blind, windows, io)).toBe(windows);
  });

  it('runs five operations at once ahead of reading, and the next when one is done', async () => {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    const year = { from: '2026-01-27', to: '2026-07-05' };
    const stream = createOrders(quick);
    const windows = (await stream.prepareBackfill?.(session, [year], io)) ?? [];
    expect(windows).toHaveLength(7);
    const running = async (): Promise<string[]> =>
      (await listOperations())
        .filter(({ status }) => /CREATED|RUNNING/.test(status))
        .map(({ query }) => query);
    const first = await running();
    expect(first).toHaveLength(5);
    const [newest] = windows;
    if (newest === undefined) throw new Error('there is no window');
    await collect(stream.readDays(session, newest, io));
    expect((await listOperations())[0]?.query).toContain('2026-02-01/2026-03-01');
  });

  it('starts no window twice when windows are read beside each other', async () => {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    const desk = createBulkDesk(session, months, quick, '2026-11-21T09:00:01Z');
    await Promise.all([desk.pump(io), desk.pump(io)]);
    const ours = (await listOperations()).filter(({ query }) => query.includes('09:00:01Z'));
    expect(ours).toHaveLength(months.length);
    session.bulk = desk;
    const stream = createOrders(quick);
    const records = await Promise.all(months.map((window) => collect(stream.readDays(session, window, io))));
    expect(rowsOf(records.flat(), usShop)).toEqual(await pagedRows(usShop));
  });

  it('has no file that a killed process could leave behind, and leaves none', async () => {
    const spools = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('floyo-bulk-'));
    const before = spools();
    io = harness.createIo();
    session = await harness.open(usShop, io);
    const stream = createOrders(quick);
    const [window] = (await stream.prepareBackfill?.(session, [span], io)) ?? [];
    if (window === undefined) throw new Error('there is no window');
    for await (const page of stream.readDays(session, window, io)) {
      expect(page.length).toBeGreaterThan(0);
      expect(spools(), 'while it reads').toEqual(before);
      break;
    }
    expect(spools()).toEqual(before);
  });
});

async function listOperations(): Promise<{ id: string; status: string; query: string }[]> {
  return [...(await listBulk(session, io))];
}

describe('other processes of the app', () => {
  const foreign = '# nightly export\n{ orders(query: "id:1") { edges { node { id } } } }';

  async function startForeign(count: number): Promise<void> {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    for (let index = 0; index < count; index++) await startBulk(session, foreign, io);
  }

  it('keep their operations, and are waited for when they hold all slots', async () => {
    await startForeign(5);
    const records = await backfill(usShop, quick);
    expect(records).toHaveLength((await pagedRows(usShop)).size);
    const theirs = (await listOperations()).filter(({ query }) => query === foreign);
    expect(theirs).toHaveLength(5);
    expect(theirs.every(({ status }) => status === 'COMPLETED')).toBe(true);
  });

  it('that never let go are left alone: the days are paged', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'report_stuck', times: 5 });
    await startForeign(5);
    const files = bulkCalls();
    const records = await backfill(usShop, { ...quick, slotWaitMs: 5 });
    expect(rowsOf(records, usShop)).toEqual(await pagedRows(usShop));
    expect(bulkCalls()).toBe(files);
    const theirs = (await listOperations()).filter(({ status }) => status === 'RUNNING');
    expect(theirs).toHaveLength(5);
    for (const { id } of theirs) await cancelBulk(session, id, io);
    await listOperations();
  });

  it('are told from our own leftovers, which the next backfill stops', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'report_stuck', times: 3 });
    await startForeign(1);
    const stream = createOrders(quick);
    await stream.prepareBackfill?.(session, [{ from: '2026-10-01', to: '2026-11-20' }], io);
    const before = (await listOperations()).filter(({ status }) => status === 'RUNNING');
    expect(before).toHaveLength(3);
    await createOrders().prepareBackfill?.(session, [span], io);
    await listOperations();
    const after = await listOperations();
    expect(
      before.map(({ id, query }) => [query === foreign, after.find((other) => other.id === id)?.status]),
    ).toEqual(
      expect.arrayContaining([
        [true, 'RUNNING'],
        [false, 'CANCELED'],
        [false, 'CANCELED'],
      ]),
    );
    for (const { id, query } of before) if (query === foreign) await cancelBulk(session, id, io);
  });
});

describe('an operation that goes wrong gives the same rows by another way', () => {
  it.each([
    ['fails', 'report_failed', { status: 'FAILED', errorCode: 'TIMEOUT' }, undefined],
    [
      'fails at Shopify',
      'report_failed',
      { status: 'FAILED', errorCode: 'INTERNAL_SERVER_ERROR' },
      undefined,
    ],
    ['is canceled by somebody', 'report_failed', { status: 'CANCELED' }, undefined],
    ['expires', 'report_failed', { status: 'EXPIRED' }, undefined],
    ['is lost', 'report_not_found', undefined, undefined],
    ['writes fewer lines than it counted', 'report_completed_early', undefined, undefined],
    ['cuts nested lists off without a word', 'report_skipped', { keep: 2 }, undefined],
    ['has a file that is cut off once', 'truncated', undefined, '/bulk/'],
    ['has a file that breaks off', 'reset', undefined, '/bulk/'],
  ] as const)('when it %s', async (_name, kind, value, path) => {
    harness.faults.add({ vendor: 'shopify', kind, times: 2, value, ...(path === undefined ? {} : { path }) });
    const records = await backfill(usShop, quick);
    expect(rowsOf(records, usShop)).toEqual(await pagedRows(usShop));
  });

  it('when its file stays cut off', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'truncated', times: -1, path: '/bulk/' });
    expect(rowsOf(await backfill(usShop, quick), usShop)).toEqual(await pagedRows(usShop));
  });

  it('when it never ends: it is stopped, and its window halved until days are paged', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'report_stuck', times: -1 });
    const window = { from: '2026-10-15', to: '2026-11-13' };
    const records = await backfill(usShop, { ...quick, longestMs: 3 }, window);
    expect(records.length).toBeGreaterThan(quick.threshold);
    expect(await backfill(usShop, { ...quick, threshold: 1e9 }, window)).toHaveLength(records.length);
    harness.faults.clear();
    expect((await listOperations()).filter(({ status }) => status === 'RUNNING')).toEqual([]);
  });

  it('when the answer to its start is lost: it is found again, not started twice', async () => {
    io = harness.createIo();
    session = await harness.open(usShop, io);
    const text = bulkQuery(span, { search: 'id:1', withProducts: true, startedAt: '2026-11-21T09:00:00Z' });
    harness.faults.add({ vendor: 'shopify', kind: 'reset' });
    const operation = await startBulk(session, text, io);
    expect(operation?.query).toBe(text);
    expect((await listOperations()).filter(({ query }) => query === text)).toHaveLength(1);
  });

  it('when nothing was sold: there is no file', async () => {
    const files = bulkCalls();
    const empty = { from: '2020-01-01', to: '2020-02-01' };
    expect(await backfill(usShop, { ...quick, threshold: -1 }, empty)).toEqual([]);
    expect(bulkCalls()).toBe(files);
  });

  it('but fails when access is denied, or when the filter was ignored', async () => {
    harness.faults.add({
      vendor: 'shopify',
      kind: 'report_failed',
      value: { status: 'FAILED', errorCode: 'ACCESS_DENIED' },
    });
    await expect(backfill(usShop, quick)).rejects.toMatchObject({ type: 'permission' });
  });

  it('but fails when the filter was ignored, of which nobody warns in bulk', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'floyo-csv-'));
    const path = join(folder, 'orders.csv');
    const line = (number: number, day: string): string => `${number},A,Mug,1,${day} 10:00:00,5.00,,UK`;
    const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
    writeFileSync(
      path,
      [header, line(1, '2026-09-01'), line(2, '2026-11-02'), line(3, '2026-11-03')].join('\n'),
    );
    const shop = 'tiny.myshopify.com';
    const tiny = await startHarness({ shopCsv: { shop, path } });
    const window = { from: '2026-11-01', to: '2026-11-05' };
    const stream = createOrders({ ...quick, threshold: 0 });
    const read = async (): Promise<unknown[]> => {
      const shopSession = await tiny.open(shop, io);
      await stream.prepareBackfill?.(shopSession, [window], io);
      return collect(stream.readDays(shopSession, window, io));
    };
    try {
      expect(await read()).toHaveLength(2);
      const shopSession = await tiny.open(shop, io);
      await stream.prepareBackfill?.(shopSession, [window], io);
      tiny.faults.add({ vendor: 'shopify', kind: 'ignored_filter', times: -1 });
      await expect(collect(stream.readDays(shopSession, window, io))).rejects.toMatchObject({
        type: 'contract',
        message: expect.stringContaining('filter was ignored') as string,
      });
    } finally {
      await tiny.close();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the bulk query', () => {
  const options = { search: "processed_at:>='2026-11-01T00:00:00Z'", startedAt: '2026-11-21T09:00:00Z' };

  it.each([true, false])(
    'is valid and keeps the rules for bulk queries (with products: %s)',
    (withProducts) => {
      const text = bulkQuery(span, { ...options, withProducts });
      expect(validate(adminSchema, parse(text))).toEqual([]);
      expect(refuseBulkQuery(adminSchema, text)).toEqual([]);
      expect(text.includes('product {')).toBe(withProducts);
      expect(countDays(span)).toBe(20);
    },
  );
});

describe('joining lines', () => {
  const parent = (id: number): object => ({ __typename: 'Order', id: `gid://shopify/Order/${id}` });
  const child = (id: number, owner: number, type = 'LineItem'): object => ({
    __typename: type,
    id: `gid://shopify/${type}/${id}`,
    __parentId: `gid://shopify/Order/${owner}`,
  });

  it('needs no order among them', () => {
    const { orders, orphans } = joinLines([
      child(1, 7),
      parent(7),
      child(3, 8),
      parent(8),
      child(2, 7),
      child(9, 7, 'ShippingLine'),
    ]);
    expect(orders.map(({ lineItems, shippingLines }) => [lineItems.length, shippingLines.length])).toEqual([
      [2, 1],
      [1, 0],
    ]);
    expect(orphans).toEqual([]);
  });

  it('tells the orders whose children stand alone', () => {
    expect(joinLines([child(1, 7), child(2, 7)])).toEqual({ orders: [], orphans: ['gid://shopify/Order/7'] });
  });
});
