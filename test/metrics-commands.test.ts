/** What people ask the metrics on the command line: values, why, maturity, another zone, erasing a customer. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { encodeChange } from '@floyo/billing-webhook/mapping/encode-change';
import { mapEvent } from '@floyo/billing-webhook/mapping/map-event';
import {
  listOf,
  makeEvent,
  makeItem,
  makePrice,
  makeSubscription,
} from '@floyo/billing-webhook/testing/events';
import { connect, type Session } from '@floyo/shared/db';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

import { floyo, floyoJson } from './floyo.ts';

let database: TestDatabase;
let session: Session;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  env = {
    DATABASE_URL: database.url,
    FLOYO_NOW: '2026-03-10T12:00:00Z',
    META_ACCESS_TOKEN: 'token-of-meta',
    META_AD_ACCOUNT_IDS: '1',
    SHOPIFY_SHOPS: 'a.myshopify.com',
    SHOPIFY_ACCESS_TOKENS: 'token-of-shop',
  };
  await fill();
  expect(await floyo(['metrics'], env)).toMatchObject({ code: 0 });
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

/** Ten days of an ad and of orders; Ann (77) orders on the 1st and the 3rd. */
async function fill() {
  const { db } = session;
  const { rows } = await sql<{ id: string }>`
    insert into ops.runs (kind, status) values ('scheduled', 'succeeded') returning id`.execute(db);
  const run = rows[0]?.id;
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at, run_id)
    select a.source, a.account, a.stream, d, d + interval '2 days', d + a.final, ${run}::uuid
    from generate_series('2026-03-01'::timestamp, '2026-03-10', '1 day') d,
      (values ('meta', '1', 'insights', interval '29 days'), ('shopify', 'a.myshopify.com', 'orders', interval '1 day')) a (source, account, stream, final)`.execute(
    db,
  );
  await sql`
    insert into spend (external_id, date, source, account_id, account_timezone, campaign_id, campaign_name, ad_group_id, ad_id,
      ad_name, currency, spend, impressions, clicks, conversions, conversion_value, raw, run_id)
    select 'meta:9', d, 'meta', '1', 'UTC', 'c', 'Spring', 'g', '9', 'Blue', 'EUR', 10, 100, 10, 2, 30, '{}', ${run}::uuid
    from generate_series('2026-03-01'::date, '2026-03-09', '1 day') d`.execute(db);
  await sql`
    insert into fx_rates (external_id, date, quote, rate_per_eur)
    select 'ecb:USD', d, 'USD', 1.5 from generate_series('2026-02-27'::date, '2026-03-10', '7 days') d`.execute(
    db,
  );
  await sql`
    insert into orders (external_id, date, source, shop, order_name, created_at, processed_at, updated_at, customer_id, currency,
      gross_sales, discounts, shipping, taxes, total, refunded, financial_status, test, landing_page, utm_source, item_count, run_id)
    select 'shopify:' || id, at::date, 'shopify', 'a.myshopify.com', '#' || id, at, at, at, customer, 'USD',
      40, 0, 0, 0, 40, 0, 'PAID', false, 'https://a.example/ann', 'mail', 1, ${run}::uuid
    from (values (1, '77', '2026-03-01T23:30:00Z'::timestamptz), (2, '77', '2026-03-03T10:00:00Z'), (3, '8', '2026-03-03T11:00:00Z')) o (id, customer, at)`.execute(
    db,
  );
  // How three settled days became known, and a provisional one of two days ago.
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select 'meta', '1', 'insights', d, '2026-03-05', d + interval '29 days' from generate_series('2026-01-01'::date, '2026-01-03', '1 day') d`.execute(
    db,
  );
  await sql`
    insert into ops.restatements (source, account_id, day, currency, read_at, age_days, spend, conversions, revenue)
    select 'meta', '1', d, 'EUR', d + make_interval(days => age), age, 10, conversions, conversions * 10
    from generate_series('2026-01-01'::date, '2026-01-03', '1 day') d, (values (1, 41), (5, 50)) a (age, conversions)`.execute(
    db,
  );
}

describe('floyo metrics show', () => {
  it('prints values with bars, marks provisional ones and says how complete they are', async () => {
    const { code, stdout } = await floyo(
      ['metrics', 'show', 'ad_spend', 'platform_conversions', '--from', '2026-03-07', '--to', '2026-03-09'],
      env,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /2026-03-09 +15\.00 ~ +2 ~ +ad_spend about 100 % complete, platform_conversions about 82 % complete/,
    );
    expect(stdout).toContain('▄▄▄');
  });

  it('adds up by month as each metric may, and gives one JSON document', async () => {
    const { document } = await floyoJson<{
      rows: { metric: string; value: string; complete: number | null }[];
    }>(
      [
        'metrics',
        'show',
        'ad_spend',
        'cpc',
        '--from',
        '2026-03-01',
        '--to',
        '2026-03-09',
        '--grain',
        'month',
      ],
      env,
    );
    expect(document.rows.map(({ metric, value }) => [metric, Number(value)])).toEqual([
      ['ad_spend', 135],
      ['cpc', 1.5],
    ]);
  });

  it('begins with a whole week or month, and says where one is cut', async () => {
    const first = async (grain: string) => {
      const { document } = await floyoJson<{ from: string }>(
        ['metrics', 'show', 'orders', '--grain', grain],
        env,
      );
      return document.from;
    };
    // 2026-03-10 is a Tuesday.
    expect(await first('week')).toBe('2026-01-19');
    expect(await first('month')).toBe('2025-10-01');
    const show = async (...options: string[]) => (await floyo(['metrics', 'show', ...options], env)).stdout;
    const months = await show('ad_spend', '--grain', 'month', '--from', '2026-02-27');
    expect(months).toMatch(/2026-02-01 \(from 27\) .*\n2026-03-01 +135\.00/);
    const weeks = await show('ad_spend', '--grain', 'week', '--from', '2026-03-01', '--to', '2026-03-04');
    expect(weeks).toMatch(/2026-02-23 \(from 03-01\) +15\.00 .*\n2026-03-02 \(to 4\) +45\.00/);
    const all = await show('--grain', 'month', '--from', '2026-03-03', '--to', '2026-03-04');
    expect(all).toMatch(/ad_spend .*30\.00 ~ +2026-03-01 \(from 3 to 4\)/);
  });

  it('says about 82 % for a day whose account knows 82 % of its conversions by then', async () => {
    const { document } = await floyoJson<{ rows: { complete: number | null; status: string }[] }>(
      ['metrics', 'show', 'platform_conversions', '--from', '2026-03-08', '--to', '2026-03-08'],
      env,
    );
    expect(document.rows).toMatchObject([{ status: 'provisional', complete: 0.82 }]);
  });

  it('gives lines for a spreadsheet, by source', async () => {
    const { stdout } = await floyo(
      ['metrics', 'show', 'clicks', '--from', '2026-03-01', '--to', '2026-03-01', '--by', 'source', '--csv'],
      env,
    );
    expect(stdout).toBe(
      'metric,source,period,first_day,last_day,value,numerator,denominator,unit,status,days,complete\n' +
        'clicks,meta,2026-03-01,2026-03-01,2026-03-01,10,,,count,provisional,1,\n',
    );
  });

  it('shows every metric as a line when none is named', async () => {
    const { stdout } = await floyo(['metrics', 'show'], env);
    for (const name of ['ad_spend', 'ltv_365d', 'blended_roas']) expect(stdout).toContain(name);
  });

  it('refuses what is no metric, or has no sources to it', async () => {
    expect(await floyo(['metrics', 'show', 'profit'], env)).toMatchObject({ code: 2 });
    const { code, stderr } = await floyo(['metrics', 'show', 'cac', '--by', 'source'], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining("can't be had by source")]);
  });
});

it('floyo metrics maturity: what share is known after so many days', async () => {
  const { stdout } = await floyo(['metrics', 'maturity'], env);
  expect(stdout).toMatch(/meta 1 EUR +conversions +82 % +82 % +100 % +100 % +100 %/);
});

describe('floyo why', () => {
  it('shows the value, its parts, rows, coverage, runs, rates and how it moved', async () => {
    const { document } = await floyoJson<Record<string, unknown>>(['why', 'cpc', '2026-03-02'], env);
    expect(document).toMatchObject({
      external_id: 'cpc',
      formula: 'ad_spend / clicks',
      stored: { status: 'provisional', unit: 'USD' },
      stale: false,
      components: [
        { column: 'ad_spend', facts: 'ads', amount: expect.stringMatching(/^15\.0*$/) as string },
        { column: 'clicks', facts: 'ads', amount: '10' },
      ],
      rows: [{ table: 'spend', account: 'meta 1', currency: 'EUR', rows: 1, amount: '10' }],
      top: [{ external_id: 'meta:9', label: 'Spring / Blue' }],
      runs: [{ kind: 'scheduled', status: 'succeeded', rows: 1 }],
      coverage: [{ source: 'meta', account_id: '1', days: 1, missing: 0, settled: 0 }],
      rates: [{ currency: 'EUR', day: '2026-03-02', published: '2026-02-27' }],
      restatements: [{ source: 'meta', currency: 'EUR', spend: '10', conversions: '2' }],
      revisions: [],
    });
  });

  it('prints it for people, for a cohort too, and says when the sources have moved on', async () => {
    await sql`update spend set spend = 12 where date = '2026-03-02'`.execute(session.db);
    const { code, stdout } = await floyo(['why', 'ad_spend[source=meta]', '2026-03-02'], env);
    expect(code).toBe(0);
    expect(stdout).toContain('The sources now give 18');
    expect(stdout).toContain('Spring / Blue');
    const cohort = await floyo(['why', 'ltv_30d', '2026-03-01'], {
      ...env,
      FLOYO_NOW: '2026-06-01T00:00:00Z',
    });
    expect(cohort.stdout).toContain('cohort_value_30d');
    expect(cohort.stdout).toContain('#2');
    await sql`update spend set spend = 10 where date = '2026-03-02'`.execute(session.db);
  });

  it('refuses what is no metric and no day', async () => {
    const { code, stderr } = await floyo(['why', 'cac[source=meta]', 'yesterday'], env);
    expect(code).toBe(2);
    expect(stderr).toContain('cac[source=meta] is no metric');
    expect(stderr).toContain('yesterday: It must be a day that exists');
    const early = await floyo(['why', 'orders', '0000-01-01'], env);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('The first day is 1999-01-01')]);
  });
});

it('another zone and currency: refused with what to run, then moved', async () => {
  const other = { ...env, REPORTING_TIMEZONE: 'Asia/Tokyo', REPORTING_CURRENCY: 'EUR' };
  const refused = await floyo(['status'], other);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain('metrics --full --rezone');
  expect(await floyo(['metrics', '--rezone'], other)).toMatchObject({ code: 2 });
  // Two versions of a subscription, of one day in UTC.
  for (const [id, at, quantity] of [
    ['evt_1', '2026-03-02T10:00:00Z', 1],
    ['evt_2', '2026-03-02T20:00:00Z', 2],
  ] as const) {
    const subscription = makeSubscription('sub_1', {
      items: listOf([makeItem('si_1', makePrice('price_1', 2000), quantity)]),
    });
    const event = makeEvent('customer.subscription.updated', subscription, {
      id,
      created: Date.parse(at) / 1000,
    });
    await sql`select stripe_apply(${encodeChange(mapEvent(event))}::jsonb)`.execute(session.db);
  }
  expect(await floyo(['metrics', '--full', '--rezone', '--check'], other)).toMatchObject({ code: 0 });
  const { document } = await floyoJson<{ rows: { value: string; unit: string }[] }>(
    ['metrics', 'show', 'gross_sales', '--from', '2026-03-02', '--to', '2026-03-02'],
    other,
  );
  expect(document.rows).toMatchObject([{ unit: 'EUR' }]);
  expect(Number(document.rows[0]?.value)).toBeCloseTo(40 / 1.5, 10);
  const versions = () =>
    session.db.selectFrom('subscriptions').select(['date', 'mrr']).orderBy('date').execute();
  expect(await versions()).toEqual([
    { date: '2026-03-02', mrr: '20' },
    { date: '2026-03-03', mrr: '40' },
  ]);
  expect(await floyo(['metrics', '--full', '--rezone'], env)).toMatchObject({ code: 0 });
  expect(await versions()).toEqual([{ date: '2026-03-02', mrr: '40' }]);
});

it('erasing a customer: nothing names them any more, the sums and counts stay, also when they are read again', async () => {
  const { db } = session;
  const record = JSON.stringify({
    id: 'gid://shopify/Order/5',
    customer: { id: 'gid://shopify/Customer/77' },
  });
  await sql`
    insert into ops.rejected_records (agent, account_id, stream, external_id, reasons, payload)
    values ('etl-shopify', 'a.myshopify.com', 'orders', '5', '["no total"]', ${record}::jsonb),
      ('etl-shopify', 'a.myshopify.com', 'orders', '6', '["no total"]', ${record.replace('Customer/77', 'Customer/770')}::jsonb)`.execute(
    db,
  );
  await sql`
    insert into ops.agent_state (agent, scope, key, value) values ('etl-shopify', '', 'seen', '{"customer_id": 77, "day": 77}')`.execute(
    db,
  );
  const metrics = () =>
    sql`select external_id, date, value, status from daily_metrics order by 1, 2`
      .execute(db)
      .then(({ rows }) => rows);
  const before = await metrics();
  const { code, document, stderr } = await floyoJson<{ erased: unknown }>(
    ['erase', '--customer', 'gid://shopify/Customer/77'],
    env,
  );
  expect([code, document.erased], stderr).toEqual([0, { orders: 2, rejects: 1, other: 1 }]);
  expect(await metrics()).toEqual(before);
  const dumped = async () => {
    const tables = [
      'orders',
      'ops.rejected_records',
      'ops.agent_state',
      'ops.dirty_marks',
      'ops.erasures',
      'ops.errors',
    ];
    const texts = await Promise.all(
      tables.map((table) =>
        sql<{
          text: string;
        }>`select coalesce(string_agg(t::text, ' '), '') as text from ${sql.table(table)} t`.execute(db),
      ),
    );
    return texts.map(({ rows }) => rows[0]?.text ?? '').join(' ');
  };
  expect(await dumped()).not.toMatch(/Customer\/77\b|,77,|a\.example\/ann.*\n.*shopify:1|"customer_id": 77/);
  const { rows } = await sql<{ customer_id: string; landing_page: string | null }>`
    select customer_id, landing_page from orders where external_id in ('shopify:1', 'shopify:2')`.execute(db);
  expect(new Set(rows.map(({ customer_id }) => customer_id)).size).toBe(1);
  expect(rows.map(({ landing_page }) => landing_page)).toEqual([null, null]);

  // The shop still has the customer, and its order is read again.
  await sql`
    update orders set customer_id = '77', landing_page = 'https://a.example/ann' where external_id = 'shopify:1'`.execute(
    db,
  );
  expect(await floyo(['metrics'], env)).toMatchObject({ code: 0 });
  expect(await metrics()).toEqual(before);
  expect(await dumped()).not.toMatch(/,77,/);
  expect((await floyoJson<{ erased: unknown }>(['erase', '--customer', '77'], env)).document.erased).toEqual({
    orders: 0,
    rejects: 0,
    other: 0,
  });
  expect(await floyo(['erase', '--customer', '77', '--shop', 'b.myshopify.com'], env)).toMatchObject({
    code: 2,
  });
});
