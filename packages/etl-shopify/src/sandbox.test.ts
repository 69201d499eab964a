/** The connector against the sandbox's Shopify: whole windows, long orders, and every way a call can go wrong. */
import { PipelineError } from '@floyo/shared/errors';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type OrderRecord, orderRecordSchema } from './streams/order-record.ts';
import { orders } from './streams/orders.ts';
import { collect, euShop, type Harness, startHarness, usShop } from './testing/harness.ts';

/** An order of these days has 120 lines, of which 60 came back at once. */
const largeDays = { from: '2026-11-10', to: '2026-11-12' };
const week = { from: '2026-11-01', to: '2026-11-08' };
const reporting = { timezone: 'Europe/Berlin', currency: 'EUR' };

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => {
  harness.faults.clear();
  harness.clock.set('2026-11-21T09:00:00Z');
});
afterAll(() => harness.close());

async function readWeek(shop = usShop): Promise<OrderRecord[]> {
  const io = harness.createIo();
  const session = await harness.open(shop, io);
  return (await collect(orders.readDays(session, week, io))).map((record) => orderRecordSchema.parse(record));
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
    const records = await readWeek();
    const days = records.map((record) => orders.toRows(record, session(), reporting).orders?.[0]?.date);
    expect(new Set(days).size).toBe(7);
    expect([...days].sort()).toEqual(days);
    expect(new Set(records.map((record) => record.id)).size).toBe(records.length);
    expect(records.length).toBeGreaterThan(100);
  });

  it('gets all lines of a long order and all lines of a long refund', async () => {
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    const records = (await collect(orders.readDays(shop, largeDays, io))).map((record) =>
      orderRecordSchema.parse(record),
    );
    const large = records.find((record) => record.lineItems.length >= 120);
    expect(new Set(large?.lineItems.map((line) => line.id)).size).toBe(large?.lineItems.length);
    expect(large?.refunds[0]?.refundLineItems).toHaveLength(60);
  });

  it('gives rows whose parts add up to what Shopify says, in both tax modes', async () => {
    for (const shop of [usShop, euShop])
      for (const record of await readWeek(shop)) {
        const row = orders.toRows(record, session(shop), reporting).orders?.[0];
        const giftCards = record.lineItems.filter((line) => line.isGiftCard).length * 50;
        const parts =
          Number(row?.gross_sales) - Number(row?.discounts) + Number(row?.shipping) + Number(row?.taxes) + giftCards;
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
    const records = (await collect(orders.changes?.read(shop, window, io) ?? empty())).map((record) =>
      orderRecordSchema.parse(record),
    );
    expect(records.every((record) => record.updatedAt >= window.from && record.updatedAt < window.to)).toBe(true);
    const returned = records.filter((record) => record.refunds.length > 0);
    expect(returned.some((record) => record.processedAt < '2026-11-14')).toBe(true);
  });
});

describe('access', () => {
  it('opens a shop with its zone and currency', async () => {
    const io = harness.createIo();
    expect(await harness.open(euShop, io)).toMatchObject({ id: euShop, timezone: 'Europe/Berlin', currency: 'EUR', name: 'Floyo Europe' });
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
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    const read = (from: string): Promise<unknown[]> =>
      // eslint-disable-next-line @typescript-eslint/require-await -- what is thrown at once is to be a rejection
      (async () => collect(orders.readDays(shop, { from, to: '2026-10-01' }, io)))();
    // Sixty days before 2026-11-21 09:00 is in the middle of 09-22.
    expect(await failureOf(read('2026-09-22'))).toMatchObject({ type: 'permission' });
    expect(await read('2026-09-23')).not.toHaveLength(0);
  });

  it('leaves product ids empty without read_products instead of failing', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'missing_scope', times: -1, value: { scopes: ['read_products'] } });
    const records = await readWeek();
    const items = orders.toRows(nth(records, 0), session(), reporting).order_items;
    expect(items?.every((item) => item.product_id === null)).toBe(true);
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
    const calm = await readWeek();
    harness.faults.add({ vendor: 'shopify', kind, times: 2, value });
    expect(await readWeek()).toEqual(calm);
  });

  it.each([
    ['inside of a good answer', { waitMs: 30 }],
    ['as status 429', { retryAfter: 0.03 }],
  ])('waits when throttled %s, as told, and counts it as no retry', async (_name, value) => {
    const calm = await readWeek();
    const io = harness.createIo();
    const shop = await harness.open(usShop, io);
    harness.faults.add({ vendor: 'shopify', kind: 'throttle', times: 2, value });
    const records = await collect(orders.readDays(shop, week, io));
    expect(records).toHaveLength(calm.length);
    expect(io.http.counts.retries).toBe(0);
    expect(io.http.counts.throttledMs).toBeGreaterThanOrEqual(60);
  });

  it.each([
    ['cost too much', { above: 25 }],
    ['take too long', { above: 25, status: 504 }],
  ])('asks for smaller pages when large ones %s', async (_name, value) => {
    const calm = await readWeek();
    harness.faults.add({ vendor: 'shopify', kind: 'too_large', times: -1, value });
    expect(await readWeek()).toEqual(calm);
  });

  it('gives up when even the smallest page costs too much', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'too_large', times: -1, value: { above: 1 } });
    expect(await failureOf(readWeek())).toMatchObject({ type: 'contract', retryable: false });
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

  it.each([
    [402, 'frozen'],
    [403, 'scopes'],
    [423, 'locked'],
    [430, 'security'],
  ])('explains HTTP %i and does not repeat it', async (status, text) => {
    harness.faults.add({ vendor: 'shopify', kind: 'server_error', value: { status } });
    const io = harness.createIo();
    const failure = await failureOf(harness.open(usShop, io));
    expect(failure.type).toBe('permission');
    expect(`${failure.message} ${failure.advice ?? ''}`).toContain(text);
    expect(io.http.counts.apiCalls).toBe(1);
  });

  it('hands a malformed order on to be rejected, with its id, and the rest of the page as it is', async () => {
    harness.faults.add({ vendor: 'shopify', kind: 'invalid_record', times: 1, path: 'graphql', value: { set: { lineItems: null } } });
    const io = harness.createIo();
    // The fault strikes the first answer, which has no orders: open the shop before.
    const shop = await harness.open(usShop, io);
    harness.faults.clear();
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

function session(shop = usShop): Parameters<typeof orders.toRows>[1] {
  // Rows need the shop's name alone.
  return { id: shop } as Parameters<typeof orders.toRows>[1];
}

function nth<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}

async function* empty(): AsyncGenerator<readonly unknown[]> {}
