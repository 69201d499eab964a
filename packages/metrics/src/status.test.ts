/** Status, coverage and currencies: what a value may claim (I10). */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const day = '2026-03-01';

test('I10: mixed currencies are converted at the rate of their own day, or the last one published', async () => {
  await world.cover([META, TIKTOK, SHOP], '2026-02-28', day);
  // Friday's rates serve the Sunday. 1 EUR = 1.10 USD = 0.80 GBP.
  await world.rate('USD', '2026-02-27', '1.10');
  await world.rate('GBP', '2026-02-27', '0.80');
  await world.rate('USD', '2026-03-02', '9');
  await world.spend({ spend: '10', currency: 'USD' });
  await world.spend({ spend: '10', currency: 'EUR' });
  await world.spend({ spend: '8', currency: 'GBP', source: 'tiktok' });
  const order = await world.order({ gross_sales: '80', currency: 'GBP' });
  await world.refund({ order_external_id: order, returns: '8', currency: 'GBP' });
  await world.run();
  expect(await world.value('ad_spend')).toBeCloseTo(10 + 11 + 11, 10);
  expect(await world.value('ad_spend[source=tiktok]')).toBeCloseTo(11, 10);
  expect(await world.value('net_sales')).toBeCloseTo(110 - 11, 10);
  expect(await world.value('blended_roas')).toBeCloseTo(99 / 32, 10);
});

test('I10: a missing rate leaves the fact out, says incomplete and is told once, until the rate comes', async () => {
  await world.cover([META, TIKTOK, SHOP], day, '2026-03-02');
  // Eight days old: too old for the 1st.
  await world.rate('USD', '2026-02-21', '1.10');
  await world.spend({ spend: '10', currency: 'USD', impressions: '5' });
  await world.spend({ spend: '10', currency: 'EUR', impressions: '5' });
  await world.spend({ spend: '10', currency: 'EUR', date: '2026-03-02' });
  const first = await world.run();
  expect(first.warnings).toHaveLength(1);
  expect(first.warnings[0]?.message).toContain('No rate from EUR to USD for 2026-03-01 to 2026-03-02');
  expect(first.warnings[0]?.context).toMatchObject({ currency: 'EUR', days: ['2026-03-01', '2026-03-02'] });
  expect(await world.value('ad_spend')).toBe(10);
  expect(await world.status('ad_spend')).toBe('incomplete');
  expect(await world.metric('impressions')).toMatchObject({ value: '10', status: 'provisional' });
  expect(await world.status('blended_roas')).toBe('incomplete');
  expect(await world.status('ad_spend[source=tiktok]')).toBe('provisional');
  expect(await world.status('orders')).toBe('provisional');

  expect(await world.run()).toMatchObject({ days: 0, warnings: [] });

  await world.rate('USD', '2026-02-26', '1.20');
  expect(await world.run()).toMatchObject({ days: 2, warnings: [] });
  expect(await world.value('ad_spend')).toBe(22);
  expect(await world.status('ad_spend')).toBe('provisional');
});

test('a fixed rate stands in for a currency that the ECB lacks, and a change of it is due by itself', async () => {
  await world.cover([META, TIKTOK, SHOP], day, day);
  await world.rate('USD', day, '1.10');
  await world.spend({ spend: '4', currency: 'AED' });
  await world.run();
  expect(await world.status('ad_spend')).toBe('incomplete');
  await world.db
    .updateTable('ops.settings')
    .set({ fixed_rates: JSON.stringify({ AED: '4.40' }) })
    .execute();
  await world.run();
  expect(await world.value('ad_spend')).toBe(1);
  expect(await world.status('ad_spend')).toBe('provisional');
  await world.db.updateTable('ops.settings').set({ fixed_rates: '{}' }).execute();
});

test('I10: a ratio of several days is the quotient of the sums, never a mean', async () => {
  await world.cover([META, TIKTOK, SHOP], day, '2026-03-03');
  for (const [date, spend, value] of [
    [day, '100', '200'],
    ['2026-03-02', '1000', '1500'],
    ['2026-03-03', '10', '100'],
  ] as const)
    await world.spend({ date, spend, conversion_value: value });
  await world.run();
  const { rows } = await world.query<{ value: string; dimensions: object }>(
    `select value, dimensions from metric_range('platform_roas', '2026-03-01', '2026-03-03', 'month') where dimensions = '{}'`,
  );
  expect(Number(rows[0]?.value)).toBeCloseTo(1800 / 1110, 12);
});

test('I10: a day that an account lacks is incomplete: the partial sum, or null when nothing was read', async () => {
  await world.cover([META, SHOP], day, '2026-03-02');
  await world.cover([TIKTOK], '2026-03-02', '2026-03-02');
  await world.spend({ spend: '10' });
  await world.run();
  expect(await world.metric('ad_spend')).toMatchObject({ value: '10', status: 'incomplete' });
  expect(await world.metric('ad_spend[source=meta]')).toMatchObject({ value: '10', status: 'provisional' });
  expect(await world.metric('ad_spend[source=tiktok]')).toMatchObject({ value: null, status: 'incomplete' });
  expect(await world.status('orders')).toBe('provisional');
  expect(await world.status('cac')).toBe('incomplete');
  expect(await world.status('ad_spend', '2026-03-02')).toBe('provisional');

  // The day is read at last: due without any mark, because no row changed.
  await world.cover([TIKTOK], day, day);
  expect(await world.run()).toMatchObject({ days: 1, deleted: 0 });
  expect(await world.metric('ad_spend')).toMatchObject({ value: '10', status: 'provisional' });
});

test('rows run from the earliest covered day to today; an old order does not make its day look covered', async () => {
  await world.cover([META], '2026-03-08', '2026-03-09');
  await world.cover([SHOP], '2026-03-09', '2026-03-09');
  await world.order({ date: '2026-03-01', gross_sales: '5' });
  await world.order({ date: '2026-03-08', gross_sales: '5' });
  await world.run();
  const { rows } = await world.query<{ date: string; status: string; value: string | null }>(
    `select date, status, value from daily_metrics where external_id = 'gross_sales' order by date`,
  );
  expect(rows).toEqual([
    { date: '2026-03-08', status: 'incomplete', value: null },
    { date: '2026-03-09', status: 'provisional', value: '0' },
    { date: '2026-03-10', status: 'incomplete', value: null },
  ]);
});

test('final by the clock alone: every needed account read after the restatement window, never today', async () => {
  await world.cover([META, SHOP], day, '2026-03-10', true);
  await world.cover([TIKTOK], day, '2026-03-10');
  await world.run();
  expect(await world.status('orders')).toBe('final');
  expect(await world.status('orders', '2026-03-10')).toBe('provisional');
  expect(await world.status('ad_spend[source=meta]')).toBe('final');
  expect(await world.status('ad_spend')).toBe('provisional');
  expect(await world.status('acos')).toBe('provisional');

  await world.query(`update ops.coverage set read_at = final_at where source = 'tiktok'`);
  await world.run({ now: Temporal.Instant.from('2026-03-11T00:00:00Z') });
  expect(await world.status('ad_spend')).toBe('final');
  expect(await world.status('orders', '2026-03-10')).toBe('final');
  expect(await world.status('orders', '2026-03-11')).toBe('incomplete');
});

test('a final value that moves is logged with its old and new value', async () => {
  await world.cover([META, TIKTOK, SHOP], day, day, true);
  await world.spend({ spend: '10' });
  await world.run();
  expect(await world.status('ad_spend')).toBe('final');
  await world.query(`update spend set spend = 12`);
  world.lines.length = 0;
  await world.run();
  expect(world.lines.map((line): unknown => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ metric: 'ad_spend', date: day, old_value: '10', new_value: '12' }),
  );
});

test('an account taken out of the configuration keeps its rows and no longer makes a day incomplete', async () => {
  await world.cover([META, SHOP], day, '2026-03-10');
  await world.cover([TIKTOK], day, day);
  await world.spend({ source: 'tiktok', spend: '3' });
  await world.run();
  expect(await world.status('ad_spend', '2026-03-02')).toBe('incomplete');
  await world.run({ accounts: [META, SHOP] });
  expect(await world.metric('ad_spend')).toMatchObject({ value: '3', status: 'provisional' });
  expect(await world.value('ad_spend[source=tiktok]')).toBe(3);
  expect(await world.status('ad_spend', '2026-03-02')).toBe('provisional');
  expect(await world.metric('ad_spend[source=tiktok]', '2026-03-02')).toBeUndefined();
});

test('a metric of a source that is not set up has no rows', async () => {
  await world.cover([SHOP], day, '2026-03-10');
  await world.run({ accounts: [SHOP] });
  expect(await world.status('orders')).toBe('provisional');
  expect(await world.metric('ad_spend')).toBeUndefined();
  expect(await world.metric('cac')).toBeUndefined();
});

test('settings of another zone or currency stop the run before it writes', async () => {
  await world.cover([META], day, day);
  await expect(world.run({ reporting: { timezone: 'UTC', currency: 'EUR' } })).rejects.toMatchObject({
    type: 'config',
  });
  expect(await world.metric('ad_spend')).toBeUndefined();
});
