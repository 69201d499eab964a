/** A day that is too much even for a report: by campaign, ad set, ad and fields, without losing an ad or a field. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { containing } from '@floyo/shared/testing/matchers';

import type { MetaConfig } from './config.ts';
import type { Insight } from './streams/insights.ts';
import { countCalls, NOW, readWindow, sandboxConfig, US } from './testing/harness.ts';

let sandbox: Sandbox;
let config: MetaConfig;
/** A day on which an ad delivered that is deleted by now. */
const DAY = { from: '2026-10-28', to: '2026-10-29' };
let faultless: Insight[];
let lastAd: string;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
  config = sandboxConfig(sandbox);
  faultless = await readWindow(config, DAY);
  lastAd = faultless.at(-1)?.ad_id ?? '';
});
afterAll(() => sandbox.close());
afterEach(() => {
  sandbox.faults.clear();
  sandbox.log.clear();
});

function tooLarge(value: object): void {
  sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { reports: true, ...value } });
}

test('the day has a deleted ad and campaigns with several ads', async () => {
  const query = new URLSearchParams({
    ...{ level: 'ad', time_increment: '1', fields: 'ad_id', limit: '500' },
    time_range: JSON.stringify({ since: DAY.from, until: DAY.from }),
  });
  const headers = { authorization: `Bearer ${config.accessToken}` };
  const answer = await fetch(`${config.baseUrl}/v26.0/act_${US}/insights?${query.toString()}`, { headers });
  const text = await answer.text();
  expect(faultless.some(({ ad_id: ad }) => !text.includes(ad))).toBe(true);
  expect(new Set(faultless.map(({ campaign_id: id }) => id)).size).toBeLessThan(faultless.length);
});

test.each([1, 3, 8])('no more than %i ads at once: the same records', async (maxAds) => {
  tooLarge({ maxAds });
  expect(await readWindow(config, DAY)).toEqual(faultless);
});

test('as a call and as a report, which goes no further than the day', async () => {
  tooLarge({ maxAds: 8 });
  await readWindow(config, DAY);
  // The day itself; its parts are smaller calls.
  expect(countCalls(sandbox, 'POST', '/insights')).toBe(1);
});

test('too slow in parts, too: reports of the parts', async () => {
  tooLarge({ maxAds: 3, code: 100, subcode: 1504018 });
  expect(await readWindow(config, DAY)).toEqual(faultless);
});

test('an ad whose actions come only by themselves: its fields in groups', async () => {
  tooLarge({ heavy: { ad: lastAd, field: 'actions', maxFields: 4 } });
  expect(await readWindow(config, DAY)).toEqual(faultless);
});

test('an ad whose names are too much: groups get smaller', async () => {
  tooLarge({ heavy: { ad: lastAd, field: 'campaign_name', maxFields: 5 } });
  expect(await readWindow(config, DAY)).toEqual(faultless);
});

test('a field that Meta gives in no way fails the day and names it', async () => {
  tooLarge({ heavy: { ad: lastAd, field: 'actions', maxFields: 0 } });
  await expect(readWindow(config, DAY)).rejects.toMatchObject({
    type: 'truncated',
    message: `Meta gives 2026-10-28 in no way completely: the field actions of ad ${lastAd}`,
    advice: containing('--to 2026-10-27'),
  });
});

test('a campaign with figures whose ads never come fails the day', async () => {
  tooLarge({ maxAds: 3 });
  // Strikes the list of campaigns (whose first page is empty): it names one that no ad belongs to.
  sandbox.faults.add({
    ...{ vendor: 'meta', kind: 'invalid_record', path: 'GET', times: 2 },
    value: { set: { campaign_id: '120000000000000001' } },
  });
  await expect(readWindow(config, DAY)).rejects.toMatchObject({
    type: 'truncated',
    message: containing('campaign 120000000000000001'),
  });
});

test('a list of campaigns that is too much itself fails the day', async () => {
  tooLarge({ maxDays: 0 });
  await expect(readWindow(config, DAY)).rejects.toMatchObject({
    type: 'truncated',
    message: containing('the list of campaigns'),
  });
});
