import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { containing } from '@floyo/shared/testing/matchers';
import { createTestIo } from '@floyo/shared/testing/vendor';

import { openAccount } from './account.ts';
import { earliestDay, refuseTooOld } from './history.ts';
import { insights } from './streams/insights.ts';
import { FAST, NOW, readWindow, sandboxConfig, TOKYO } from './testing/harness.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
});
afterAll(() => sandbox.close());

test('the earliest day is within 37 months of any today', () => {
  expect(earliestDay('2026-11-21')).toBe('2023-10-26');
  // The shortest 37 months, with February and without a leap day.
  expect(earliestDay('2027-03-01')).toBe('2024-02-03');
});

describe('days that are too old', () => {
  test('fail with the first day that can be read', () => {
    const recent = { from: '2023-10-26', to: '2023-11-26' };
    expect(() => refuseTooOld([recent], '2026-11-21')).not.toThrow();
    const old = { from: '2023-10-25', to: '2023-10-26' };
    expect(() => refuseTooOld([recent, old], '2026-11-21')).toThrow(
      'Meta keeps 37 months of insights: 2023-10-26 is the earliest day that can be read, and 2023-10-25 was asked for',
    );
  });

  test('fail a backfill before its first call, instead of being left out or counted as empty', async () => {
    const io = createTestIo({ now: NOW });
    const session = await openAccount(sandboxConfig(sandbox), TOKYO, io, FAST);
    const prepare = insights.prepareBackfill;
    if (prepare === undefined) throw new Error('insights prepares no backfill');
    const windows = [
      { from: '2026-10-23', to: '2026-11-22' },
      { from: '2023-10-01', to: '2023-10-31' },
    ];
    sandbox.log.clear();
    await expect(async () => prepare(session, windows, io)).rejects.toMatchObject({
      type: 'config',
      // Sunday has begun in Tokyo: its earliest day is one later than that of accounts in the west.
      advice: containing('--from 2023-10-27'),
    });
    expect(await prepare(session, windows.slice(0, 1), io)).toEqual(windows.slice(0, 1));
    expect(sandbox.log.count('meta')).toBe(0);
  });

  test('the earliest day itself is answered, in every zone', async () => {
    const config = sandboxConfig(sandbox);
    for (const [account, day, next] of [
      [TOKYO, '2023-10-27', '2023-10-28'],
      ['1010035716096012', '2023-10-26', '2023-10-27'],
    ] as const)
      expect(await readWindow(config, { from: day, to: next }, { account })).toEqual([]);
  });
});
