/** What people read: metric_range, daily_metrics_wide, campaign_days, definitions, and who may read them. */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { listDefinitions, syncDefinitions } from './definitions.ts';
import { METRICS } from './registry.ts';
import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const ACCOUNTS = [META, TIKTOK, SHOP];

async function range(metric: string, from: string, to: string, grain: string) {
  const { rows } = await world.query<{
    period: string;
    first_day: string;
    last_day: string;
    value: string | null;
    status: string;
    days: number;
  }>(
    `select period, first_day, last_day, value, status, days from metric_range('${metric}', '${from}', '${to}', '${grain}') where dimensions = '{}'`,
  );
  return rows;
}

describe('metric_range', () => {
  beforeEach(async () => {
    // 2026-03-01 is a Sunday.
    await world.cover([META, SHOP], '2026-02-27', '2026-03-10', true);
    await world.cover([TIKTOK], '2026-02-28', '2026-03-10', true);
  });

  test('sums by ISO week, cut to the range, with the worst status of its days', async () => {
    for (const [date, spend] of [
      ['2026-02-27', '1'],
      ['2026-03-01', '2'],
      ['2026-03-02', '4'],
      ['2026-03-09', '8'],
    ] as const)
      await world.spend({ date, spend });
    await world.run();
    expect(await range('ad_spend', '2026-02-27', '2026-03-10', 'week')).toEqual([
      {
        period: '2026-02-23',
        first_day: '2026-02-27',
        last_day: '2026-03-01',
        value: '3',
        status: 'incomplete',
        days: 3,
      },
      {
        period: '2026-03-02',
        first_day: '2026-03-02',
        last_day: '2026-03-08',
        value: '4',
        status: 'final',
        days: 7,
      },
      {
        period: '2026-03-09',
        first_day: '2026-03-09',
        last_day: '2026-03-10',
        value: '8',
        status: 'provisional',
        days: 2,
      },
    ]);
    expect(await range('ad_spend', '2026-02-28', '2026-03-01', 'month')).toMatchObject([
      { value: '0' },
      { value: '2', last_day: '2026-03-01' },
    ]);
    expect(await range('ad_spend', '2026-03-01', '2026-03-02', 'day')).toMatchObject([
      { value: '2' },
      { value: '4' },
    ]);
  });

  test('a ratio over several days takes days that know both parts; a zero denominator is null', async () => {
    await world.spend({ date: '2026-03-01', clicks: '1', impressions: '10' });
    await world.spend({ date: '2026-03-02', clicks: '3', impressions: '10' });
    await world.run();
    expect(Number((await range('ctr', '2026-03-01', '2026-03-03', 'month'))[0]?.value)).toBe(0.2);
    expect(await range('ctr', '2026-03-03', '2026-03-04', 'month')).toMatchObject([{ value: null }]);
  });

  test('distinct people do not add up: null for more than a day', async () => {
    await world.order({ date: '2026-03-01', customer_id: '1' });
    await world.order({ date: '2026-03-02', customer_id: '1' });
    await world.run();
    expect(await range('returning_customers', '2026-03-02', '2026-03-02', 'week')).toMatchObject([
      { value: '1' },
    ]);
    expect(await range('returning_customers', '2026-03-02', '2026-03-03', 'week')).toMatchObject([
      { value: null },
    ]);
  });

  test('a snapshot is its last day', async () => {
    await world.run();
    await world.db.transaction().execute(async (trx) => {
      await sql`update metric_definitions set additivity = 'snapshot' where name = 'orders'`.execute(trx);
      await sql`update daily_metrics set value = extract(day from date) where metric = 'orders'`.execute(trx);
      const { rows } =
        await sql`select value from metric_range('orders', '2026-03-02', '2026-03-06', 'week')`.execute(trx);
      expect(rows).toEqual([{ value: '6' }]);
    });
  });

  test('I10: a period with a day that nothing was read of is incomplete, whatever its other days are', async () => {
    await world.clear();
    await world.cover([SHOP], '2026-02-20', '2026-03-10', true);
    await world.order({ date: '2026-02-20' });
    await world.order({ date: '2026-03-03' });
    await world.run({ accounts: [SHOP] });
    expect(await range('orders', '2026-02-01', '2026-03-31', 'month')).toMatchObject([
      { value: '1', status: 'incomplete', days: 9 },
      // The last day is under way, and those after it are to come.
      { value: '1', status: 'provisional', days: 10 },
    ]);
    expect(await range('orders', '2026-02-20', '2026-03-09', 'month')).toMatchObject([
      { status: 'final' },
      { status: 'final' },
    ]);
    expect(await range('aov', '2026-02-16', '2026-02-22', 'week')).toMatchObject([{ status: 'incomplete' }]);
  });

  test('a snapshot is incomplete when its last day was not read, and not for want of its first days', async () => {
    await world.cover([META, SHOP], '2026-03-11', '2026-03-12', true);
    await world.run({ now: Temporal.Instant.from('2026-03-12T12:00:00Z') });
    await world.db.transaction().execute(async (trx) => {
      await sql`update metric_definitions set additivity = 'snapshot' where name = 'orders'`.execute(trx);
      await sql`update daily_metrics set status = 'final' where metric = 'orders'`.execute(trx);
      const statuses = async () =>
        (
          await sql<{
            status: string;
          }>`select status from metric_range('orders', '2026-02-01', '2026-03-31', 'month')`.execute(trx)
        ).rows.map(({ status }) => status);
      expect(await statuses()).toEqual(['final', 'final']);
      await sql`delete from daily_metrics where metric = 'orders' and date in ('2026-02-28', '2026-03-12')`.execute(
        trx,
      );
      expect(await statuses()).toEqual(['incomplete', 'incomplete']);
    });
  });

  test('a grain that is none is refused', async () => {
    await expect(range('orders', '2026-03-01', '2026-03-02', 'year')).rejects.toMatchObject({
      code: '22023',
    });
  });
});

describe('daily_metrics_wide', () => {
  const columns = async () =>
    (
      await world.query<{ attname: string }>(
        `select attname from pg_attribute where attrelid = 'daily_metrics_wide'::regclass and attnum > 1 order by attname`,
      )
    ).rows.map((row) => row.attname);

  test('has a column a metric, and follows the registry without being edited', async () => {
    await world.cover(ACCOUNTS, '2026-03-01', '2026-03-10');
    await world.spend({ spend: '5', clicks: '2' });
    await world.run();
    expect(await columns()).toEqual(Object.keys(METRICS).sort());
    const { rows } = await world.query(
      'select date, ad_spend, cpc, orders, ctr from daily_metrics_wide order by date limit 1',
    );
    expect(rows).toEqual([
      { date: '2026-03-01', ad_spend: '5', cpc: '2.5000000000000000', orders: '0', ctr: null },
    ]);

    const { orders, ...fewer } = METRICS;
    const more = { ...fewer, spent: { ...METRICS.ad_spend, label: 'Spent' } };
    await world.run({ metrics: more });
    expect(await columns()).toEqual(Object.keys(more).sort());
    expect((await world.query('select spent from daily_metrics_wide order by date limit 1')).rows).toEqual([
      { spent: '5' },
    ]);
    expect(await world.metric('orders')).toBeUndefined();
    expect(orders.label).toBe('Orders');
    await world.run();
    expect(await columns()).toEqual(Object.keys(METRICS).sort());
  });

  test('a metric that is added leaves what others built on the view alone', async () => {
    const { cac, ...fewer } = METRICS;
    expect(cac.kind).toBe('ratio');
    await world.run({ metrics: fewer });
    await world.query('create view mine as select date, orders from daily_metrics_wide');
    await world.run();
    expect(await columns()).toContain('cac');
    await world.query('drop view mine');
  });
});

test('campaign_days converts, adds up ads, and is null rather than partial when a rate is missing', async () => {
  await world.rate('USD', '2026-03-01', '1.5');
  await world.spend({
    spend: '10',
    currency: 'EUR',
    impressions: '5',
    clicks: '2',
    conversions: '1',
    conversion_value: '30',
    campaign_name: 'Spring',
  });
  await world.spend({ spend: '5', impressions: '5' });
  await world.spend({ spend: '7', currency: 'AED', campaign_id: 'c2' });
  await world.spend({ spend: '7', campaign_id: 'c2' });
  const { rows } = await world.query(
    'select source, account, campaign, campaign_name, day, spend::float, impressions, clicks, conversions, value::float, roas::float from campaign_days order by campaign',
  );
  const common = { source: 'meta', account: '1', day: '2026-03-01' };
  expect(rows).toEqual([
    {
      ...common,
      campaign: 'c1',
      campaign_name: 'Spring',
      spend: 20,
      impressions: '10',
      clicks: '2',
      conversions: '1',
      value: 45,
      roas: 2.25,
    },
    {
      ...common,
      campaign: 'c2',
      campaign_name: null,
      spend: null,
      impressions: '0',
      clicks: '0',
      conversions: '0',
      value: null,
      roas: null,
    },
  ]);
});

describe('definitions', () => {
  test('are those of the registry, and a second sync writes nothing', async () => {
    await world.run();
    const { rows } = await world.query('select * from metric_definitions');
    expect(new Set(rows)).toEqual(new Set(listDefinitions()));
    expect(rows).toContainEqual(
      expect.objectContaining({
        name: 'cac',
        clock: 'mixed',
        sources: ['meta', 'tiktok', 'shopify'],
        dimensions: [],
      }),
    );
    const before = await world.query('select name, xmin from metric_definitions order by 1');
    await world.db.transaction().execute((trx) => syncDefinitions(trx));
    expect((await world.query('select name, xmin from metric_definitions order by 1')).rows).toEqual(
      before.rows,
    );
  });

  test('only a metric of ads alone can be had by source, and a ratio has two parts', () => {
    for (const [name, metric] of Object.entries(METRICS)) {
      if (metric.dimensions.length > 0)
        expect(listDefinitions().find((definition) => definition.name === name)?.sources).toEqual([
          'meta',
          'tiktok',
        ]);
      expect(metric.kind === 'ratio').toBe('numerator' in metric.formula);
    }
  });
});

describe('who may read', () => {
  const readable = [
    'daily_metrics',
    'daily_metrics_wide',
    'metric_definitions',
    'metric_revisions',
    `metric_range('orders', '2026-03-01', '2026-03-02', 'day')`,
  ];

  async function count(role: string, claims: object | undefined, from: string): Promise<number> {
    return world.db.transaction().execute(async (trx) => {
      if (claims !== undefined)
        await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`.execute(trx);
      await sql`set local role ${sql.ref(role)}`.execute(trx);
      const { rows } = await sql.raw<{ count: string }>(`select count(*) from ${from}`).execute(trx);
      return Number(rows[0]?.count);
    });
  }

  beforeEach(async () => {
    await world.cover(ACCOUNTS, '2026-03-01', '2026-03-10', true);
    await world.run();
    await world.spend({ spend: '1' });
    await world.run();
  });

  test.each(readable)('%s: analysts and admins, nobody else', async (from) => {
    for (const floyoRole of ['analyst', 'admin'])
      expect(await count('authenticated', { app_metadata: { floyo_role: floyoRole } }, from)).toBeGreaterThan(
        0,
      );
    expect(await count('service_role', undefined, from)).toBeGreaterThan(0);
    for (const claims of [
      undefined,
      {},
      { app_metadata: { floyo_role: 'viewer' } },
      { user_metadata: { floyo_role: 'admin' }, floyo_role: 'admin' },
    ])
      expect(await count('authenticated', claims, from)).toBe(0);
    await expect(count('anon', { app_metadata: { floyo_role: 'admin' } }, from)).rejects.toMatchObject({
      code: '42501',
    });
  });

  test.each([
    'campaign_days',
    'spend',
    'ops.dirty_marks',
    'ops.missing_rates',
    'ops.restatements',
    'ops.maturity_curve',
    'ops.metric_days',
    'ops.erasures',
    `ops.reporting_rate('EUR', '2026-03-01')`,
  ])('%s: the service role alone', async (from) => {
    expect(await count('service_role', undefined, from)).toBeGreaterThanOrEqual(0);
    for (const role of ['anon', 'authenticated'])
      await expect(count(role, { app_metadata: { floyo_role: 'admin' } }, from)).rejects.toMatchObject({
        code: '42501',
      });
  });

  test('no function of the schema can be run by anon', async () => {
    const { rows } = await world.query(`
      select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname in ('public', 'ops') and has_function_privilege('anon', p.oid, 'execute')`);
    expect(rows).toEqual([]);
  });
});
