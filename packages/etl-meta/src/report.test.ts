/** What takes too long, or is too much, for one call: asynchronous reports with all their races, on the sandbox. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { WindowTooLargeError } from '@floyo/shared/errors';
import { matching } from '@floyo/shared/testing/matchers';
import { createTestIo } from '@floyo/shared/testing/vendor';

import { openAccount } from './account.ts';
import type { MetaConfig } from './config.ts';
import type { Insight } from './streams/insights.ts';
import { countCalls, FAST, NOW, readWindow, sandboxConfig, US } from './testing/harness.ts';

const WINDOW = { from: '2026-10-25', to: '2026-11-22' };
const DAY = { from: '2026-11-10', to: '2026-11-11' };

let sandbox: Sandbox;
let config: MetaConfig;
let faultless: Insight[];
let faultlessDay: Insight[];
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
  config = sandboxConfig(sandbox);
  faultless = await readWindow(config, WINDOW);
  faultlessDay = await readWindow(config, DAY);
  sandbox.log.clear();
});
afterAll(() => sandbox.close());
afterEach(() => {
  sandbox.faults.clear();
  sandbox.log.clear();
});

const CALL = `GET /meta/v26.0/act_${US}/insights`;
const submits = (): number => countCalls(sandbox, 'POST', `act_${US}/insights`);
const calls = (): number => countCalls(sandbox, 'GET', `act_${US}/insights`);

/** Every call for rows times out, as Meta says it; reports do not. */
function timeOutCalls(code = 100, subcode = 1504018): void {
  sandbox.faults.add({ vendor: 'meta', kind: 'error', path: CALL, times: -1, value: { code, subcode } });
}

describe('when a report is asked for', () => {
  test.each([
    [100, 1504018],
    [2, 1504038],
  ])('%i/%i, the call took too long: a report of the same days', async (code, subcode) => {
    timeOutCalls(code, subcode);
    expect(await readWindow(config, WINDOW)).toEqual(faultless);
    expect([calls(), submits()]).toEqual([1, 1]);
  });

  test('no answer in time: a report of the same days', async () => {
    sandbox.faults.add({
      ...{ vendor: 'meta', kind: 'slow', path: `act_${US}/insights` },
      ...{ times: 4, value: { ms: 400 } },
    });
    const io = createTestIo({ now: NOW });
    const records = await readWindow(config, DAY, { timings: { callTimeoutMs: 150 }, io });
    expect(records).toEqual(faultlessDay);
    expect(submits()).toBe(1);
  });

  test('too much for one call: fewer days, and a report once it is a single one', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { maxDays: 0 } });
    await expect(readWindow(config, WINDOW)).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(submits()).toBe(0);
    expect(await readWindow(config, DAY)).toEqual(faultlessDay);
    expect(submits()).toBe(1);
  });
});

describe('races: every one of them once changes nothing', () => {
  test.each([
    ['report_not_found', 3, 1],
    ['report_running_100', 3, 1],
    ['report_completed_early', 1, 1],
    ['report_not_ready', 6, 1],
    ['report_summary_bug', 6, 1],
    ['report_skipped', 1, 2],
    ['report_failed', 1, 2],
    ['report_expired', 1, 2],
  ] as const)('%s', async (kind, times, expected) => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind, times });
    expect(await readWindow(config, WINDOW)).toEqual(faultless);
    expect(submits()).toBe(expected);
  });

  test('results that expire between two pages', async () => {
    timeOutCalls();
    sandbox.faults.add({
      vendor: 'meta',
      kind: 'too_large',
      times: -1,
      value: { maxLimit: 125, reports: true },
    });
    sandbox.faults.add({ vendor: 'meta', kind: 'report_expired', path: '/insights', times: 1 });
    expect(await readWindow(config, WINDOW)).toEqual(faultless);
    expect(submits()).toBe(2);
  });
});

describe('a report that does not come about asks for fewer days', () => {
  test('and a stuck one is abandoned, not started again', async () => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind: 'report_stuck', times: -1 });
    await expect(readWindow(config, WINDOW)).rejects.toMatchObject({
      type: 'truncated',
      message: matching(/not complete after/),
    });
    expect(submits()).toBe(1);
  });

  test.each([
    ['report_skipped', 3],
    ['report_failed', 3],
    ['report_not_found', 3],
    ['report_expired', 3],
    ['report_not_ready', 1],
    ['report_summary_bug', 1],
    ['report_completed_early', 1],
  ] as const)('%s for ever', async (kind, expected) => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind, times: -1 });
    await expect(readWindow(config, WINDOW)).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(submits()).toBe(expected);
  });

  test.each([
    [-3, 1504045],
    [100, 1487534],
  ])('failed with %i/%i: at once', async (code, subcode) => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind: 'report_failed', times: -1, value: { code, subcode } });
    await expect(readWindow(config, WINDOW)).rejects.toBeInstanceOf(WindowTooLargeError);
    expect(submits()).toBe(1);
  });

  test('and windows of as many days are not tried as one call again', async () => {
    timeOutCalls();
    const io = createTestIo({ now: NOW });
    const { reader } = await openAccount(config, US, io, FAST);
    for (let index = 0; index < 2; index++)
      for await (const page of reader.read(io, WINDOW)) expect(page.length).toBeGreaterThan(0);
    expect([calls(), submits()]).toEqual([1, 2]);
    for await (const page of reader.read(io, DAY)) expect(page.length).toBeGreaterThan(0);
    expect([calls(), submits()]).toEqual([2, 3]);
  });
});

describe('a report that says why it failed', () => {
  test.each([
    [190, 460, 'auth', /changed the password/],
    [200, undefined, 'permission', /permission/],
    [3018, undefined, 'config', /37 months/],
  ] as const)('%i: %s', async (code, subcode, type, message) => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind: 'report_failed', value: { code, subcode } });
    await expect(readWindow(config, WINDOW)).rejects.toMatchObject({ type, message: matching(message) });
    expect(submits()).toBe(1);
  });

  test('a limit of calls: waits and starts another one', async () => {
    timeOutCalls();
    sandbox.faults.add({ vendor: 'meta', kind: 'report_failed', value: { code: 80000, subcode: 2446079 } });
    const io = createTestIo({ now: NOW, waitBudgetMs: 1_000 });
    expect(await readWindow(config, WINDOW, { io })).toEqual(faultless);
    expect(io.http.counts.throttledMs).toBeGreaterThan(0);
    expect(submits()).toBe(2);
  });
});

test('waiting for a report is not waiting for a limit', async () => {
  timeOutCalls();
  const io = createTestIo({ now: NOW, waitBudgetMs: 0 });
  expect(await readWindow(config, WINDOW, { io })).toEqual(faultless);
  expect(io.http.counts.throttledMs).toBe(0);
});

test('a run that is stopped does not go on waiting', async () => {
  timeOutCalls();
  sandbox.faults.add({ vendor: 'meta', kind: 'report_stuck', times: -1 });
  const stop = new AbortController();
  const io = { ...createTestIo({ now: NOW }), signal: stop.signal };
  const reading = readWindow(config, WINDOW, { io, timings: { pollFirstMs: 60_000, pollMostMs: 60_000 } });
  const outcome = expect(reading).rejects.toThrow('stopped by the test');
  while (submits() === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error('stopped by the test'));
  await outcome;
});
