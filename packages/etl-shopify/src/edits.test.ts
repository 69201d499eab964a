/** Edits, small pages and what Shopify announces, read through the sandbox. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import type { LoadRows } from '@floyo/shared/connector';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';
import { collect } from '@floyo/shared/testing/vendor';

import { orderRecordSchema } from './streams/order-record.ts';
import { toOrderRows } from './streams/order-rows.ts';
import { orders } from './streams/orders.ts';
import { euShop, type Harness, startHarness, usShop } from './testing/harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => {
  harness.faults.clear();
  harness.clock.set('2026-11-21T09:00:00Z');
});
afterAll(() => harness.close());

/** Rows by order, read from the shop as the clock of the sandbox stands. */
async function read(
  shop: string,
  window = { from: '2026-10-05', to: '2026-11-01' },
): Promise<Map<string, LoadRows>> {
  const io = harness.createIo();
  const session = await harness.open(shop, io);
  const records = await collect(orders.readDays(session, window, io));
  return new Map(
    records.map((record) => {
      const order = orderRecordSchema.parse(record);
      return [order.id, toOrderRows(order, shop, io.reporting)];
    }),
  );
}

it.each([usShop, euShop])('what edits took off %s is what the current totals lack', async (shop) => {
  const rows = await read(shop);
  const edited = [...rows.values()].filter((order) =>
    order.refunds?.some((row) => row.external_id.startsWith('shopify:edit:')),
  );
  expect(edited.length).toBeGreaterThan(3);
  // The sandbox tells of every removal, so that nothing is left to be valued by lines.
  expect(
    [...rows.values()]
      .flatMap((order) => order.refunds ?? [])
      .some((row) => row.external_id.startsWith('shopify:edited:')),
  ).toBe(false);
  for (const { orders: [order] = [], refunds = [] } of edited) {
    const removed = refunds.filter((row) => row.external_id.startsWith('shopify:edit:'));
    for (const row of removed) {
      expect(Number(row.returns)).toBeGreaterThan(0);
      expect(row.total).toBe('0');
      expect(row.date >= String(order?.date)).toBe(true);
    }
    // Money that was paid back for them is a refund without goods: nothing is returned twice.
    for (const row of refunds.filter(({ external_id: id }) => /^shopify:\d+$/.test(id))) {
      expect(row.returns).toBe('0');
      expect(Number(row.total)).toBeCloseTo(Number(removed[0]?.returns) + Number(removed[0]?.taxes), 2);
    }
  }
});

it('reading it again on a later day moves no removal', async () => {
  const today = await read(usShop);
  harness.clock.set('2026-11-27T09:00:00Z');
  const later = await read(usShop);
  const edits = (rows: Map<string, LoadRows>): unknown[] =>
    [...rows.values()]
      .flatMap((order) => order.refunds ?? [])
      .filter((row) => row.external_id.startsWith('shopify:edit'));
  const gone = new Set([...today.keys()].filter((id) => !later.has(id)));
  expect(edits(later)).toEqual(edits(new Map([...today].filter(([id]) => !gone.has(id)))));
});

it('lists that come in the smallest pages are drained whole, those inside of agreements too', async () => {
  const window = { from: '2026-10-12', to: '2026-10-19' };
  const calm = await read(usShop, window);
  const edits = [...calm.values()]
    .flatMap((order) => order.refunds ?? [])
    .filter((row) => row.external_id.startsWith('shopify:edit:'));
  expect(edits.length).toBeGreaterThan(0);
  harness.faults.add({ vendor: 'shopify', kind: 'small_pages', times: -1 });
  expect(await read(usShop, window)).toEqual(calm);
});

it('tells once what Shopify will drop', async () => {
  const lines: string[] = [];
  const log = createLogger({
    level: 'warn',
    redactor: createRedactor([]),
    destination: { write: (line: string) => void lines.push(line) },
  });
  const io = { ...harness.createIo(), log };
  const session = await harness.open(usShop, io);
  const value = { deprecated: 'https://shopify.dev/changelog/x' };
  harness.faults.add({ vendor: 'shopify', kind: 'wrong_version', times: -1, value });
  await collect(orders.readDays(session, { from: '2026-10-12', to: '2026-10-15' }, io));
  await collect(orders.readDays(session, { from: '2026-10-12', to: '2026-10-15' }, io));
  expect(lines.filter((line) => line.includes('changelog/x'))).toHaveLength(1);
});
