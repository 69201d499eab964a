/** The connector against the sandbox: paging with traps, time zones, faults. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { readConfig } from '@floyo/shared/config';
import { faultSuite } from '@floyo/shared/testing/fault-suite';
import { containing } from '@floyo/shared/testing/matchers';
import { collect, createTestIo } from '@floyo/shared/testing/vendor';
import { addDays, dayOf } from '@floyo/shared/window';

import { type MetaConfig, metaConfig } from './config.ts';
import { meta } from './index.ts';
import { type Insight, insights } from './streams/insights.ts';

/** Saturday evening in Europe, Sunday morning in Tokyo. */
const NOW = '2026-11-21T21:00:00Z';

let sandbox: Sandbox;
let config: MetaConfig;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
  const read = readConfig(metaConfig, sandbox.env);
  if (read === undefined) throw new Error('the sandbox does not configure Meta');
  config = read;
});
afterAll(() => sandbox.close());
afterEach(() => sandbox.faults.clear());

const US = '1010035716096012';
const TOKYO = '3071290443350986';

async function read(
  account: string,
  daysBack: number,
  options: { readonly config?: Partial<MetaConfig> } = {},
): Promise<Insight[]> {
  const io = createTestIo({ now: NOW });
  const session = await meta.open({ ...config, ...options.config }, account, io);
  const today = dayOf(io.now(), session.timezone);
  const window = { from: addDays(today, -daysBack), to: addDays(today, 1) };
  const records = await collect(insights.readDays(session, window, io));
  return z.array(insights.schema).parse(records);
}

test('a first run reads every ad of 28 days and today, whatever its pages look like', async () => {
  const records = await read(US, 28);
  const keys = records.map(({ ad_id: ad, date_start: day }) => `${ad} ${day}`);
  expect(new Set(keys).size).toBe(keys.length);
  const days = new Set(records.map(({ date_start: day }) => day));
  expect([days.size, [...days].sort().at(-1)]).toEqual([29, '2026-11-21']);
});

test('deleted ads keep their spend: the ads add up to what the account spent', async () => {
  const records = await read(US, 28);
  const query = new URLSearchParams({
    level: 'account',
    time_range: JSON.stringify({ since: '2026-10-24', until: '2026-11-21' }),
    fields: 'spend,impressions',
  });
  const url = `${config.baseUrl}/v26.0/act_${US}/insights?${query.toString()}`;
  const answer: unknown = await (
    await fetch(url, { headers: { authorization: `Bearer ${config.accessToken}` } })
  ).json();
  const [total] = z
    .object({ data: z.array(z.object({ spend: z.string(), impressions: z.string() })) })
    .parse(answer).data;
  const cents = records.reduce((sum, { spend }) => sum + Math.round(Number(spend) * 100), 0);
  expect(cents).toBe(Math.round(Number(total?.spend) * 100));
  expect(records.reduce((sum, { impressions }) => sum + Number(impressions), 0)).toBe(
    Number(total?.impressions),
  );
});

test("an account east of UTC has its own today, in the zone's name and not its offset", async () => {
  const records = await read(TOKYO, 1);
  expect(
    records
      .map(({ date_start: day }) => day)
      .sort()
      .at(-1),
  ).toBe('2026-11-22');
  expect(await meta.open(config, TOKYO, createTestIo({ now: NOW }))).toMatchObject({
    timezone: 'Asia/Tokyo',
    currency: 'GBP',
  });
});

test('rows carry what the account was opened with', async () => {
  const io = createTestIo({ now: NOW });
  const session = await meta.open(config, TOKYO, io);
  const [record] = await read(TOKYO, 3);
  if (record === undefined) throw new Error('no record');
  const rows = insights.toRows(record, session, io.reporting).spend ?? [];
  expect(rows).toMatchObject([
    { source: 'meta', account_id: TOKYO, account_timezone: 'Asia/Tokyo', currency: 'GBP' },
  ]);
});

describe('faults', () => {
  faultSuite({
    read: (daysBack) => read(US, daysBack),
    fail: (kind, times = 1) => sandbox.faults.add({ vendor: 'meta', kind, path: '/insights', times }),
    failLongWindows: (maxDays) =>
      sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { maxDays } }),
    async countReports(work) {
      sandbox.log.clear();
      await work();
      return sandbox.log.entries.filter(({ path }) => path.endsWith('/insights')).length;
    },
    passing: ['server_error', 'not_json', 'reset', 'truncated'],
    lasting: [
      ['wrong_token', 'auth', 'the access token has expired'],
      ['permission', 'permission', 'permission'],
      ['missing_scope', 'permission', 'permission'],
      ['wrong_version', 'contract', 'v24.0'],
    ],
  });

  test('too large a page is read in smaller ones', async () => {
    const before = await read(US, 28);
    sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { maxLimit: 60 } });
    expect(await read(US, 28)).toEqual(before);
  });

  test('an unknown account, another one, a wrong token', async () => {
    await expect(read('42', 1)).rejects.toMatchObject({ type: 'permission' });
    await expect(read(US, 1, { config: { accessToken: 'other' } })).rejects.toMatchObject({ type: 'auth' });
    sandbox.faults.add({ vendor: 'meta', kind: 'ad_account', value: { account_id: TOKYO } });
    await expect(read(US, 1)).rejects.toMatchObject({
      type: 'contract',
      message: containing(`answers for ${TOKYO}`),
    });
  });

  test('an expired version is refused before the first call', async () => {
    sandbox.log.clear();
    await expect(read(US, 1, { config: { apiVersion: 'v24.0' } })).rejects.toMatchObject({
      type: 'contract',
      message: containing('ended on 2026-10-06'),
    });
    expect(sandbox.log.count('meta')).toBe(0);
  });
});
