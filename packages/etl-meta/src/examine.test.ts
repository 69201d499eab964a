/** What `doctor` finds, with each thing broken in turn on the sandbox. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import type { Fault } from '@floyo/sandbox/core';
import type { Finding } from '@floyo/shared/connector';
import { containing, matching } from '@floyo/shared/testing/matchers';
import { createTestIo } from '@floyo/shared/testing/vendor';

import type { MetaConfig } from './config.ts';
import { examine } from './examine.ts';
import { FAST, NOW, sandboxConfig, TOKYO } from './testing/harness.ts';
import { examineVersion } from './versions.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
});
afterAll(() => sandbox.close());
afterEach(() => sandbox.faults.clear());

function findings(changes: Partial<MetaConfig> = {}): Promise<readonly Finding[]> {
  return examine({ ...sandboxConfig(sandbox), ...changes }, TOKYO, createTestIo({ now: NOW }), FAST);
}

const troubles = (list: readonly Finding[]) => list.filter(({ level }) => level !== 'ok');

test('all is well: nothing to do, and what people should know', async () => {
  const list = await findings();
  expect(troubles(list)).toEqual([]);
  expect(list.every(({ fix }) => fix === null)).toBe(true);
  expect(list.map(({ check, message }) => `${check}: ${message}`)).toEqual([
    'API version: v26.0, no end announced',
    'token: the token does not expire',
    'scopes: the token has ads_read',
    'account: Floyo Asia (billed in London) (3071290443350986) is active',
    "currency: GBP; reports convert it to USD with each day's rate",
    'time zone: Asia/Tokyo; its days are kept as they are, while reports are in UTC',
    'insights: insights can be read',
    'access tier: standard_access',
  ]);
});

type Broken = Pick<Fault, 'kind' | 'path' | 'value'>;
const BROKEN: readonly (readonly [
  what: string,
  fault: Broken,
  check: string,
  level: string,
  words: string,
])[] = [
  ['a token that ends soon', { kind: 'token', value: { expiresInDays: 6 } }, 'token', 'warning', 'in 6 days'],
  ['a token that has ended', { kind: 'token', value: { expiresInDays: -1 } }, 'token', 'error', '2026-11-20'],
  [
    'data access that ends soon',
    { kind: 'token', value: { dataAccessInDays: 3 } },
    'data access',
    'warning',
    'in 3 days',
  ],
  [
    'a token that Meta calls invalid',
    { kind: 'token', value: { valid: false } },
    'token',
    'error',
    'Session has expired',
  ],
  ['a token that is refused', { kind: 'wrong_token' }, 'token', 'error', 'the access token has expired'],
  [
    'a token without ads_read',
    { kind: 'token', value: { scopes: ['business_management'] } },
    'scopes',
    'error',
    'lacks ads_read',
  ],
  [
    'a token that can not be examined',
    { kind: 'error', path: 'debug_token', value: { code: 100 } },
    'token',
    'warning',
    'does not tell about the token',
  ],
  [
    'an account that is not seen',
    { kind: 'error', path: `act_${TOKYO}`, value: { code: 100, subcode: 33 } },
    'account',
    'error',
    'does not exist or the token may not see it',
  ],
  [
    'an account with an open payment',
    { kind: 'ad_account', value: { account_status: 3 } },
    'account',
    'warning',
    'unsettled',
  ],
  [
    'an account in a zone that nobody knows',
    { kind: 'ad_account', value: { timezone_name: 'Mars/Olympus' } },
    'account',
    'error',
    'no time zone',
  ],
  [
    'insights that may not be read',
    { kind: 'permission', path: '/insights', value: { code: 10 } },
    'insights',
    'error',
    'ads_read',
  ],
  [
    'a limit of calls that is used up',
    { kind: 'throttle', path: '/insights', value: { minutes: 30 } },
    'insights',
    'warning',
    "the ad account's limit of calls is reached",
  ],
  [
    'an app with low limits',
    { kind: 'usage', value: { tier: 'development_access' } },
    'access tier',
    'warning',
    'development_access',
  ],
  ['an answer of another version', { kind: 'wrong_version' }, 'account', 'error', 'v24.0'],
];

test.each(BROKEN)('%s', async (_what, fault, check, level, words) => {
  sandbox.faults.add({ vendor: 'meta', times: -1, ...fault });
  const found = troubles(await findings()).filter((finding) => finding.check === check);
  expect(found).toEqual([{ check, level, message: containing(words), fix: matching(/\w{3}/) }]);
});

test('the token, which its own question has to name, is in no finding', async () => {
  for (const kind of ['reset', 'not_json', 'server_error', 'wrong_token', 'truncated'] as const) {
    sandbox.faults.add({ vendor: 'meta', kind, path: 'debug_token', times: -1 });
    expect(JSON.stringify(await findings())).not.toContain(sandboxConfig(sandbox).accessToken);
    sandbox.faults.clear();
  }
});

test('a token lasts: a week ahead nothing is said', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'token', value: { expiresInDays: 8 } });
  expect(troubles(await findings())).toEqual([]);
});

test('an ended version is told without a call', async () => {
  sandbox.log.clear();
  expect(await findings({ apiVersion: 'v24.0' })).toMatchObject([
    { check: 'API version', level: 'error', message: 'v24.0 has ended on 2026-10-06' },
  ]);
  expect(sandbox.log.count('meta')).toBe(0);
});

test('the end of a version is told 60 days ahead', () => {
  const ends = { 'v26.0': '2027-03-01', 'v25.0': null };
  const level = (version: string, today: string) => examineVersion(version, today, ends).level;
  expect(level('v26.0', '2026-12-30')).toBe('ok');
  expect(level('v26.0', '2026-12-31')).toBe('warning');
  expect(level('v26.0', '2027-03-01')).toBe('error');
  expect(level('v27.0', '2026-12-30')).toBe('warning');
  expect(level('v23.0', '2026-12-30')).toBe('error');
  expect(level('v25.0', '2026-12-30')).toBe('ok');
  expect(level('v25.0', '2027-07-01')).toBe('warning');
});
