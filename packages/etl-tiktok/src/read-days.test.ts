/** However TikTok has to be asked, the rows are those of a faultless answer. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { LoadRow } from '@floyo/shared/connector';
import { WindowTooLargeError } from '@floyo/shared/errors';
import { containing, matching } from '@floyo/shared/testing/matchers';
import { collect, createTestIo, startTestVendor, type VendorAnswer } from '@floyo/shared/testing/vendor';

import { createTikTokClient } from './client.ts';
import { report, reportParameters } from './streams/report.ts';
import { type Bench, NOW, startBench, testIo, US } from './testing/bench.ts';

const MONTH = { from: '2026-10-24', to: '2026-11-22' };
const DAY = { from: '2026-11-19', to: '2026-11-20' };

let bench: Bench;
let faultless: { readonly month: LoadRow<'spend'>[]; readonly day: LoadRow<'spend'>[] };
beforeAll(async () => {
  bench = await startBench();
  const month = (await bench.readRows(MONTH)).rows;
  faultless = { month, day: month.filter(({ date }) => date === DAY.from) };
  expect(faultless.day.length).toBeGreaterThan(10);
});
afterAll(() => bench.sandbox.close());
afterEach(() => {
  bench.sandbox.faults.clear();
  bench.sandbox.log.clear();
});

const addFault = (kind: 'truncated' | 'too_large' | 'page_drift' | 'small_pages' | 'error', fault = {}) =>
  bench.sandbox.faults.add({ vendor: 'tiktok', kind, times: -1, ...fault });

describe('when TikTok shows the newest ads alone', () => {
  test('a month is ordered as one task and becomes the same rows', async () => {
    addFault('truncated');
    expect((await bench.readRows(MONTH)).rows).toEqual(faultless.month);
    expect(bench.count('/report/task/create/')).toBe(1);
  });

  test('so does a day', async () => {
    addFault('truncated');
    expect((await bench.readRows(DAY)).rows).toEqual(faultless.day);
    expect(bench.count('/report/task/create/')).toBe(1);
  });

  test.each([
    ['2026-11-20', 0, 'several days with more rows than can be held are halved first'],
    ['2026-11-21', 1, 'a single day is ordered however many rows it has'],
  ])('from %s, %i tasks: %s', async (from, tasks) => {
    const page_info = { page: 1, total_page: 60, total_number: 60_000 };
    const vendor = await startTestVendor(({ path }) =>
      path.includes('/task/')
        ? { body: { code: 40001, message: 'no', data: {} } }
        : { headers: { 'x-tt-ads-throttle': '20k' }, body: { code: 0, data: { list: [], page_info } } },
    );
    const config = { ...bench.createConfig(), baseUrl: vendor.url };
    const session = { ...(await bench.open()), client: createTikTokClient(config) };
    const reading = collect(report.readDays(session, { from, to: '2026-11-22' }, createTestIo({ now: NOW })));
    if (tasks === 0) await expect(reading).rejects.toBeInstanceOf(WindowTooLargeError);
    else await expect(reading).rejects.toMatchObject({ type: 'permission', context: { code: 40001 } });
    expect(vendor.requests.filter(({ path }) => path.endsWith('/task/create/'))).toHaveLength(tasks);
    await vendor.close();
  });
});

describe('when a query is too large', () => {
  test('fewer days are asked for, without a task', async () => {
    addFault('too_large', { value: { maxDays: 7 } });
    const { rows, windows } = await bench.readRows(MONTH);
    expect(rows).toEqual(faultless.month);
    expect(windows.length).toBeGreaterThan(4);
    expect(bench.count('/report/task/create/')).toBe(0);
  });

  test('a day that can not be halved is ordered as a task', async () => {
    addFault('too_large', { value: { maxDays: 0 } });
    expect((await bench.readRows(DAY)).rows).toEqual(faultless.day);
    expect(bench.count('/report/task/create/')).toBe(1);
  });
});

describe.each(['grown', 'shifted'])('when rows move between pages (%s)', (mode) => {
  const move = (times: number, size = 5) => {
    addFault('small_pages', { value: { size } });
    addFault('page_drift', { times, value: { mode } });
  };

  test('several days are asked for in halves, from scratch', async () => {
    move(1, 150);
    const { rows, windows } = await bench.readRows(MONTH);
    expect(rows).toEqual(faultless.month);
    expect(windows).toHaveLength(2);
  });

  test('a day is read anew up to twice', async () => {
    move(2);
    expect((await bench.readRows(DAY)).rows).toEqual(faultless.day);
    expect(bench.count('/report/task/create/')).toBe(0);
  });

  test('a day that never holds still is ordered as a task', async () => {
    move(-1);
    expect((await bench.readRows(DAY)).rows).toEqual(faultless.day);
    expect(bench.count('/report/task/create/')).toBe(1);
  });
});

describe.each([40118, 40002])('when the app may not order reports (%i)', (code) => {
  test.each([
    ['a month', MONTH, 'month'],
    ['a day', DAY, 'day'],
  ] as const)('%s is read campaign by campaign', async (_name, window, expected) => {
    addFault('error', { path: '/task/create/', value: { code } });
    addFault('truncated', { value: { keep: 4 } });
    expect((await bench.readRows(window)).rows).toEqual(faultless[expected]);
    expect(bench.count('/report/task/create/')).toBe(1);
  });

  test('a campaign with too many ads fails with what to do', async () => {
    addFault('error', { path: '/task/create/', value: { code } });
    addFault('truncated', { value: { keep: 1 } });
    await expect(bench.readRows(DAY)).rejects.toMatchObject({
      type: 'permission',
      retryable: false,
      message: containing(`does not let this app order asynchronous reports`),
      advice: containing('allow list'),
      context: { code, request_id: matching(/^\d+$/), logid: matching(/^\d+A1$/) },
    });
  });
});

test.each([
  ['a day that was not asked for', ['2026-11-19', '2026-11-18'], 'answered with 2026-11-18'],
  ['an ad twice on a day', ['2026-11-19', '2026-11-19'], 'holds tiktok:18 of 2026-11-19 twice'],
])("a task's file with %s is refused", async (_name, days, words) => {
  const session = await bench.open();
  const { metrics, dimensions } = reportParameters(session, DAY);
  const lines = days.map((day) => ['18', day, ...metrics.map(() => '1')].join(','));
  const file = [[...dimensions, ...metrics].join(','), ...lines].join('\n');
  const page_info = { page: 1, total_page: 1, total_number: 0 };
  const answers: Readonly<Record<string, VendorAnswer>> = {
    get: { headers: { 'x-tt-ads-throttle': '20k' }, body: { code: 0, data: { list: [], page_info } } },
    create: { body: { code: 0, data: { task_id: '9' } } },
    check: { body: { code: 0, data: { status: 'SUCCESS', message: '' } } },
    download: { headers: { 'x-tt-logid': 'L9' }, body: file },
  };
  const vendor = await startTestVendor(
    ({ path }) => answers[path.split('/').at(-2) ?? ''] ?? { status: 404, body: '' },
  );
  const client = createTikTokClient({ ...bench.createConfig(), baseUrl: vendor.url });
  const reading = collect(report.readDays({ ...session, client }, DAY, testIo()));
  await expect(reading).rejects.toMatchObject({
    type: 'contract',
    message: containing(words),
    context: { task_id: '9', logid: 'L9' },
  });
  await vendor.close();
});

test('campaigns are listed with the deleted ones, by groups of a hundred', async () => {
  const campaigns = Array.from({ length: 150 }, (_, index) => String(1000 + index));
  const filters: unknown[] = [];
  const vendor = await startTestVendor(({ path, query }) => {
    if (path.endsWith('/task/create/')) return { body: { code: 40118, message: 'no', data: {} } };
    filters.push(JSON.parse(query.get('filtering') ?? '[]'));
    const isList = query.get('data_level') === 'AUCTION_CAMPAIGN';
    const list = isList
      ? campaigns.map((id) => ({
          dimensions: { campaign_id: id, stat_time_day: '2026-11-19 00:00:00' },
          metrics: {},
        }))
      : [];
    const page_info = { page: 1, total_page: 1, total_number: list.length };
    const body = { code: 0, message: 'OK', data: { list, page_info } };
    return filters.length === 1 ? { headers: { 'x-tt-ads-throttle': '20k' }, body } : { body };
  });
  const client = createTikTokClient({ ...bench.createConfig(), baseUrl: vendor.url });
  await collect(report.readDays({ ...(await bench.open()), client }, DAY, testIo()));
  await vendor.close();
  const isIn = (field_name: string, values: readonly string[]) => ({
    field_name,
    filter_type: 'IN',
    filter_value: JSON.stringify(values),
  });
  const all = isIn('ad_status', ['STATUS_ALL']);
  expect(filters).toEqual([
    [all],
    [isIn('campaign_status', ['STATUS_ALL'])],
    [all, isIn('campaign_ids', campaigns.slice(0, 100))],
    [all, isIn('campaign_ids', campaigns.slice(100))],
  ]);
});

test('memory: pages of several days are handed on one by one', async () => {
  addFault('small_pages', { value: { size: 50 } });
  const session = await bench.open(US);
  let pages = 0;
  for await (const page of report.readDays(session, MONTH, testIo())) {
    expect(page.length).toBeLessThanOrEqual(50);
    expect(bench.count('/report/integrated/get/')).toBe(++pages);
  }
  expect(pages).toBeGreaterThan(5);
});
