/** What `doctor` finds, with each thing broken in turn. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { FaultKind } from '@floyo/sandbox/core';
import type { Finding } from '@floyo/shared/connector';
import { containing, matching } from '@floyo/shared/testing/matchers';

import type { TikTokConfig } from './config.ts';
import { examine } from './examine.ts';
import { type Bench, NOW, startBench, testIo, TOKYO, US } from './testing/bench.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.sandbox.close());
afterEach(() => bench.sandbox.faults.clear());

async function find(
  options: { account?: string; now?: string; config?: Partial<TikTokConfig> } = {},
): Promise<Record<string, Finding>> {
  const { account = US, now = NOW, config } = options;
  bench.sandbox.clock.set(now);
  const findings = await examine({ ...bench.createConfig(), ...config }, account, testIo(now));
  for (const { level, fix } of findings) expect(fix === null).toBe(level === 'ok');
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]));
}

test.each([US, TOKYO])('advertiser %s is all right', async (account) => {
  const findings = await find({ account });
  expect(Object.keys(findings)).toEqual([
    ...['api version', 'access', 'advertiser status', 'time zone', 'currency', 'reports'],
    ...['TIKTOK_CONVERSION_METRIC', 'TIKTOK_VALUE_METRIC'],
  ]);
  expect(new Set(Object.values(findings).map(({ level }) => level))).toEqual(new Set(['ok']));
});

test('zone and currency are set against those of the reports', async () => {
  const { 'time zone': zone, currency } = await find({ account: TOKYO });
  expect(zone?.message).toBe(
    "The advertiser's days are those of Asia/Tokyo: reports are made in UTC, days of spend stay the advertiser's.",
  );
  expect(currency?.message).toBe('The advertiser spends JPY, converted to USD in the reports.');
});

describe('an error', () => {
  test.each([
    ['wrong_token', undefined, 'access', 'wrong or was revoked', 'TIKTOK_ACCESS_TOKEN'],
    ['error', { code: 40301 }, 'access', 'was deleted', 'Take it out'],
    ['error', { code: 60001 }, 'access', 'maintenance', 'next run'],
  ] as const)('%s %j', async (kind, value, check, message, fix) => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: kind satisfies FaultKind, times: -1, value });
    expect((await find())[check]).toMatchObject({
      level: 'error',
      message: matching(new RegExp(`${message}.* \\(request_id \\d+\\)`)),
      fix: containing(fix),
    });
  });

  test('an advertiser that the token may not read', async () => {
    expect((await find({ account: '42' }))['access']).toMatchObject({
      level: 'error',
      fix: containing('grant'),
    });
  });

  test('the reporting scope is missing', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'missing_scope', path: '/report/' });
    expect((await find())['reports']).toMatchObject({ level: 'error', fix: containing('reporting scope') });
  });

  test.each([
    ['TIKTOK_CONVERSION_METRIC', { conversionMetric: 'no_such_metric' }],
    ['TIKTOK_VALUE_METRIC', { valueMetric: 'no_such_metric' }],
  ])('%s is no metric', async (variable, config) => {
    expect((await find({ config }))[variable]).toMatchObject({
      level: 'error',
      message: containing('no_such_metric'),
      fix: containing(`Set ${variable}`),
    });
  });
});

describe('a warning', () => {
  test('the advertiser does not deliver', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'ad_account', value: { status: 'STATUS_LIMIT' } });
    expect((await find())['advertiser status']).toMatchObject({
      level: 'warning',
      message: containing('STATUS_LIMIT'),
    });
  });

  test("TikTok's two time zones differ in summer", async () => {
    expect((await find({ now: '2026-07-01T12:00:00Z' }))['time zone']).toMatchObject({
      level: 'warning',
      message: containing('America/Los_Angeles for display and Etc/GMT+8'),
    });
  });

  test('more ads than TikTok shows at once', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated' });
    expect((await find())['reports']).toMatchObject({ level: 'warning', fix: containing('allow list') });
  });

  test('the version was not looked up for long', async () => {
    expect((await find({ now: '2027-07-01T12:00:00Z' }))['api version']).toMatchObject({ level: 'warning' });
  });
});
