/** The connector against the sandbox: deleted ads, Smart+ ads, time zones, faults. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { readConfig } from '@floyo/shared/config';
import { faultSuite } from '@floyo/shared/testing/fault-suite';
import { containing, matching } from '@floyo/shared/testing/matchers';
import { collect, createTestIo } from '@floyo/shared/testing/vendor';
import { addDays, dayOf } from '@floyo/shared/window';

import { type TikTokConfig, tiktokConfig } from './config.ts';
import { tiktok } from './index.ts';
import { report, type ReportRecord } from './streams/report.ts';

/** Saturday evening in Europe, Sunday morning in Tokyo. */
const NOW = '2026-11-21T21:00:00Z';
const [US, TOKYO] = ['7012345678901234561', '7098765432109876503'] as const;

let sandbox: Sandbox;
let config: TikTokConfig;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
  const read = readConfig(tiktokConfig, sandbox.env);
  if (read === undefined) throw new Error('the sandbox does not configure TikTok');
  config = read;
});
afterAll(() => sandbox.close());
afterEach(() => {
  sandbox.faults.clear();
  sandbox.clock.set(NOW);
});

async function read(
  account: string,
  daysBack: number,
  options: { readonly now?: string; readonly config?: Partial<TikTokConfig> } = {},
): Promise<ReportRecord[]> {
  const io = createTestIo({ now: options.now ?? NOW, waitBudgetMs: 5_000 });
  sandbox.clock.set(options.now ?? NOW);
  const session = await tiktok.open({ ...config, ...options.config }, account, io);
  const today = dayOf(io.now(), session.timezone);
  const records = await collect(
    report.readDays(session, { from: addDays(today, -daysBack), to: addDays(today, 1) }, io),
  );
  return z.array(report.schema).parse(records);
}

const daysOf = (records: readonly ReportRecord[]) =>
  [...new Set(records.map(({ dimensions }) => dimensions.stat_time_day))].sort();

/** What TikTok itself says of the advertiser's days, deleted ads and all. */
async function advertiserTotal(
  account: string,
  from: string,
  to: string,
): Promise<{ cents: number; impressions: number }> {
  const query = new URLSearchParams({
    ...{
      advertiser_id: account,
      report_type: 'BASIC',
      service_type: 'AUCTION',
      data_level: 'AUCTION_ADVERTISER',
    },
    ...{
      dimensions: '["advertiser_id","stat_time_day"]',
      metrics: '["spend","impressions"]',
      start_date: from,
      end_date: to,
    },
    page_size: '100',
  });
  const answer = await fetch(`${config.baseUrl}/open_api/v1.3/report/integrated/get/?${query.toString()}`, {
    headers: { 'access-token': config.accessToken },
  });
  const row = z.object({ metrics: z.object({ spend: z.string(), impressions: z.string() }) });
  const { list } = z.object({ data: z.object({ list: z.array(row) }) }).parse(await answer.json()).data;
  return add(list.map(({ metrics }) => metrics));
}

function add(list: readonly { readonly spend: string; readonly impressions: string }[]): {
  cents: number;
  impressions: number;
} {
  return {
    cents: list.reduce((sum, { spend }) => sum + Math.round(Number(spend) * 100), 0),
    impressions: list.reduce((sum, { impressions }) => sum + Number(impressions), 0),
  };
}

test('a first run reads 28 days and today in one window, deleted ads with their spend', async () => {
  const records = await read(US, 28);
  expect(daysOf(records)).toHaveLength(29);
  expect(add(records.map(({ metrics }) => metrics))).toEqual(
    await advertiserTotal(US, '2026-10-24', '2026-11-21'),
  );
});

test('an Upgraded Smart+ ad is one row a day, not one per creative', async () => {
  const records = await read(US, 28);
  const keys = records.map(({ dimensions }) => `${dimensions.ad_id_v2} ${dimensions.stat_time_day}`);
  expect(new Set(keys).size).toBe(keys.length);
  const kinds = new Set(records.map(({ metrics }) => metrics['campaign_automation_type']));
  expect([...kinds].sort()).toEqual(['MANUAL', 'UPGRADED_SMART_PLUS']);
});

test('an advertiser east of UTC has its own today, without decimals in yen', async () => {
  const records = await read(TOKYO, 1);
  expect(daysOf(records).at(-1)).toBe('2026-11-22');
  expect(records.every(({ metrics }) => /^\d+$/.test(metrics.spend))).toBe(true);
});

test("today's reach has not come yet: no value", async () => {
  const records = await read(TOKYO, 1);
  const today = records.filter(({ dimensions }) => dimensions.stat_time_day === '2026-11-22');
  expect(new Set(today.map(({ metrics }) => metrics.reach))).toEqual(new Set([null]));
});

describe('days are those of the display zone, which knows daylight saving time', () => {
  test.each([
    // In Etc/GMT+8, the offset that TikTok also gives, it is still 30 June.
    ['2026-07-01T07:30:00Z', '2026-07-01'],
    // The 25-hour day of 1 November is not over.
    ['2026-11-02T07:30:00Z', '2026-11-01'],
    ['2026-11-02T08:30:00Z', '2026-11-02'],
    // The 23-hour day of 8 March is over.
    ['2026-03-09T07:30:00Z', '2026-03-09'],
  ])('at %s it is %s in Los Angeles', async (now, today) => {
    const records = await read(US, 1, { now });
    expect(daysOf(records)).toEqual([addDays(today, -1), today]);
  });

  test('both zones are kept', async () => {
    expect(await tiktok.open(config, US, createTestIo({ now: NOW }))).toMatchObject({
      ...{ id: US, currency: 'USD', timezone: 'America/Los_Angeles', offsetTimezone: 'Etc/GMT+8' },
    });
  });
});

test('records have every field that is always there, and none that is unknown', async () => {
  const { fieldsOf = () => [], known = [], always = [] } = report.shape ?? {};
  const io = createTestIo({ now: NOW });
  const session = await tiktok.open(config, US, io);
  const records = await collect(report.readDays(session, { from: '2026-11-20', to: '2026-11-21' }, io));
  expect(records.length).toBeGreaterThan(10);
  expect(always).toEqual(
    expect.arrayContaining(['dimensions.stat_time_day', 'metrics.spend', 'metrics.ad_name']),
  );
  expect(known).toContain('metrics.on_web_order');
  for (const record of records) {
    expect(fieldsOf(record).filter((field) => !known.includes(field))).toEqual([]);
    expect(always.filter((field) => !fieldsOf(record).includes(field))).toEqual([]);
  }
  expect(fieldsOf({ dimensions: { ad_id_v2: '1' }, metrics: { new_metric: '1' } })).toEqual([
    'dimensions.ad_id_v2',
    'metrics.new_metric',
  ]);
  expect(fieldsOf(null)).toEqual([]);
});

describe('every error says which request it was', () => {
  test.each([
    ['wrong_token', undefined],
    ['permission', undefined],
    ['server_error', undefined],
    ['too_large', { maxDays: 0 }],
    ['throttle', { per: 'day' }],
    ['throttle', { per: 'minute' }],
    ...[20001, 40002, 40300, 49_999, 51305].map((code) => ['error', { code }] as const),
  ] as const)('%s %j', async (kind, value) => {
    sandbox.faults.add({ vendor: 'tiktok', kind, path: '/integrated/', times: -1, value });
    const io = createTestIo({ now: NOW });
    const session = await tiktok.open({ ...config }, US, io);
    const window = { from: '2026-11-19', to: '2026-11-21' };
    await expect(collect(report.readDays(session, window, io))).rejects.toMatchObject({
      context: { request_id: matching(/^\d+$/), logid: matching(/^\d+A1$/) },
    });
  });
});

describe('faults', () => {
  faultSuite({
    read: (daysBack) => read(US, daysBack),
    fail: (kind, times = 1) => sandbox.faults.add({ vendor: 'tiktok', kind, path: '/report/', times }),
    failLongWindows: (maxDays) =>
      sandbox.faults.add({ vendor: 'tiktok', kind: 'too_large', times: -1, value: { maxDays } }),
    async countReports(work) {
      sandbox.log.clear();
      await work();
      return sandbox.log.entries.filter(({ path }) => path.includes('/report/')).length;
    },
    passing: ['server_error', 'not_json', 'reset'],
    lasting: [
      ['wrong_token', 'auth', 'revoked'],
      ['permission', 'permission', 'no permission'],
    ],
  });

  test('a limit per second is waited for', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', path: '/report/', value: { code: 40133 } });
    expect((await read(US, 2)).length).toBeGreaterThan(0);
  });

  test('an unknown advertiser, a wrong metric', async () => {
    await expect(read('42', 1)).rejects.toMatchObject({ type: 'permission' });
    await expect(read(US, 1, { config: { conversionMetric: 'no_such_metric' } })).rejects.toMatchObject({
      type: 'config',
      advice: containing('TIKTOK_CONVERSION_METRIC'),
    });
  });
});
