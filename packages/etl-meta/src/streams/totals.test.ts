/** The account's own figures per day against those of its ads, and the fields of their records, on the sandbox. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { createTestIo } from '@floyo/shared/testing/vendor';
import { collect } from '@floyo/shared/testing/vendor';

import { openAccount } from '../account.ts';
import type { MetaConfig } from '../config.ts';
import { countCalls, EUROPE, FAST, NOW, readWindow, sandboxConfig } from '../testing/harness.ts';
import { insights } from './insights.ts';
import { CONSTANT_FIELDS, fieldsOf, KNOWN_FIELDS } from './shape.ts';
import { readTotals } from './totals.ts';

const WINDOW = { from: '2026-10-25', to: '2026-11-22' };

let sandbox: Sandbox;
let config: MetaConfig;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
  config = sandboxConfig(sandbox);
});
afterAll(() => sandbox.close());
afterEach(() => {
  sandbox.faults.clear();
  sandbox.log.clear();
});

async function totals() {
  const io = createTestIo({ now: NOW });
  return readTotals(await openAccount(config, EUROPE, io, FAST), WINDOW, io);
}

describe('totals', () => {
  test('every day has what its ads add up to, deleted ones too', async () => {
    const records = await readWindow(config, WINDOW, { account: EUROPE });
    const theirs = await totals();
    expect(theirs.size).toBe(28);
    for (const [day, { spend, impressions, clicks }] of theirs) {
      const ofDay = records.filter(({ date_start: start }) => start === day);
      const sum = (numbers: readonly string[]): number =>
        numbers.reduce((total, number) => total + Math.round(Number(number) * 100), 0);
      expect(sum(ofDay.map((record) => record.spend))).toBe(sum([spend ?? '']));
      expect(sum(ofDay.map((record) => record.impressions))).toBe(sum([impressions ?? '']));
      expect(sum(ofDay.map((record) => record.clicks))).toBe(sum([clicks ?? '']));
    }
  });

  test('an ad that Meta leaves out of its ads shows', async () => {
    const { 2: ad } = await readWindow(config, WINDOW, { account: EUROPE });
    const complete = await totals();
    sandbox.faults.add({
      ...{ vendor: 'meta', kind: 'vanished_ad', account: EUROPE, times: -1 },
      value: { adId: ad?.ad_id },
    });
    const records = await readWindow(config, WINDOW, { account: EUROPE });
    expect(records.some(({ ad_id: id }) => id === ad?.ad_id)).toBe(false);
    expect(complete).not.toEqual(await totals());
  });

  test('come as a report when the call takes too long', async () => {
    const before = await totals();
    sandbox.faults.add({
      ...{ vendor: 'meta', kind: 'error', path: `GET /meta/v26.0/act_${EUROPE}/insights`, times: -1 },
      value: { code: 100, subcode: 1504018 },
    });
    expect(await totals()).toEqual(before);
    expect(countCalls(sandbox, 'POST', '/insights')).toBe(1);
  });

  test.each([
    { set: { account_id: '77' } },
    { set: { spend: 'much' } },
    { set: { date_start: '2026-11-03' } },
  ])('%j is refused', async (value) => {
    sandbox.faults.add({ vendor: 'meta', kind: 'invalid_record', times: -1, value });
    await expect(totals()).rejects.toMatchObject({ type: 'contract' });
  });
});

describe('the fields of a record', () => {
  test('are the known ones, and those that never fail are always there', async () => {
    const io = createTestIo({ now: NOW });
    const session = await openAccount(config, EUROPE, io, FAST);
    for (const record of await collect(insights.readDays(session, WINDOW, io))) {
      const fields = fieldsOf(record);
      expect(fields.filter((field) => !KNOWN_FIELDS.includes(field))).toEqual([]);
      expect(CONSTANT_FIELDS.filter((field) => !fields.includes(field))).toEqual([]);
    }
  });

  test('a new one, at the top or in a list of actions, shows', () => {
    const record = {
      ad_id: '1',
      actions: [{ action_type: 'purchase', value: '1', '7d_view': '1' }],
      dda: [],
    };
    const unknown = fieldsOf(record).filter((field) => !KNOWN_FIELDS.includes(field));
    expect(unknown).toEqual(['actions.7d_view', 'dda']);
  });
});
