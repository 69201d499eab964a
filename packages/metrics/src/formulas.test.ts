/** Each formula by an example worked by hand. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { METRICS } from './registry.ts';
import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.clear();
  await world.cover([META, TIKTOK, SHOP], '2026-02-28', '2026-03-03');
});

test('marketing: sums and ratios, in all and by source', async () => {
  const meta = {
    spend: '100',
    impressions: '20000',
    clicks: '400',
    conversions: '4',
    conversion_value: '200',
  };
  await world.spend(meta);
  await world.spend({ ...meta, spend: '20.50', conversions: null, conversion_value: null });
  await world.spend({
    source: 'tiktok',
    spend: '80',
    impressions: '10000',
    clicks: '200',
    conversions: '1.5',
    conversion_value: '50',
  });
  await world.run();

  const of = async (suffix: string) =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(METRICS)
          .filter(([, metric]) => metric.dimensions.length > 0)
          .map(async ([name]) => [name, await world.value(name + suffix)] as const),
      ),
    );
  expect(await of('')).toEqual({
    ad_spend: 200.5,
    impressions: 50000,
    clicks: 1000,
    ctr: 0.02,
    cpc: 0.2005,
    cpm: 4.01,
    platform_conversions: 5.5,
    platform_conversion_value: 250,
    platform_roas: 1.2468827930174564,
  });
  expect(await of('[source=meta]')).toMatchObject({
    ad_spend: 120.5,
    clicks: 800,
    ctr: 0.02,
    platform_conversions: 4,
  });
  expect(await of('[source=tiktok]')).toMatchObject({ ad_spend: 80, cpc: 0.4, cpm: 8, platform_roas: 0.625 });
  expect(await world.metric('cpm[source=tiktok]')).toMatchObject({
    numerator: '80000',
    denominator: '10000',
  });
});

test('commerce: an order day with discounts, shipping and tax, and refunds on their own day', async () => {
  const order = await world.order({ gross_sales: '100', discounts: '10', shipping: '5', taxes: '18' });
  await world.order({ gross_sales: '50', shipping: '5', taxes: '10', date: '2026-03-01' });
  await world.refund({
    order_external_id: order,
    date: '2026-03-02',
    returns: '40',
    shipping: '5',
    taxes: '9',
    total: '54',
  });
  await world.spend({ spend: '35' });
  await world.run();

  const day = async (date: string) =>
    Promise.all(
      [
        'orders',
        'gross_sales',
        'discounts',
        'returns',
        'net_sales',
        'shipping',
        'taxes',
        'total_sales',
        'aov',
      ].map((name) => world.value(name, date)),
    );
  expect(await day('2026-03-01')).toEqual([2, 150, 10, 0, 140, 10, 28, 178, 70]);
  expect(await day('2026-03-02')).toEqual([0, 0, 0, 40, -40, -5, -9, -54, null]);
  expect(await world.value('blended_roas')).toBe(4);
  expect(await world.value('acos')).toBe(0.25);
  expect(await world.value('cac')).toBe(17.5);
});

test('test and voided orders are left out, their refunds too, and they make nobody a customer; cancelled ones count', async () => {
  const test1 = await world.order({ gross_sales: '1', test: true, customer_id: '7', date: '2026-02-28' });
  const voided = await world.order({
    gross_sales: '2',
    financial_status: 'VOIDED',
    customer_id: '7',
    date: '2026-02-28',
  });
  await world.order({ gross_sales: '4', customer_id: '7', cancelled_at: '2026-03-02T00:00:00Z' });
  await world.refund({ order_external_id: test1, returns: '1', shipping: '1', taxes: '1' });
  await world.refund({ order_external_id: voided, returns: '2' });
  await world.run();

  expect(await world.value('orders', '2026-02-28')).toBe(0);
  expect(await world.value('orders')).toBe(1);
  expect(await world.value('gross_sales')).toBe(4);
  expect(await world.value('returns')).toBe(0);
  expect(await world.value('shipping')).toBe(0);
  expect(await world.value('new_customers')).toBe(1);
});

test('customers: first order ever decides, per shop, and an order without a customer is its own', async () => {
  await world.order({ customer_id: '1', date: '2026-02-28' });
  // On one day: a customer who returns twice, one who is new and orders again, a namesake of another shop, two guests.
  await world.order({ customer_id: '1' });
  await world.order({ customer_id: '1' });
  await world.order({ customer_id: '2' });
  await world.order({ customer_id: '2', processed_at: '2026-03-01T23:00:00Z' });
  await world.order({ customer_id: '1', shop: 'b.myshopify.com' });
  await world.order({ customer_id: null });
  await world.order({ customer_id: null });
  await world.run();
  expect(await world.value('new_customers')).toBe(4);
  expect(await world.value('returning_customers')).toBe(1);
  expect(await world.value('orders')).toBe(7);
});

test('of two orders at the same instant the smaller number is the first', async () => {
  const at = { customer_id: '1', processed_at: '2026-03-01T00:00:00Z' };
  await world.order({ ...at, external_id: 'shopify:1000', date: '2026-03-01' });
  await world.order({ ...at, external_id: 'shopify:999', date: '2026-03-02' });
  await world.run();
  expect([await world.value('new_customers'), await world.value('new_customers', '2026-03-02')]).toEqual([
    0, 1,
  ]);
});

test('a day that was read without any fact is a true zero, and its ratios are null', async () => {
  await world.run();
  expect(await world.value('ad_spend')).toBe(0);
  expect(await world.value('ad_spend[source=tiktok]')).toBe(0);
  expect(await world.value('orders')).toBe(0);
  expect(await world.metric('ctr')).toEqual({
    value: null,
    numerator: '0',
    denominator: '0',
    status: 'provisional',
  });
});
