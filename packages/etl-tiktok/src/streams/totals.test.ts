/** TikTok's own totals against the sum over ads. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';
import { startTestVendor } from '@floyo/shared/testing/vendor';
import { listDays } from '@floyo/shared/window';

import { createTikTokClient } from '../client.ts';
import { type Bench, startBench, testIo, TOKYO, US } from '../testing/bench.ts';
import { readTotals, TOTALS } from './totals.ts';

const WEEK = { from: '2026-11-12', to: '2026-11-19' };

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.sandbox.close());
afterEach(() => bench.sandbox.faults.clear());

/** Sums over ads by day, in the shape of the totals; spend in hundredths. */
async function sums(account: string): Promise<Record<string, number[]>> {
  const { rows } = await bench.readRows(WEEK, { account });
  const byDay: Record<string, number[]> = {};
  for (const row of rows) {
    const sum = (byDay[row.date] ??= [0, 0, 0]);
    for (const [index, name] of TOTALS.entries())
      sum[index] = (sum[index] ?? 0) + Math.round(Number(row[name]) * 100);
  }
  return byDay;
}

async function totals(account: string): Promise<Record<string, number[]>> {
  const session = await bench.open(account);
  const read = await readTotals(session, WEEK, testIo());
  return Object.fromEntries(
    [...read].map(([day, texts]) => [day, TOTALS.map((name) => Math.round(Number(texts[name]) * 100))]),
  );
}

test.each([US, TOKYO])('of advertiser %s are the sums of its ads on every day', async (account) => {
  const read = await totals(account);
  expect(Object.keys(read).sort()).toEqual(listDays(WEEK));
  expect(read).toEqual(await sums(account));
});

describe('show what a report left out', () => {
  test('a filter by status that TikTok ignores in a task', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated', times: -1 });
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'ignored_filter', times: -1, path: '/task/' });
    const [read, summed] = [await totals(US), await sums(US)];
    expect(
      Object.keys(read).filter((day) => (summed[day]?.[0] ?? 0) < (read[day]?.[0] ?? 0)).length,
    ).toBeGreaterThan(0);
  });

  test('an ad that vanished', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'vanished_ad' });
    const summed = await sums(US);
    expect(await totals(US)).not.toEqual(summed);
  });
});

test('longer ranges than TikTok gives are asked for in parts', async () => {
  const session = await bench.open();
  const read = await readTotals(session, { from: '2026-09-01', to: '2026-11-01' }, testIo());
  expect(read.size).toBe(61);
});

describe('a total', () => {
  const readOne = async (spend: string) => {
    const dimensions = { advertiser_id: '7', stat_time_day: '2026-11-12 00:00:00' };
    const list = [{ dimensions, metrics: { spend, impressions: '1', clicks: '0' } }];
    const page_info = { page: 1, total_page: 1, total_number: 1 };
    const vendor = await startTestVendor(() => ({
      body: { code: 0, message: 'OK', data: { list, page_info } },
    }));
    const client = createTikTokClient({ ...bench.createConfig(), baseUrl: vendor.url });
    return readTotals({ id: '7', client }, WEEK, testIo()).finally(() => vendor.close());
  };

  test('that TikTok does not tell is left out', async () => {
    expect(Object.fromEntries(await readOne('-'))).toEqual({
      '2026-11-12': { impressions: '1', clicks: '0' },
    });
  });

  test('that is no number is an error', async () => {
    await expect(readOne('abc')).rejects.toMatchObject({
      type: 'contract',
      message: containing('metrics.spend'),
    });
  });
});
