/** Metrics that look ahead: each formula by an example worked by hand, maturity, and what makes their days due. */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { deriveMetric } from './formula.ts';
import { METRICS } from './registry.ts';
import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const day = '2025-01-10';
const noon = (date: string) => Temporal.Instant.from(`${date}T12:00:00Z`);
const COHORT_METRICS = [
  'refund_rate_30d',
  'repeat_rate_90d',
  'ltv_30d',
  'ltv_90d',
  'ltv_365d',
  'ltv_cac_90d',
];

const values = async (date = day) =>
  Object.fromEntries(
    await Promise.all(COHORT_METRICS.map(async (name) => [name, await world.value(name, date)] as const)),
  );

test('every formula: two customers and a guest first seen on the day, what they bought and gave back', async () => {
  await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
  await world.spend({ date: day, spend: '50' });
  // Ann: 100 − 10 on the day, 40 after 30 days, 60 after 90, 200 after 365, 999 after 366.
  const first = await world.order({ date: day, customer_id: 'ann', gross_sales: '100', discounts: '10' });
  const second = await world.order({ date: '2025-02-09', customer_id: 'ann', gross_sales: '40' });
  await world.order({ date: '2025-04-10', customer_id: 'ann', gross_sales: '60' });
  await world.order({ date: '2026-01-10', customer_id: 'ann', gross_sales: '200' });
  await world.order({ date: '2026-01-11', customer_id: 'ann', gross_sales: '999' });
  // Bob buys once and gives 5 back on the 30th day, 7 on the 31st; a guest spends 30.
  const bob = await world.order({ date: day, customer_id: 'bob', gross_sales: '20' });
  await world.refund({ order_external_id: bob, date: '2025-02-09', returns: '5' });
  await world.refund({ order_external_id: bob, date: '2025-02-10', returns: '7' });
  await world.order({ date: day, customer_id: null, gross_sales: '30' });
  // Ann's returns: of the first order after 90 days, of the second on the 31st day.
  await world.refund({ order_external_id: first, date: '2025-04-10', returns: '8' });
  await world.refund({ order_external_id: second, date: '2025-02-10', returns: '4' });
  // Somebody who was there before orders on the day too.
  await world.order({ date: '2025-01-09', customer_id: 'old', gross_sales: '1000' });
  await world.order({ date: day, customer_id: 'old', gross_sales: '50' });
  await world.run();

  expect(await world.metric('new_customers', day)).toMatchObject({ value: '3' });
  expect(await values()).toEqual({
    // 5 of the 200 sold on the day.
    refund_rate_30d: 0.025,
    // Ann of Ann, Bob and the guest.
    repeat_rate_90d: 1 / 3,
    // 90 + 40, 20 − 5, 30.
    ltv_30d: 175 / 3,
    // 90 + 40 + 60 − 8 − 4, 20 − 12, 30.
    ltv_90d: 72,
    // And 200 more.
    ltv_365d: 416 / 3,
    ltv_cac_90d: 216 / 50,
  });
  expect(await world.metric('ltv_cac_90d', day)).toMatchObject({ numerator: '216', denominator: '50' });
  // Ann's second day made no customer: nothing to divide by.
  expect(await world.metric('ltv_30d', '2025-02-09')).toMatchObject({ value: null, denominator: '0' });
});

test('a second order on the same day is a repeat, one on the 91st day is not', async () => {
  await world.cover([SHOP], day, '2026-03-10');
  await world.order({ date: day, customer_id: '1', processed_at: `${day}T08:00:00Z` });
  await world.order({ date: day, customer_id: '1', processed_at: `${day}T09:00:00Z` });
  await world.order({ date: day, customer_id: '2' });
  await world.order({ date: '2025-04-11', customer_id: '2' });
  await world.run();
  expect(await world.value('repeat_rate_90d', day)).toBe(0.5);
});

test('each amount is converted at the rate of its own day', async () => {
  await world.cover([SHOP], day, '2026-03-10');
  await world.rate('USD', day, '1.1');
  await world.rate('USD', '2025-01-20', '1.2');
  await world.rate('USD', '2025-01-30', '1.3');
  await world.order({ date: day, customer_id: '1', gross_sales: '10', currency: 'EUR' });
  const order = await world.order({
    date: '2025-01-20',
    customer_id: '1',
    gross_sales: '100',
    currency: 'EUR',
  });
  await world.refund({ order_external_id: order, date: '2025-01-30', returns: '10', currency: 'EUR' });
  await world.run();
  expect(await world.value('ltv_30d', day)).toBeCloseTo(11 + 120 - 13, 10);
  expect(await world.value('refund_rate_30d', '2025-01-20')).toBeCloseTo(13 / 120, 10);
});

test('null until mature, then there by the clock alone; final once the days ahead were read after their end', async () => {
  await world.cover([META, TIKTOK], day, '2025-03-10', true);
  await world.cover([SHOP], day, '2025-03-10', true);
  await world.order({ date: day, customer_id: '1', gross_sales: '10' });
  await world.run({ now: noon('2025-02-09') });
  // The 30th day is today: not over.
  expect(await world.metric('ltv_30d', day)).toEqual({
    value: null,
    numerator: null,
    denominator: null,
    status: 'provisional',
  });
  expect(await world.status('orders', day)).toBe('final');

  await world.query(
    `update ops.coverage set read_at = final_at - interval '1 hour' where day = '2025-02-09'`,
  );
  expect(await world.run({ now: noon('2025-02-10') })).toMatchObject({ days: 2 });
  expect(await world.metric('ltv_30d', day)).toMatchObject({ numerator: '10', status: 'provisional' });
  expect(await world.value('ltv_90d', day)).toBeNull();

  await world.query(`update ops.coverage set read_at = final_at where day = '2025-02-09'`);
  await world.run({ now: noon('2025-02-10') });
  expect(await world.metric('ltv_30d', day)).toMatchObject({ numerator: '10', status: 'final' });
  expect(await world.run({ now: noon('2025-02-10') })).toMatchObject({ days: 0 });
});

test('a day ahead that was never read leaves a mature value incomplete, and an immature one as it is', async () => {
  await world.cover([META, TIKTOK, SHOP], day, '2025-03-10', true);
  await world.query(`delete from ops.coverage where source = 'shopify' and day = '2025-01-25'`);
  await world.order({ date: day, customer_id: '1', gross_sales: '10' });
  await world.run({ now: noon('2025-02-05') });
  expect(await world.status('ltv_30d', day)).toBe('provisional');
  await world.run({ now: noon('2025-02-10') });
  expect(await world.metric('ltv_30d', day)).toMatchObject({ numerator: '10', status: 'incomplete' });
  expect(await world.status('ltv_90d', day)).toBe('provisional');
  // Ads are asked for on the day alone.
  await world.query(`delete from ops.coverage where source = 'meta' and day = '2025-01-25'`);
  await world.cover([SHOP], '2025-01-25', '2025-01-25', true);
  await world.run({ now: noon('2025-06-01') });
  expect(await world.status('ltv_cac_90d', day)).toBe('incomplete');
  await world.cover([SHOP], '2025-03-11', '2025-06-01', true);
  await world.run({ now: noon('2025-06-01') });
  expect(await world.status('ltv_cac_90d', day)).toBe('final');
});

test('a rate missing among the days ahead: only the metrics that look so far say incomplete, and it is told once', async () => {
  await world.cover([SHOP], day, '2026-03-10');
  await world.order({ date: day, customer_id: '1', gross_sales: '10' });
  await world.order({ date: '2025-03-01', customer_id: '1', gross_sales: '10', currency: 'EUR' });
  const { warnings } = await world.run({ accounts: [SHOP] });
  expect(warnings.map(({ message }) => message)).toEqual([
    'No rate from EUR to USD for 2025-03-01: amounts in EUR are left out of these days',
  ]);
  expect(await world.metric('ltv_30d', day)).toMatchObject({ numerator: '10', status: 'provisional' });
  expect(await world.metric('ltv_90d', day)).toMatchObject({ numerator: '10', status: 'incomplete' });
  expect(await world.status('repeat_rate_90d', day)).toBe('provisional');
  // The rate comes late: what looked ahead to it is due, without a mark of its day.
  await world.rate('USD', '2025-02-28', '2');
  await world.run({ accounts: [SHOP] });
  expect(await world.value('ltv_90d', day)).toBe(30);
  expect(await world.status('ltv_90d', day)).toBe('provisional');
});

test('a change is due where it reaches: the cohort of its customer, the day of its order, and nowhere else', async () => {
  await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
  await world.order({ date: day, customer_id: '1', gross_sales: '10' });
  const later = await world.order({ date: '2025-02-01', customer_id: '1', gross_sales: '20' });
  await world.order({ date: '2025-03-05', customer_id: '2', gross_sales: '5' });
  await world.run();

  await world.refund({ order_external_id: later, date: '2025-02-05', returns: '6' });
  // Its own day, its order's, its customer's.
  expect(await world.run()).toMatchObject({ days: 3 });
  expect(await world.value('refund_rate_30d', '2025-02-01')).toBe(0.3);
  expect(await world.value('ltv_30d', day)).toBe(24);

  await world.query(`update orders set gross_sales = 30 where external_id = '${later}'`);
  expect(await world.run()).toMatchObject({ days: 2 });
  expect(await world.value('ltv_30d', day)).toBe(34);

  // The order goes to the other customer: the cohorts of the old and the new one.
  await world.query(`update orders set customer_id = '2' where external_id = '${later}'`);
  expect(await world.run()).toMatchObject({ days: 3 });
  expect(await world.value('ltv_30d', day)).toBe(10);
  expect(await world.value('ltv_90d', '2025-02-01')).toBe(29);
  expect(await world.value('new_customers', '2025-03-05')).toBe(0);

  // A recent change of an old customer reaches no cohort that is mature.
  await world.order({ date: '2026-03-08', customer_id: '1', gross_sales: '1' });
  expect(await world.run()).toMatchObject({ days: 1 });
});

test('the registry says how long each metric takes to mature, as its facts do', () => {
  for (const [name, metric] of Object.entries(METRICS))
    expect(deriveMetric(metric).withinDays, name).toBe(metric.maturityDays);
});
