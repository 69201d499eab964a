import { describe, expect, test } from 'vitest';

import { readUsage, throttleWaitMs } from './usage.ts';

const ACCOUNT = '1234567890';
const read = (headers: Record<string, string>) => readUsage(new Headers(headers), ACCOUNT);

test('every header tells its part, the highest share of each counts', () => {
  const usage = read({
    'x-fb-ads-insights-throttle':
      '{"app_id_util_pct":61.5,"acc_id_util_pct":72,"ads_api_access_tier":"development_access"}',
    'x-app-usage': '{"call_count":3,"total_time":25,"total_cputime":40}',
    'x-ad-account-usage': '{"acc_id_util_pct":9.67,"reset_time_duration":100}',
    'x-business-use-case-usage': JSON.stringify({
      [ACCOUNT]: [
        { type: 'ads_insights', call_count: 5, total_cputime: 80, total_time: 20 },
        { type: 'ads_management', call_count: 97 },
      ],
      '999': [{ type: 'ads_insights', call_count: 100 }],
    }),
  });
  expect(Object.fromEntries(usage.account)).toEqual({
    'x-fb-ads-insights-throttle': 72,
    'x-ad-account-usage': 9.67,
    'x-business-use-case-usage': 80,
  });
  expect(Object.fromEntries(usage.app)).toEqual({ 'x-fb-ads-insights-throttle': 61.5, 'x-app-usage': 40 });
  expect(usage.tier).toBe('development_access');
});

test.each([
  '',
  'no json',
  'null',
  '[]',
  '{}',
  '7',
  '{"1":null}',
  '{"1":[null,7,{}]}',
  '{"call_count":null,"acc_id_util_pct":"many"}',
])('%j says nothing and breaks nothing', (text) => {
  const names = [
    'x-fb-ads-insights-throttle',
    'x-app-usage',
    'x-ad-account-usage',
    'x-business-use-case-usage',
  ];
  const usage = read(Object.fromEntries(names.map((name) => [name, text])));
  expect([usage.account.size, usage.app.size, usage.tier]).toEqual([0, 0, undefined]);
});

test('numbers as texts and keys in other letters are read', () => {
  const usage = read({ 'X-Fb-Ads-Insights-Throttle': '{"App_Id_Util_Pct":"88","ACC_ID_UTIL_PCT":12}' });
  expect([[...usage.app.values()], [...usage.account.values()]]).toEqual([[88], [12]]);
});

describe('how long to wait', () => {
  const wait = (headers: Record<string, string>) => throttleWaitMs(new Headers(headers), ACCOUNT);

  test("the account's own minutes, the longest of its use cases", () => {
    const usage = {
      [ACCOUNT]: [{ estimated_time_to_regain_access: 2 }, { estimated_time_to_regain_access: '7' }],
      '999': [{ estimated_time_to_regain_access: 60 }],
    };
    expect(wait({ 'x-business-use-case-usage': JSON.stringify(usage) })).toBe(420_000);
  });

  test('seconds of the older header, once its limit is used up', () => {
    const header = (percent: number) => ({
      'x-ad-account-usage': JSON.stringify({ acc_id_util_pct: percent, reset_time_duration: 100 }),
    });
    expect([wait(header(100)), wait(header(40))]).toEqual([100_000, undefined]);
  });
});
