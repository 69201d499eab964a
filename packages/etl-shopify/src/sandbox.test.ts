/** The connector against the sandbox's Shopify: whole windows, long orders, and every way a call can go wrong. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { Io, LoadRows } from '@floyo/shared/connector';
import { AccountPausedError, PipelineError } from '@floyo/shared/errors';
import { collect } from '@floyo/shared/testing/vendor';
import type { DayWindow } from '@floyo/shared/window';

import { type OrderRecord, orderRecordSchema } from './streams/order-record.ts';
import { toOrderRows } from './streams/order-rows.ts';
import { orders } from './streams/orders.ts';
import { euShop, type Harness, startHarness, usShop } from './testing/harness.ts';

/** An order of these days has 120 lines, of which 60 came back at once. */
const largeDays = { from: '2026-11-10', to: '2026-11-12' };
const week = { from: '2026-11-01', to: '2026-11-08' };

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => {
  harness.faults.clear();
  harness.clock.set('2026-11-21T09:00:00Z');
});
afterAll(() => harness.close());

/** Opens the shop and reads the days. */
async function read(shop: string, window: DayWindow, io: Io = harness.createIo()): Promise<OrderRecord[]> {
  const session = await harness.open(shop, io);
  const records = await collect(orders.readDays(session, window, io));
  return records.map((record) => orderRecordSchema.parse(record));
}

function rowsOf(record: OrderRecord, shop = usShop): LoadRows {
  return toOrderRows(record, shop, harness.createIo().reporting);
}

async function failureOf(promise: Promise<unknown>): Promise<PipelineError> {
  const outcome = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  if (outcome instanceof PipelineError) return outcome;
  throw outcome;
}

describe('reading days', () => {
  it('reads the days of the window whole, each order once', async () => {
    const records = await read(usShop, week);
    const days = records.map((record) => rowsOf(record).orders?.[0]?.date);
    expect(new Set(days).size).toBe(7);
    expect([...days].sort()).toEqual(days);
    expect(new Set(records.map((record) => record.id)).size).toBe(records.length);
    expect(records.length).toBeGreaterThan(100);
  });

  it('gets all lines of a long order and all lines of a long refund', async () => {
    const large = (await read(usShop, largeDays)).find((record) => record.lineItems.length >= 120);
    expect(large).toBeDefined();
    expect(new Set(large?.lineItems.map((line) => line.id)).size).toBe(large?.lineItems.length);
    expect(large?.refunds[0]?.refundLineItems).toHaveLength(60);
  });

  it('gives rows whose parts add up to what Shopify says, in both tax modes', async () => {
    for (const shop of [usShop, euShop])
      for (const record of await read(shop, week)) {
        const row = rowsOf(record, shop).orders?.[0];
        const giftCards = record.lineItems.filter((line) => line.isGiftCard).length * 50;
        const parts =
          Number(row?.gross_sales) -
          Number(row?.discounts) +
          Number(row?.shipping) +
          Number(row?.taxes) +
          giftCards;
        expect(parts).toBeCloseTo(Number(row?.total), 6);
      }
  });

  it('skips an order that is deleted while its lines are fetched', async () => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    const all = await collect(orders.readDays(shop, largeDays, io));
    harness.faults.add({ vendor: 'shopify', kind: 'vanished_ad' });
    expect(await collect(orders.readDays(shop, largeDays, io))).toHaveLength(all.length - 1);
  });
});

describe('reading changes', () => {
  it('finds an old order again when it is refunded', async () => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    const window = { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' };
    const pages = orders.changes?.read(shop, window, io);
    if (pages === undefined) throw new Error('the stream reads no changes');
    const records = (await collect(pages)).map((record) => orderRecordSchema.parse(record));
    expect(records.every((record) => record.updatedAt >= window.from && record.updatedAt < window.to)).toBe(
      true,
    );
    const returned = records.filter((record) => record.refunds.length > 0);
    expect(returned.some((record) => record.processedAt < '2026-11-14')).toBe(true);
  });
});

describe('access', () => {
  it('opens a shop with its zone and currency', async () => {
    const io = harness.createIo();
    expect(await harness.open(euShop, io)).toMatchObject({
      id: euShop,
      timezone: 'Europe/Berlin',
      currency: 'EUR',
      name: 'Floyo Europe',
    });
  });

  it('gets a new token once when a granted one is refused, and gives up on a static one', async () => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io, 'client');
    harness.faults.add({ vendor: 'shopify', kind: 'wrong_token' });
    expect(await collect(orders.readDays(shop, week, io))).not.toHaveLength(0);

    harness.faults.add({ vendor: 'shopify', kind: 'wrong_token', times: 2 });
    expect(await failureOf(collect(orders.readDays(shop, week, io)))).toMatchObject({ type: 'auth' });

    harness.faults.clear();
    harness.faults.add({ vendor: 'shopify', kind: 'wrong_token' });
    const failure = await failureOf(harness.open(usShop, io));
    expect(failure).toMatchObject({ type: 'auth', retryable: false });
    expect(failure.message).toContain(usShop);
    expect(failure.context['request_id']).toMatch(/^sandbox-/);
  });

  it.each(['read_orders', 'read_customers'])('does not open a shop without the scope %s', async (scope) => {
    harness.faults.add({ vendor: 'shopify', kind: 'missing_scope', value: { scopes: [scope] } });
    const failure = await failureOf(harness.open(usShop, harness.createIo()));
    expect(failure).toMatchObject({ type: 'permission' });
    expect(failure.message).toContain(scope);
    expect(failure.advice).toContain(scope);
  });

  it('reads no day that Shopify would silently cut off without read_all_orders', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'missing_scope', times: -1 });
    // Sixty days before 2026-11-21 09:00 is in the middle of 09-22.
    expect(await failureOf(read(usShop, { from: '2026-09-22', to: '2026-10-01' }))).toMatchObject({
      type: 'permission',
    });
    expect(await read(usShop, { from: '2026-09-23', to: '2026-09-25' })).not.toHaveLength(0);
  });

  it('leaves product ids empty without read_products instead of failing', async () => {
    harness.faults.add({
      vendor: 'shopify',
      kind: 'missing_scope',
      times: -1,
      value: { scopes: ['read_products'] },
    });
    const items = (await read(usShop, week)).flatMap((record) => rowsOf(record).order_items ?? []);
    expect(items.length).toBeGreaterThan(100);
    expect(items.every((item) => item.product_id === null && item.variant_id === null)).toBe(true);
  });
});

describe('trouble', () => {
  it.each([
    ['an answer that is cut off', 'truncated', undefined],
    ['a connection that breaks', 'reset', undefined],
    ['a proxy page', 'not_json', undefined],
    ['a server error', 'server_error', { status: 500 }],
    ['an internal error inside of a good answer', 'permission', { code: 'INTERNAL_SERVER_ERROR' }],
  ] as const)('survives %s with the same orders', async (_name, kind, value) => {
    const calm = await read(usShop, week);
    harness.faults.add({ vendor: 'shopify', kind, times: 2, value });
    expect(await read(usShop, week)).toEqual(calm);
  });

  it.each([
    ['inside of a good answer', { waitMs: 30 }],
    ['as status 429', { retryAfter: 0.03 }],
  ])('waits when throttled %s, as told, and counts it as no retry', async (_name, value) => {
    const calm = await read(usShop, week);
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    harness.faults.add({ vendor: 'shopify', kind: 'throttle', times: 2, value });
    const records = await collect(orders.readDays(shop, week, io));
    expect(records).toHaveLength(calm.length);
    expect(io.http.counts.retries).toBe(0);
    // Twice 30 ms; a timer may fire a fraction of one early.
    expect(io.http.counts.throttledMs).toBeGreaterThanOrEqual(58);
  });

  it.each([
    ['cost too much', { above: 25 }],
    ['take too long', { above: 25, status: 504 }],
  ])('asks for smaller pages when large ones %s', async (_name, value) => {
    const calm = await read(usShop, week);
    harness.faults.add({ vendor: 'shopify', kind: 'too_large', times: -1, value });
    expect(await read(usShop, week)).toEqual(calm);
  });

  it('gives up when even the smallest page costs too much', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'too_large', times: -1, value: { above: 1 } });
    expect(await failureOf(read(usShop, week))).toMatchObject({ type: 'contract', retryable: false });
  });

  it.each([
    ['another API version than asked for', 'wrong_version', 'contract', '2026-01'],
    ['an ignored filter', 'ignored_filter', 'contract', 'ignored a filter'],
    ['a denied field', 'permission', 'permission', 'denies access'],
  ] as const)('fails at once on %s', async (_name, kind, type, text) => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    harness.faults.add({ vendor: 'shopify', kind });
    const failure = await failureOf(collect(orders.readDays(shop, week, io)));
    expect(failure).toMatchObject({ type, retryable: false });
    expect(failure.message).toContain(text);
    expect(failure.advice).not.toBe('');
    expect(io.http.counts.apiCalls).toBe(2);
  });

  it('explains HTTP 403 and does not repeat it', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'server_error', value: { status: 403 } });
    const io = harness.createIo();
    const failure = await failureOf(harness.open(usShop, io));
    expect(failure.type).toBe('permission');
    expect(failure.advice).toContain('scopes');
    expect(io.http.counts.apiCalls).toBe(1);
  });

  it.each([
    [402, 'frozen'],
    [423, 'locked'],
    [430, 'security'],
  ])('leaves a shop that answers HTTP %i alone until tomorrow, with an alert', async (status, text) => {
    harness.faults.add({ vendor: 'shopify', kind: 'server_error', account: usShop, value: { status } });
    const io = harness.createIo();
    const failure = await failureOf(harness.open(usShop, io));
    expect(failure).toBeInstanceOf(AccountPausedError);
    // The next midnight in Berlin, the reporting zone.
    expect(failure).toMatchObject({ severity: 'P2', until: '2026-11-21T23:00:00Z' });
    expect(failure.message).toContain(text);
    expect(failure.advice).not.toBe('');
    expect(io.http.counts.apiCalls).toBe(1);
    expect(await harness.open(euShop, io)).toMatchObject({ id: euShop });
  });

  it('hands a malformed order on to be rejected, with its id, and the rest of the page as it is', async () => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    harness.faults.add({ vendor: 'shopify', kind: 'invalid_record', value: { set: { lineItems: null } } });
    const records = await collect(orders.readDays(shop, week, io));
    const bad = records.filter((record) => !orders.schema.safeParse(record).success);
    expect(bad).toHaveLength(1);
    expect(orders.identify(bad[0])?.externalId).toMatch(/^shopify:\d+$/);
    expect(orders.identify({ id: 7 })).toBeUndefined();
  });
});

it('paces itself by the bucket, so that a small one never has to refuse', async () => {
  const small = await startHarness({ bucket: { maximum: 700, restoreRate: 2_000 } });
  const io = small.createIo();
  const shop = await small.open(usShop, io);
  const started = performance.now();
  await collect(orders.readDays(shop, { from: '2026-10-20', to: '2026-11-08' }, io));
  // Five pages of which each asks for 632 points of a bucket of 700.
  expect(io.http.counts.throttledMs).toBe(0);
  expect(performance.now() - started).toBeGreaterThan(100);
  await small.close();
});
