/**
 * `pnpm bench metrics`: what a metrics run costs on top of 1, 2, 3 and 4 years, in one go on an embedded Postgres of its
 * own. Each year has 167,000 orders and 333,000 spend rows; the bar is 28 dirty days under 10 % of a full recompute, of
 * three years or more. `--json` for machines; exits 1 when the bar is missed. `--orders` and `--spend`, of a year, make it
 * smaller.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';

import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { connect, type Session } from '@floyo/shared/db';
import { acquireEmbedded, removeEmbedded } from '@floyo/shared/embedded';
import { createLogger } from '@floyo/shared/log';
import { migrate } from '@floyo/shared/migrate';
import { createRedactor } from '@floyo/shared/redact';
import { addDays } from '@floyo/shared/window';

import type { NeededAccount } from '../expected.ts';
import { type MetricsRequest, type MetricsResult, runMetrics } from '../run.ts';

const YEARS = 4;
const YEAR_DAYS = 365;
const DIRTY_DAYS = 28;
/** The median of so many counts. */
const ROUNDS = 3;
const BAR = 0.1;
/** Of one year, 28 days are 8 % of the rows themselves. */
const BAR_FROM_YEARS = 3;
const TODAY = '2026-11-21';
const LAST = '2026-11-20';
const RUN_ID = '00000000-0000-4000-8000-000000000001';
const ACCOUNTS: readonly NeededAccount[] = [
  { source: 'meta', accountId: '1', stream: 'insights' },
  { source: 'tiktok', accountId: '2', stream: 'report' },
  { source: 'shopify', accountId: 'a.myshopify.com', stream: 'orders' },
];

interface Measured {
  /** How many years of rows there were. */
  readonly years: number;
  readonly name: string;
  readonly ms: number;
  readonly days: number;
  readonly ofFull: number;
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    orders: { type: 'string', default: '167000' },
    spend: { type: 'string', default: '333000' },
  },
});

async function prepare({ db }: Session): Promise<void> {
  await sql`insert into ops.settings (reporting_timezone, reporting_currency) values ('UTC', 'USD')`.execute(
    db,
  );
  await sql`select setseed(0.5)`.execute(db);
  await sql`
    insert into fx_rates (external_id, date, quote, rate_per_eur)
    select 'ecb:' || q, ${LAST}::date - d, q, 1 + random() / 10
    from generate_series(0, ${YEARS * YEAR_DAYS + 10}) d, unnest(array['USD', 'GBP']) q`.execute(db);
}

/** Adds the year that ends `year` years before the last day. */
async function addYear({ db }: Session, year: number, orders: number, spend: number): Promise<void> {
  const last = addDays(LAST, -year * YEAR_DAYS);
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select a.source, a."accountId", a.stream, day, ${TODAY}::timestamptz, day + 1 + case a.source when 'shopify' then 0 else 28 end
    from (select ${last}::date - d as day from generate_series(${year === 0 ? -1 : 0}::int, ${YEAR_DAYS - 1}::int) d) days,
      jsonb_to_recordset(${JSON.stringify(ACCOUNTS)}::jsonb) as a (source text, "accountId" text, stream text)`.execute(
    db,
  );
  await sql`
    insert into spend (external_id, date, source, account_id, account_timezone, campaign_id, ad_group_id, ad_id, currency,
      spend, impressions, clicks, conversions, conversion_value, raw)
    select s || ':' || i / ${YEAR_DAYS}, ${last}::date - i % ${YEAR_DAYS}, s, case s when 'meta' then '1' else '2' end, 'UTC', 'c', 'g', '' || i / ${YEAR_DAYS}, case s when 'meta' then 'USD' else 'EUR' end,
      round((random() * 100)::numeric, 2), (random() * 10000)::int, (random() * 100)::int, (random() * 5)::int, round((random() * 500)::numeric, 2), '{}'
    from (select i, case when (i / ${YEAR_DAYS}) % 3 = 0 then 'tiktok' else 'meta' end as s from generate_series(0, ${spend} - 1) i) x`.execute(
    db,
  );
  await sql`
    insert into orders (external_id, date, source, shop, order_name, created_at, processed_at, updated_at, customer_id, currency,
      gross_sales, discounts, shipping, taxes, total, refunded, financial_status, test, item_count)
    select 'shopify:' || ${(year + 1) * 10_000_000} + i, at::date, 'shopify', 'a.myshopify.com', '#' || i, at, at, at,
      case when random() < 0.92 then '' || (random() * ${orders * (year + 1)} * 0.6)::int end,
      (array['USD', 'USD', 'USD', 'EUR', 'GBP'])[1 + floor(random() * 5)::int],
      round((random() * 200)::numeric, 2), round((random() * 10)::numeric, 2), 5, 10, 200, 0, 'PAID', false, 1
    from (select i, (${last}::timestamp - make_interval(secs => i * (${YEAR_DAYS - 1} * 86400.0 / ${orders}))) at time zone 'UTC' as at from generate_series(0, ${orders} - 1) i) x`.execute(
    db,
  );
  await sql`
    insert into refunds (external_id, date, order_external_id, currency, returns, shipping, taxes, total)
    select external_id || '0', date + (random() * 40)::int, external_id, currency, round(gross_sales / 2, 2), 0, 1, 0
    from orders where random() < 0.1 and date <= ${last}::date - 40 and date > ${last}::date - ${YEAR_DAYS}::int`.execute(
    db,
  );
}

async function measureYears(session: Session, years: number): Promise<Measured[]> {
  const run = (request: MetricsRequest = {}): Promise<MetricsResult> =>
    runMetrics({
      session,
      write: (work) => session.db.transaction().setIsolationLevel('repeatable read').execute(work),
      accounts: ACCOUNTS,
      reporting: { timezone: 'UTC', currency: 'USD' },
      now: Temporal.Instant.from(`${TODAY}T12:00:00Z`),
      runId: RUN_ID,
      log: createLogger({ level: 'silent', redactor: createRedactor([]) }),
      signal: new AbortController().signal,
      check: 'never',
      ...request,
    });
  const timed = async (name: string, change: () => Promise<unknown>, request: MetricsRequest) => {
    const samples: number[] = [];
    let days = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await change();
      const started = performance.now();
      ({ days } = await run(request));
      samples.push(performance.now() - started);
    }
    const middle = samples.sort((left, right) => left - right)[Math.floor(samples.length / 2)] ?? 0;
    return { name, ms: Math.round(middle), days };
  };
  const nothing = () => Promise.resolve();
  const spend = () =>
    sql`update spend set spend = spend + 0.01 where date > ${LAST}::date - ${DIRTY_DAYS}::int`.execute(
      session.db,
    );
  const orders = () =>
    sql`update orders set gross_sales = gross_sales + 0.01 where date > ${LAST}::date - ${DIRTY_DAYS}::int`.execute(
      session.db,
    );
  // What was added is computed before anything is measured.
  await run();
  await sql`vacuum analyze`.execute(session.db);
  const full = await timed('full recompute', nothing, { full: true });
  const from = addDays(LAST, 1 - DIRTY_DAYS);
  const measured = [
    full,
    await timed('nothing changed', nothing, {}),
    await timed('28 days asked for', nothing, { range: { from, to: addDays(LAST, 1) } }),
    await timed('28 days of spend changed', spend, {}),
    // It reaches the cohorts of all those customers too: three times as many days.
    await timed('spend and orders of 28 days changed', () => spend().then(orders), {}),
  ];
  return measured.map((row) => ({ years, ...row, ofFull: row.ms / full.ms }));
}

const home = join(tmpdir(), `floyo-bench-${randomUUID()}`);
const server = await acquireEmbedded({ home, durable: false });
try {
  await migrate(server.url);
  const session = await connect(server.url);
  try {
    await prepare(session);
    const measured: Measured[] = [];
    for (let year = 0; year < YEARS; year++) {
      await addYear(session, year, Number(values.orders), Number(values.spend));
      await sql`analyze`.execute(session.db);
      measured.push(...(await measureYears(session, year + 1)));
    }
    const judged = measured.filter(({ name, years }) => name.startsWith('28 ') && years >= BAR_FROM_YEARS);
    const worst = Math.max(...judged.map(({ ofFull }) => ofFull));
    const passed = worst < BAR;
    const report = {
      orders_of_a_year: Number(values.orders),
      spend_rows_of_a_year: Number(values.spend),
      bar: BAR,
      bar_from_years: BAR_FROM_YEARS,
      worst,
      passed,
      measured,
    };
    const lines = measured.map(
      ({ years, name, ms, days, ofFull }) =>
        `${years} y  ${name.padEnd(38)} ${String(ms).padStart(7)} ms ${String(days).padStart(6)} days ${(ofFull * 100).toFixed(1).padStart(6)} % of full`,
    );
    process.stdout.write(
      values.json
        ? `${JSON.stringify(report)}\n`
        : `${lines.join('\n')}\n28 dirty days under ${BAR * 100} % of a full recompute: ${passed ? 'yes' : 'NO'}\n`,
    );
    process.exitCode = passed ? 0 : 1;
  } finally {
    await session.end();
  }
} finally {
  await server.release();
  await removeEmbedded(home);
}
