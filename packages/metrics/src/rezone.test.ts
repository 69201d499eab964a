/** Another reporting time zone or currency: what moves, what stays, and that it happens whole or not at all. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { createWorld, META, POSTHOG, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.clear();
  await world.query(`update ops.settings set reporting_timezone = 'UTC', reporting_currency = 'USD'`);
});

const HONOLULU = { timezone: 'Pacific/Honolulu', currency: 'EUR' };
const dates = async (table: string) =>
  (await world.query<{ date: string }>(`select date from ${table} order by external_id`)).rows.map(
    ({ date }) => date,
  );

async function fill() {
  await world.cover([META, TIKTOK], '2026-02-01', '2026-03-10');
  // Read at noon of the last day; final at the end of each day.
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select 'shopify', 'a.myshopify.com', 'orders', d::date, '2026-03-10T12:00:00Z', d + interval '1 day'
    from generate_series('2026-02-01'::timestamp, '2026-03-10'::timestamp, '1 day') d`.execute(world.db);
  await world.rate('USD', '2026-02-01', '2');
  for (const date of ['2026-02-08', '2026-02-15', '2026-02-22', '2026-03-01', '2026-03-08'])
    await world.rate('USD', date, '2');
  // 05:00 in UTC is the evening before in Honolulu.
  const order = await world.order({
    external_id: 'shopify:1',
    date: '2026-03-01',
    processed_at: '2026-03-01T05:00:00Z',
    gross_sales: '10',
  });
  await world.order({
    external_id: 'shopify:2',
    date: '2026-03-01',
    processed_at: '2026-03-01T15:00:00Z',
    gross_sales: '30',
    cancelled_at: '2026-03-05T01:00:00Z',
  });
  await sql`
    insert into order_items (external_id, date, order_external_id, quantity, gross_sales, discounts, is_gift_card)
    values ('shopify:11', '2026-03-01', 'shopify:1', 1, 10, 0, false)`.execute(world.db);
  await world.refund({
    external_id: 'shopify:21',
    order_external_id: order,
    date: '2026-03-04',
    returns: '4',
    processed_at: '2026-03-04T02:00:00Z',
  });
  await world.refund({
    external_id: 'shopify:cancel:2',
    order_external_id: 'shopify:2',
    date: '2026-03-05',
    returns: '30',
  });
  await world.spend({ spend: '6' });
  await world.run();
}

test('orders, items, refunds and coverage move to the new calendar, ads stay, everything is computed anew', async () => {
  await fill();
  expect(await world.metric('gross_sales', '2026-03-01')).toMatchObject({ value: '40' });
  const result = await world.run({ reporting: HONOLULU, rezone: true, check: 'now' });
  expect(result.warnings.filter(({ type }) => type !== 'drift')).toEqual([]);
  expect(await dates('orders')).toEqual(['2026-02-28', '2026-03-01']);
  expect(await dates('order_items')).toEqual(['2026-02-28']);
  expect(await dates('refunds')).toEqual(['2026-03-03', '2026-03-04']);
  expect(await world.value('gross_sales', '2026-02-28')).toBe(5);
  expect(await world.value('gross_sales', '2026-03-01')).toBe(15);
  expect(await world.value('ad_spend', '2026-03-01')).toBe(3);
  expect(
    (await world.query(`select distinct unit from daily_metrics where metric = 'ad_spend'`)).rows,
  ).toEqual([{ unit: 'EUR' }]);
  expect((await world.query('select reporting_timezone, reporting_currency from ops.settings')).rows).toEqual(
    [{ reporting_timezone: 'Pacific/Honolulu', reporting_currency: 'EUR' }],
  );
  // The day of the last reading (02:00 in Honolulu) began, the days before it are over; each ends ten hours later.
  const { rows } = await world.query<{ day: string; final_at: string; settled: boolean }>(
    `select day, final_at, read_at >= final_at as settled from ops.coverage where source = 'shopify' order by day`,
  );
  expect(rows.at(0)?.day).toBe('2026-02-01');
  expect(rows.slice(-2)).toEqual([
    { day: '2026-03-09', final_at: '2026-03-10T10:00:00Z', settled: true },
    { day: '2026-03-10', final_at: '2026-03-11T10:00:00Z', settled: false },
  ]);
  // A second time there is nothing to move.
  expect(await world.run({ reporting: HONOLULU, rezone: true })).toMatchObject({
    inserted: 0,
    updated: 0,
    deleted: 0,
  });
});

test('a day that reaches into one that was never read is not covered', async () => {
  await fill();
  await world.query(`delete from ops.coverage where source = 'shopify' and day = '2026-02-10'`);
  await world.run({ reporting: HONOLULU, rezone: true });
  const { rows } = await world.query<{ day: string }>(
    `select day from ops.coverage where source = 'shopify' and day between '2026-02-07' and '2026-02-12' order by day`,
  );
  // The 9th in Honolulu ends at 10:00 of the 10th in UTC.
  expect(rows.map(({ day }) => day)).toEqual(['2026-02-07', '2026-02-08', '2026-02-11', '2026-02-12']);
  expect(await world.status('orders', '2026-02-09')).toBe('incomplete');
});

test('interrupted, nothing has changed, and the next time it goes through', async () => {
  await fill();
  const before = await world.query('select * from daily_metrics order by external_id, date');
  const failing = world.run({
    reporting: HONOLULU,
    rezone: true,
    write: (work) =>
      world.db.transaction().execute(async (trx) => {
        await work(trx);
        throw new Error('killed');
      }),
  });
  await expect(failing).rejects.toThrow('killed');
  expect(await dates('orders')).toEqual(['2026-03-01', '2026-03-01']);
  expect((await world.query('select * from daily_metrics order by external_id, date')).rows).toEqual(
    before.rows,
  );
  await world.run({ reporting: HONOLULU, rezone: true });
  expect(await dates('orders')).toEqual(['2026-02-28', '2026-03-01']);
});

test('a refund without an instant keeps its day, and is told', async () => {
  await fill();
  await world.query(`update refunds set processed_at = null`);
  const { warnings } = await world.run({ reporting: HONOLULU, rezone: true });
  expect(warnings.map(({ message }) => message)).toContainEqual(
    '1 refunds keep the day of the former time zone: when they were processed is not stored',
  );
  expect(await dates('refunds')).toEqual(['2026-03-04', '2026-03-04']);
});

test('days of events were counted by the vendor: they are unknown until they are read again, and that is told', async () => {
  await world.months('2026-02-01', '2026-03-31');
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await world.did('ann', 'page_viewed', '2026-03-01');
  await world.run({ accounts: [POSTHOG] });
  expect(await world.value('dau', '2026-03-01')).toBe(1);
  const { warnings } = await world.run({ accounts: [POSTHOG], reporting: HONOLULU, rezone: true });
  expect(warnings).toMatchObject([
    {
      severity: 'P2',
      advice: expect.stringContaining('--source posthog --from 2026-02-01 --to 2026-03-10') as unknown,
    },
  ]);
  // Read again: by the days of Honolulu.
  await world.cover([POSTHOG], '2026-02-28', '2026-03-10');
  await world.query(`update event_user_days set date = '2026-02-28'`);
  await world.run({ accounts: [POSTHOG], reporting: HONOLULU });
  expect(await world.value('dau', '2026-02-28')).toBe(1);
  expect(await world.value('dau', '2026-03-01')).toBe(0);
});
