import { afterEach, describe, expect, test } from 'vitest';

import { containing, matching } from '@floyo/shared/testing/matchers';
import {
  collect,
  createTestIo,
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
  type VendorRequest,
} from '@floyo/shared/testing/vendor';

import { createTikTokClient, REVIEW_API_VERSION_BY } from './client.ts';
import { CutOffError, MovedPagesError } from './errors.ts';
import { report, reportParameters } from './streams/report.ts';

const TOKEN = 'secret-of-the-test';
const WEEK = { from: '2026-11-15', to: '2026-11-22' };

let vendor: TestVendor | undefined;
afterEach(() => vendor?.close());

async function readAll(answer: (request: VendorRequest, index: number) => VendorAnswer): Promise<unknown[]> {
  vendor = await startTestVendor(answer);
  const config = {
    accessToken: TOKEN,
    advertiserIds: ['7'],
    conversionMetric: 'complete_payment',
    valueMetric: 'total_complete_payment_rate',
    baseUrl: vendor.url,
  };
  const io = createTestIo({ now: '2026-11-21T09:00:00Z' });
  const client = createTikTokClient(config);
  const parameters = reportParameters({ id: '7', ...config }, WEEK);
  return collect(client.readReport(io, { parameters, identify: report.identify }));
}

const row = (ad: number, day = 20) => ({
  dimensions: { ad_id_v2: String(ad), stat_time_day: `2026-11-${day} 00:00:00` },
  metrics: {},
});

function page(
  number: number,
  list: unknown[],
  info: { total: number; pages: number },
  headers = {},
): VendorAnswer {
  const page_info = { page: number, page_size: 1000, total_number: info.total, total_page: info.pages };
  return { headers, body: { code: 0, message: 'OK', request_id: 'R', data: { list, page_info } } };
}

describe('the request', () => {
  test('has the token in a header of its own and never in the URL', async () => {
    await readAll(() => page(1, [], { total: 0, pages: 0 }));
    const [request] = vendor?.requests ?? [];
    expect(request?.headers['access-token']).toBe(TOKEN);
    expect(request?.headers.authorization).toBeUndefined();
    expect(request?.url).not.toContain(TOKEN);
  });

  test('ends its path with a slash and sends lists as JSON', async () => {
    await readAll(() => page(1, [], { total: 0, pages: 0 }));
    const [request] = vendor?.requests ?? [];
    expect(request?.path).toBe('/open_api/v1.3/report/integrated/get/');
    expect(Object.fromEntries(request?.query ?? [])).toMatchObject({
      advertiser_id: '7',
      dimensions: '["ad_id_v2","stat_time_day"]',
      filtering: String.raw`[{"field_name":"ad_status","filter_type":"IN","filter_value":"[\"STATUS_ALL\"]"}]`,
      start_date: '2026-11-15',
      end_date: '2026-11-21',
      page: '1',
      page_size: '1000',
    });
    expect(request?.query.has('advertiser_ids')).toBe(false);
  });
});

describe('paging', () => {
  test('reads until the last page', async () => {
    const pages = [
      page(1, [row(1), row(2)], { total: 3, pages: 2 }),
      page(2, [row(1, 21)], { total: 3, pages: 2 }),
    ];
    expect(await readAll((_request, index) => pages[index] ?? { status: 404, body: '' })).toHaveLength(3);
    expect(vendor?.requests).toHaveLength(2);
  });

  test('nothing at all is a result', async () => {
    expect(await readAll(() => page(1, [], { total: 0, pages: 0 }))).toEqual([]);
  });

  const moved: readonly (readonly [string, VendorAnswer[], RegExp])[] = [
    [
      'another total',
      [page(1, [row(1)], { total: 2, pages: 2 }), page(2, [row(2)], { total: 3, pages: 2 })],
      /from 2 to 3/,
    ],
    [
      'a row twice',
      [page(1, [row(1)], { total: 2, pages: 2 }), page(2, [row(1)], { total: 2, pages: 2 })],
      /tiktok:1 of 2026-11-20 came twice/,
    ],
    [
      'a short page',
      [page(1, [row(1)], { total: 3, pages: 2 }), page(2, [row(2)], { total: 3, pages: 2 })],
      /2 rows came of 3/,
    ],
    [
      'another page',
      [page(1, [row(1)], { total: 2, pages: 2 }), page(1, [row(2)], { total: 2, pages: 2 })],
      /page 1 came instead of page 2/,
    ],
  ];
  test.each(moved)('%s: the pages do not fit together', async (_name, pages, words) => {
    const reading = readAll((_request, index) => pages[index] ?? { status: 404, body: '' });
    const error: unknown = await reading.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MovedPagesError);
    expect(error).toMatchObject({ message: matching(words), retryable: true, context: { request_id: 'R' } });
  });

  test('the same ad on neighbouring days and on the same day of two months is no repetition', async () => {
    const rows = [
      row(1, 20),
      row(1, 21),
      { dimensions: { ad_id_v2: '1', stat_time_day: '2026-10-20 00:00:00' }, metrics: {} },
    ];
    expect(await readAll(() => page(1, rows, { total: 3, pages: 1 }))).toHaveLength(3);
  });
});

describe('what is no success', () => {
  test('the truncation header fails the window although the code is 0', async () => {
    const cut = page(
      1,
      [row(1)],
      { total: 1, pages: 1 },
      { 'X-Tt-Ads-Throttle': 'Number of ad ids is equal or more than 20k' },
    );
    const error: unknown = await readAll(() => cut).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CutOffError);
    expect(error).toMatchObject({ rows: 1, retryable: false, message: containing('20k') });
    expect(vendor?.requests).toHaveLength(1);
  });

  test('a partial answer is asked for again, then fails', async () => {
    await expect(
      readAll(() => ({ body: { code: 20001, message: 'Partial success', data: {} } })),
    ).rejects.toMatchObject({ type: 'truncated' });
    expect(vendor?.requests).toHaveLength(4);
  });

  test('an answer of another shape', async () => {
    await expect(readAll(() => ({ body: { code: 0, message: 'OK', data: {} } }))).rejects.toMatchObject({
      type: 'contract',
    });
  });

  test('a limit that lasts until midnight UTC pauses the account until then', async () => {
    const limit = { body: { code: 40100, message: "App's QPD reaches QPD limit", data: {} } };
    await expect(readAll(() => limit)).rejects.toMatchObject({
      type: 'rate_limit',
      until: matching(/^2026-11-22T00:00:00/),
    });
    expect(vendor?.requests).toHaveLength(1);
  });
});

test('the version was looked up not long ago', () => {
  expect(
    new Date().toISOString() < REVIEW_API_VERSION_BY,
    "read the changelog of TikTok's developer portal, then move REVIEW_API_VERSION_BY",
  ).toBe(true);
});
