/** What is remembered of values that move: revisions of final ones, the restatement ledger, the nightly check. */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { estimateCompleteness } from './completeness.ts';
import { createWorld, META, RUN_ID, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const day = '2026-03-01';
const noon = (date: string) => Temporal.Instant.from(`${date}T12:00:00Z`);

describe('metric_revisions', () => {
  const revisions = async () =>
    (
      await world.query(
        'select external_id, date, old_value, new_value, new_status, cause, run_id from metric_revisions order by id',
      )
    ).rows;

  test('a final value that moves is recorded with its cause, counted and told; a provisional one is not', async () => {
    await world.cover([META, TIKTOK, SHOP], day, day, true);
    await world.cover([META, TIKTOK, SHOP], '2026-03-02', '2026-03-02');
    await world.spend({ spend: '10', clicks: '5' });
    await world.spend({ spend: '10', clicks: '5', date: '2026-03-02' });
    expect(await world.run()).toMatchObject({ revisions: 0, warnings: [] });
    await world.query('update spend set spend = 12');
    const result = await world.run();
    expect(result.revisions).toBe(4);
    expect(result.warnings).toMatchObject([{ severity: 'P3', type: 'drift' }]);
    expect(result.warnings[0]?.message).toContain(
      '4 final values moved: ad_spend of 2026-03-01 from 10 to 12 (spend)',
    );
    expect(await revisions()).toContainEqual({
      external_id: 'ad_spend',
      date: day,
      old_value: '10',
      new_value: '12',
      new_status: 'final',
      cause: 'spend',
      run_id: RUN_ID,
    });
    expect(await world.run({ full: true })).toMatchObject({ revisions: 0, updated: 0 });
    expect(await revisions()).toHaveLength(4);
  });

  test('a final value that is gone is a revision too', async () => {
    await world.cover([META, TIKTOK, SHOP], day, day, true);
    await world.spend({ spend: '10' });
    await world.run();
    await world.query(`update ops.coverage set day = '2026-03-02'`);
    await world.run();
    expect(await revisions()).toContainEqual(
      expect.objectContaining({
        external_id: 'ad_spend',
        old_value: '10',
        new_value: null,
        new_status: null,
        cause: 'coverage',
      }),
    );
  });
});

describe('the restatement ledger', () => {
  const ledger = async () =>
    (
      await world.query(
        'select source, day, currency, age_days, spend, conversions, revenue from ops.restatements order by source, day, currency, read_at',
      )
    ).rows;

  test('a row each time that an account’s day moved, none when it did not', async () => {
    await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
    await world.spend({ spend: '10', conversions: '2', conversion_value: '30' });
    await world.spend({ spend: '5' });
    const order = await world.order({ gross_sales: '50', discounts: '5' });
    await world.run({ now: noon('2026-03-02') });
    await world.query(`update spend set campaign_name = 'x'`);
    await world.query('update spend set clicks = 9');
    await world.run({ now: noon('2026-03-03') });
    await world.query('update spend set conversions = 3, conversion_value = 40 where conversions = 2');
    await world.refund({ order_external_id: order, returns: '7' });
    await world.run({ now: noon('2026-03-04') });
    await world.query('delete from spend');
    await world.run({ now: noon('2026-03-08') });
    const ads = { source: 'meta', day, currency: 'USD' };
    const shop = { source: 'shopify', day, currency: 'USD', spend: '0', conversions: '1' };
    expect(await ledger()).toEqual([
      { ...ads, age_days: 1, spend: '15', conversions: '2', revenue: '30' },
      { ...ads, age_days: 3, spend: '15', conversions: '3', revenue: '40' },
      { ...ads, age_days: 7, spend: '0', conversions: '0', revenue: '0' },
      { ...shop, age_days: 1, revenue: '45' },
      { ...shop, age_days: 3, revenue: '38' },
    ]);
  });

  test('the maturity curve: sums over sums of settled days, each read early enough to know', async () => {
    await world.cover([META, TIKTOK, SHOP], '2026-02-01', '2026-02-03', true);
    const put = (date: string, ages: readonly (readonly [number, number])[]) =>
      world.query(
        `insert into ops.restatements (source, account_id, day, currency, read_at, age_days, spend, conversions, revenue)
        values ${ages.map(([age, conversions]) => `('meta', '1', '${date}', 'USD', '${date}'::timestamptz + interval '${age} days', ${age}, 10, ${conversions}, ${conversions})`).join(', ')}`,
      );
    await put('2026-02-01', [
      [1, 6],
      [5, 8],
      [20, 10],
    ]);
    await put('2026-02-02', [
      [0, 20],
      [7, 30],
    ]);
    // Read for the first time after 10 days; not settled: neither says anything of the third day.
    await put('2026-02-03', [[10, 40]]);
    await put('2026-02-04', [[0, 1]]);
    const { rows } = await world.query<{ age_days: number; days: number; share: string; spend: string }>(
      `select age_days, days, round(conversions_share, 4) as share, spend_share::int as spend from ops.maturity_curve
      where age_days in (0, 1, 3, 7, 14, 28) order by age_days`,
    );
    expect(rows.map(({ age_days, days, share }) => [age_days, days, Number(share)])).toEqual([
      [0, 1, 0.6667],
      [1, 2, 0.65],
      [3, 2, 0.65],
      [7, 2, 0.95],
      [14, 3, 0.975],
      [28, 3, 1],
    ]);
    expect(rows.every(({ spend }) => Number(spend) === 1)).toBe(true);
  });

  test('how complete a day is follows from its account’s earlier days; a day still under way there says nothing', async () => {
    await world.cover([META, SHOP], '2026-02-01', '2026-02-02', true);
    const put = (
      source: string,
      account: string,
      date: string,
      ages: readonly (readonly [number, number])[],
    ) =>
      world.query(
        `insert into ops.restatements (source, account_id, day, currency, read_at, age_days, spend, conversions, revenue)
        values ${ages.map(([age, conversions]) => `('${source}', '${account}', '${date}', 'USD', '${date}'::timestamptz + interval '${age} days', ${age}, 10, ${conversions}, 0)`).join(', ')}`,
      );
    // The last reading of a day is late in its evening: in the morning far less is known.
    const curve = [
      [0, 95],
      [1, 98],
      [2, 99],
      [5, 100],
    ] as const;
    for (const date of ['2026-02-01', '2026-02-02']) {
      await put('meta', '1', date, curve);
      await put('shopify', 'a.myshopify.com', date, curve);
    }
    await put('meta', '1', '2026-03-09', [[0, 3]]);
    await put('shopify', 'a.myshopify.com', '2026-03-09', [[0, 3]]);
    await world.spend({ date: '2026-03-09', account_timezone: 'America/Los_Angeles', conversions: '3' });
    const share = async (metric: string, now: string) =>
      (await estimateCompleteness(world.db, { metric, source: '', days: ['2026-03-09'], now })).get(
        '2026-03-09',
      );
    expect(await share('platform_conversions', '2026-03-09T12:00:00Z')).toBeUndefined();
    // In Los Angeles the day ends at 07:00 UTC.
    expect(await share('platform_conversions', '2026-03-10T06:00:00Z')).toBeUndefined();
    expect(await share('platform_conversions', '2026-03-10T08:00:00Z')).toBe(0.98);
    expect(await share('platform_conversions', '2026-03-11T06:00:00Z')).toBe(0.98);
    expect(await share('orders', '2026-03-09T23:00:00Z')).toBeUndefined();
    expect(await share('orders', '2026-03-10T06:00:00Z')).toBe(0.98);
  });
});

describe('the check', () => {
  const untracked = async (statement: string) => {
    await world.query('set session_replication_role = replica');
    await world.query(statement);
    await world.query('set session_replication_role = origin');
  };

  test('is done once a day, or when asked', async () => {
    await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
    const first = await world.run({ check: 'daily' });
    expect(first.check).toMatchObject({ days: 10, mismatches: 0 });
    expect(first.check?.rows).toBeGreaterThan(300);
    expect((await world.run({ check: 'daily' })).check).toBeNull();
    expect((await world.run({ check: 'now' })).check).not.toBeNull();
    expect((await world.run({ check: 'daily', now: noon('2026-03-11') })).check).not.toBeNull();
  });

  test('a change that left no mark is P1, names the metric and the day, and the next run puts it right', async () => {
    await world.cover([META, TIKTOK, SHOP], '2026-01-01', '2026-03-10');
    await world.spend({ spend: '10' });
    await world.run();
    await untracked(`update spend set spend = 99`);
    await expect(world.run({ check: 'now' })).rejects.toMatchObject({
      severity: 'P1',
      message: expect.stringContaining(
        'ad_spend of 2026-03-01 is 10, computed anew 99; ad_spend[source=meta] of 2026-03-01 is 10',
      ) as string,
    });
    expect(await world.run({ check: 'now' })).toMatchObject({ days: 1, check: { mismatches: 0 } });
    expect(await world.value('ad_spend')).toBe(99);
  });

  test('says what differs where it is not the value', async () => {
    await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
    await world.run();
    await world.query(
      `update daily_metrics set status = 'final' where external_id = 'orders' and date = '${day}'`,
    );
    await expect(world.run({ check: 'now' })).rejects.toMatchObject({
      message: expect.stringContaining(
        'orders of 2026-03-01 is 0 (status final), computed anew 0 (status provisional)',
      ) as string,
    });
    await world.run();
    await world.query(
      `update daily_metrics set numerator = 1, status = 'final' where external_id = 'ctr' and date = '${day}'`,
    );
    await expect(world.run({ check: 'now' })).rejects.toMatchObject({
      message: expect.stringContaining(
        'ctr of 2026-03-01 is null (numerator 1, status final), computed anew null (numerator 0, status provisional)',
      ) as string,
    });
  });

  test('a stored value that somebody changed is found, also a numerator', async () => {
    await world.cover([META, TIKTOK, SHOP], day, '2026-03-10');
    await world.run();
    await world.query(`update daily_metrics set numerator = 1 where external_id = 'ctr' and date = '${day}'`);
    await expect(world.run({ check: 'now' })).rejects.toMatchObject({
      context: { mismatches: 1, examples: [{ external_id: 'ctr', date: day }] },
    });
  });
});
