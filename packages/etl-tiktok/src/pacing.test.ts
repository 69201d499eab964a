/** Limits of calls are kept, and when TikTok shuts the app out nobody calls. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { AccountPausedError } from '@floyo/shared/errors';
import { createTestIo } from '@floyo/shared/testing/vendor';

import { tiktok } from './index.ts';
import { createPacer, createSchedule } from './pacing.ts';
import { type Bench, NOW, startBench, testIo, TOKYO, US } from './testing/bench.ts';

describe('a schedule', () => {
  test('lets a burst through and then keeps the pace', () => {
    const schedule = createSchedule([{ calls: 3, ms: 1_000 }], () => 0);
    expect([1, 2, 3, 4, 5, 6, 7].map(() => schedule.reserve().waitMs)).toEqual([
      0, 0, 0, 1_000, 1_000, 1_000, 2_000,
    ]);
  });

  test('counts a call from when it was answered: it may have arrived that late', () => {
    let now = 0;
    const schedule = createSchedule([{ calls: 1, ms: 1_000 }], () => now);
    const first = schedule.reserve();
    now = 700;
    first.settle();
    expect(schedule.reserve().waitMs).toBe(1_000);
  });

  test('keeps every limit, whatever the pauses between calls', () => {
    const limits = [
      { calls: 10, ms: 1_000 },
      { calls: 60, ms: 60_000 },
    ];
    let now = 0;
    const schedule = createSchedule(limits, () => now);
    const made: number[] = [];
    for (let call = 0; call < 400; call++) {
      const at = now + schedule.reserve().waitMs;
      made.push(at);
      now = at + ((call * 7919) % 450);
    }
    for (const { calls, ms } of limits)
      for (const [index, at] of made.entries())
        expect(at - (made[index - calls] ?? -Infinity), `call ${index}`).toBeGreaterThanOrEqual(ms);
  });
});

test('a day has 4,500 tasks, whatever their pace', async () => {
  let clockMs = 0;
  const pacer = createPacer(() => clockMs);
  const io = createTestIo({ now: NOW });
  for (let task = 0; task < 4_500; task++) {
    await pacer.await(io, 'task');
    clockMs += 2_000;
  }
  await expect(pacer.await(io, 'task')).rejects.toBeInstanceOf(AccountPausedError);
});

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.sandbox.close());
afterEach(() => {
  bench.sandbox.faults.clear();
  bench.sandbox.log.clear();
});

test('the advertisers of an app together stay under ten calls a second', async () => {
  bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'call_limit', times: -1, value: { perSecond: 10 } });
  const config = bench.createConfig();
  const ios = [testIo(), testIo()];
  for (let call = 0; call < 12; call++) {
    await tiktok.open(config, US, ios[0] ?? testIo());
    await tiktok.open(config, TOKYO, ios[1] ?? testIo());
  }
  expect(ios.map(({ http }) => http.counts)).toEqual([
    { apiCalls: 12, retries: 0, throttledMs: 0 },
    { apiCalls: 12, retries: 0, throttledMs: 0 },
  ]);
});

describe('a limit of the app', () => {
  test.each([
    ['day', '2026-11-22T00:00:00.000Z'],
    ['minute', '2026-11-21T21:05:00'],
  ])('per %s: the next advertisers are not called at all', async (per, until) => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', value: { per } });
    const config = bench.createConfig();
    for (const account of [US, TOKYO]) {
      const error: unknown = await tiktok
        .open(config, account, createTestIo({ now: NOW }))
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AccountPausedError);
      expect((error as AccountPausedError).until.slice(0, until.length)).toBe(until);
    }
    expect(bench.sandbox.log.entries).toHaveLength(1);
  });

  test('is over when its time has come', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', value: { per: 'day' } });
    const config = bench.createConfig();
    await expect(tiktok.open(config, US, testIo())).rejects.toBeInstanceOf(AccountPausedError);
    expect(await tiktok.open(config, US, testIo('2026-11-22T00:00:01Z'))).toMatchObject({ id: US });
  });

  test('that is counted for real is noticed', async () => {
    bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'call_limit', times: -1, value: { perDay: 0 } });
    await expect(bench.open()).rejects.toMatchObject({ until: '2026-11-22T00:00:00.000Z' });
  });
});

test('a limit of one advertiser leaves the others alone', async () => {
  const message = "Advertiser (7)'s QPD (9) reaches QPD limit 8 for current path.";
  bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'error', value: { code: 40133, message } });
  const config = bench.createConfig();
  await expect(tiktok.open(config, US, testIo())).rejects.toBeInstanceOf(AccountPausedError);
  expect(await tiktok.open(config, TOKYO, testIo())).toMatchObject({ id: TOKYO });
});

test('a pause tells which request was refused', async () => {
  bench.sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', value: { per: 'minute' } });
  await expect(tiktok.open(bench.createConfig(), US, createTestIo({ now: NOW }))).rejects.toMatchObject({
    context: { request_id: expect.stringMatching(/^\d+$/) as string },
  });
});
