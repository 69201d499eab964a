/** Limits of calls: slower before the wall, an account's own wall for that account alone, the app's for all of them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { AccountPausedError } from '@floyo/shared/errors';
import { matching } from '@floyo/shared/testing/matchers';
import { createTestIo } from '@floyo/shared/testing/vendor';

import { createMetaClient } from './client.ts';
import type { MetaConfig } from './config.ts';
import { EUROPE, FAST, NOW, sandboxConfig, US } from './testing/harness.ts';
import type { Timings } from './timings.ts';

let sandbox: Sandbox;
let config: MetaConfig;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
});
afterAll(() => sandbox.close());
beforeEach(() => {
  config = sandboxConfig(sandbox);
});
afterEach(() => {
  sandbox.faults.clear();
  sandbox.log.clear();
});

function order(value: object, account?: string): void {
  sandbox.faults.clear();
  sandbox.faults.add({
    ...{ vendor: 'meta', kind: 'usage', times: -1, value },
    ...(account === undefined ? {} : { account }),
  });
}

/** A caller of one account that tells how long it waited for each call. */
function caller(account = US, timings: Partial<Timings> = {}, waitBudgetMs = 60_000) {
  const io = createTestIo({ now: NOW, waitBudgetMs });
  const client = createMetaClient(config, account, { ...FAST, ...timings });
  return async (): Promise<number> => {
    const before = io.http.counts.throttledMs;
    await client.get(io, `act_${account}/insights`, { fields: 'spend' });
    return io.http.counts.throttledMs - before;
  };
}

describe('slower before the wall', () => {
  test.each([
    ['account', 'account'],
    ['app', 'app'],
  ])('by the %s percentage of the answer before', async (_name, key) => {
    const call = caller();
    const waits: number[] = [];
    for (const percent of [74, 75, 87.5, 100, 140, 10, 10]) {
      order({ account: 0, app: 0, [key]: percent });
      waits.push(await call());
    }
    expect(waits).toEqual([0, 0, 1, 4, 16, 16, 0]);
  });

  test('calls side by side wait one after another', async () => {
    const io = createTestIo({ now: NOW, waitBudgetMs: 60_000 });
    const client = createMetaClient(config, US, { ...FAST, paceMostMs: 60 });
    const call = () => client.get(io, `act_${US}/insights`, { fields: 'spend' });
    order({ account: 100, app: 0 });
    await call();
    const begin = performance.now();
    await Promise.all([call(), call(), call()]);
    expect(performance.now() - begin).toBeGreaterThan(170);
    expect(io.http.counts.throttledMs).toBe(180);
  });

  test('an error says it too', async () => {
    const call = caller();
    order({ account: 95 });
    sandbox.faults.add({ vendor: 'meta', kind: 'permission' });
    await expect(call()).rejects.toMatchObject({ type: 'permission' });
    expect(await call()).toBeGreaterThan(1);
  });

  test('minutes until access is regained are kept, even when all is well', async () => {
    const call = caller(US, {}, 1_000);
    order({ account: 10, minutes: 2 });
    expect(await call()).toBe(0);
    await expect(call()).rejects.toMatchObject({ until: matching(/^2026-11-21T21:02:00/) });
  });

  test('headers that nobody can read change nothing', async () => {
    const call = caller();
    order({ raw: 'percent: 100' });
    expect([await call(), await call()]).toEqual([0, 0]);
  });

  test("an account at its wall is paused, with its calls' waiting used up; the others go on", async () => {
    order({ account: 100, app: 0 }, US);
    const call = caller(US, {}, 40);
    expect([await call(), await call(), await call()]).toEqual([0, 16, 16]);
    sandbox.log.clear();
    await expect(call()).rejects.toBeInstanceOf(AccountPausedError);
    expect(sandbox.log.count('meta')).toBe(0);
    expect(await caller(EUROPE)()).toBe(0);
  });
});

describe("the app's limit", () => {
  test.each([
    { code: 4, subcode: 1504022 },
    { code: 4, subcode: 1504039 },
  ])('$code/$subcode: waits ever longer, then pauses this account and every other one', async (value) => {
    sandbox.faults.add({ vendor: 'meta', kind: 'error', times: -1, value });
    // 10 + 20 ms and some jitter fit, 40 ms more do not.
    const timings = { appWaitsMs: [10, 20, 5_000] };
    await expect(caller(US, timings, 3_000)()).rejects.toMatchObject({
      until: matching(/^2026-11-21T21:00:05/),
    });
    expect(sandbox.log.count('meta')).toBe(3);

    sandbox.faults.clear();
    sandbox.log.clear();
    await expect(caller(EUROPE)()).rejects.toMatchObject({
      type: 'rate_limit',
      message: matching(/the whole app/),
      until: matching(/^2026-11-21T21:00:05/),
    });
    expect(sandbox.log.count('meta')).toBe(0);
  });

  test('another configuration is another app', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'error', times: -1, value: { code: 4, subcode: 1504022 } });
    await expect(caller(US, {}, 0)()).rejects.toBeInstanceOf(AccountPausedError);
    sandbox.faults.clear();
    config = sandboxConfig(sandbox);
    expect(await caller(EUROPE)()).toBe(0);
  });

  test('a refusal that passes is forgotten: the next one waits shortly again', async () => {
    const call = caller(US, { appWaitsMs: [10, 5_000] }, 3_000);
    for (let index = 0; index < 3; index++) {
      sandbox.faults.add({ vendor: 'meta', kind: 'error', value: { code: 4, subcode: 1504022 } });
      expect(await call()).toBeGreaterThanOrEqual(10);
    }
    expect(await caller(EUROPE)()).toBe(0);
  });

  test("an account that is paused for its own limit, after the app's has passed, is paused alone", async () => {
    const limits = [
      { code: 4, subcode: 1504022 },
      { code: 80000, subcode: 2446079 },
    ];
    for (const value of limits) sandbox.faults.add({ vendor: 'meta', kind: 'error', account: US, value });
    await expect(caller(US, {}, 1_000)()).rejects.toBeInstanceOf(AccountPausedError);
    expect(await caller(EUROPE)()).toBe(0);
  });

  test("its percentage holds back every account, an account's own does not", async () => {
    order({ app: 100, account: 0 }, US);
    await caller(US)();
    expect(await caller(EUROPE)()).toBe(16);
    config = sandboxConfig(sandbox);
    order({ app: 0, account: 100 }, US);
    await caller(US)();
    expect(await caller(EUROPE)()).toBe(0);
  });

  test.each([
    { code: 17, subcode: 2446079 },
    { code: 613 },
    { code: 80000, subcode: 2446079 },
    { code: 80004, subcode: 2446079 },
  ])('$code/$subcode pauses one account alone', async (value) => {
    sandbox.faults.add({ vendor: 'meta', kind: 'error', account: US, times: -1, value });
    await expect(caller(US, {}, 0)()).rejects.toBeInstanceOf(AccountPausedError);
    expect(await caller(EUROPE)()).toBe(0);
  });
});
