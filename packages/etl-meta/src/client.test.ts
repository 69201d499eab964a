import { afterEach, describe, expect, test } from 'vitest';

import { ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import { matching } from '@floyo/shared/testing/matchers';
import {
  collect,
  createTestIo,
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
  type VendorRequest,
} from '@floyo/shared/testing/vendor';

import { createMetaClient } from './client.ts';

const TOKEN = 'EAAsecret-of-the-test';

let vendor: TestVendor | undefined;
afterEach(() => vendor?.close());

async function readAll(answer: (request: VendorRequest, index: number) => VendorAnswer): Promise<unknown[]> {
  vendor = await startTestVendor(answer);
  const config = {
    accessToken: TOKEN,
    accountIds: ['1'],
    apiVersion: 'v26.0',
    conversionAction: 'purchase',
    baseUrl: vendor.url,
  };
  const client = createMetaClient(config, '1');
  return collect(
    client.readPages(createTestIo({ now: '2026-11-21T09:00:00Z' }), 'act_1/insights', { level: 'ad' }),
  );
}

function page(data: unknown[], after: string, isLast = false): VendorAnswer {
  const next = `https://graph.facebook.com/v26.0/act_1/insights?access_token=${TOKEN}&after=${after}`;
  return { body: { data, paging: { cursors: { before: 'b', after }, ...(isLast ? {} : { next }) } } };
}

const failure = (code: number, subcode?: number, message = 'no'): VendorAnswer => ({
  status: code === 1 ? 500 : 400,
  body: { error: { code, error_subcode: subcode, message, fbtrace_id: 'A1' } },
});
const tooMuch = failure(
  1,
  undefined,
  "Please reduce the amount of data you're asking for, then retry your request",
);

describe('paging', () => {
  test('goes on after a short and after an empty page, and ends where next is absent', async () => {
    const pages = [page([1, 2, 3], 'c1'), page([], 'c2'), page([4], 'c3'), page([5], 'c4', true)];
    expect(await readAll((_request, index) => pages[index] ?? failure(100))).toEqual([1, 2, 3, 4, 5]);
    expect(vendor?.requests.map(({ query }) => query.get('after'))).toEqual([null, 'c1', 'c2', 'c3']);
  });

  test('a short answer without paging is all there is', async () => {
    expect(await readAll(() => ({ body: { data: [] } }))).toEqual([]);
    expect(await readAll(() => ({ body: { data: [1] } }))).toEqual([1]);
  });

  test('a full page without cursors may be cut off: tried again, then a failure', async () => {
    const full = Array.from({ length: 500 }, (_, index) => index);
    await expect(readAll(() => ({ body: { data: full } }))).rejects.toMatchObject({ type: 'truncated' });
    expect(vendor?.requests).toHaveLength(4);
  });

  test('a cursor that stands still or goes in a circle ends the reading', async () => {
    await expect(readAll((_request, index) => page([index], `c${index % 3}`))).rejects.toMatchObject({
      type: 'contract',
    });
    expect(vendor?.requests).toHaveLength(4);
  });

  test('a next page without a cursor is a failure', async () => {
    await expect(
      readAll(() => ({ body: { data: [1], paging: { next: 'https://x' } } })),
    ).rejects.toMatchObject({ type: 'contract' });
  });

  test('an answer of another shape is a failure', async () => {
    await expect(readAll(() => ({ body: { rows: [] } }))).rejects.toMatchObject({
      type: 'contract',
      retryable: false,
    });
  });
});

test('the token is in the header and never in a URL', async () => {
  await readAll((_request, index) => page([index], `c${index}`, index === 2));
  expect(vendor?.requests).toHaveLength(3);
  for (const { url, headers } of vendor?.requests ?? []) {
    expect(url).not.toContain(TOKEN);
    expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
  }
});

describe('too much for one answer', () => {
  test('the page is halved and the reading goes on from the same cursor', async () => {
    const isTooMuch = ({ query }: VendorRequest) =>
      query.get('after') === 'c0' && Number(query.get('limit')) > 125;
    const records = await readAll((request) => {
      if (isTooMuch(request)) return tooMuch;
      return request.query.has('after') ? page(['b'], 'c1', true) : page(['a'], 'c0');
    });
    expect(records).toEqual(['a', 'b']);
    expect(vendor?.requests.map(({ query }) => query.get('limit'))).toEqual(['500', '500', '250', '125']);
  });

  test('when the smallest page is too large, fewer days are needed', async () => {
    await expect(readAll(() => tooMuch)).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(vendor?.requests.map(({ query }) => query.get('limit'))).toEqual([
      '500',
      '250',
      '125',
      '62',
      '31',
      '25',
    ]);
  });

  test('the data limit of a call asks for fewer days at once', async () => {
    await expect(readAll(() => failure(100, 1487534))).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(vendor?.requests).toHaveLength(1);
  });

  test('a report that fails is tried 3 more times, then fewer days are asked for', async () => {
    await expect(readAll(() => failure(2, 1504044))).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(vendor?.requests).toHaveLength(4);
  });
});

test('an answer of another API version is refused', async () => {
  const answer = page([1], 'c0', true);
  await expect(
    readAll(() => ({ ...answer, headers: { 'facebook-api-version': 'v25.0' } })),
  ).rejects.toMatchObject({
    type: 'contract',
    message: 'Meta answered as Marketing API v25.0, not as v26.0',
  });
  expect(await readAll(() => ({ ...answer, headers: { 'facebook-api-version': 'v26.0' } }))).toEqual([1]);
});

test("Meta's wait is kept: an account without the time for it is paused until then", async () => {
  const usage = JSON.stringify({ '1': [{ type: 'ads_insights', estimated_time_to_regain_access: 9 }] });
  const reading = readAll(() => ({
    ...failure(80000, 2446079),
    headers: { 'x-business-use-case-usage': usage },
  }));
  const error: unknown = await reading.catch((thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(ThrottledError);
  expect(error).toMatchObject({ type: 'rate_limit', until: matching(/^2026-11-21T09:09:00/) });
  expect(vendor?.requests).toHaveLength(1);
});
