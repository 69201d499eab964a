import { expect, test } from 'vitest';

import { createClock, createFaults, createRandom } from './core.ts';

test('random numbers depend on the key alone and spread evenly', () => {
  const first = createRandom('7:meta:1:2026-11-21');
  const again = createRandom('7:meta:1:2026-11-21');
  const other = createRandom('7:meta:1:2026-11-22');
  const numbers = Array.from({ length: 10_000 }, first);
  expect(Array.from({ length: 10_000 }, again)).toEqual(numbers);
  expect(other()).not.toBe(numbers[0]);
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
});

test('a fault strikes as often as told, and only the request it is meant for', () => {
  const faults = createFaults(7);
  faults.add({ vendor: 'meta', kind: 'throttle', account: 'A', path: '/insights', times: 2 });
  const insights = { account: 'A', path: '/meta/v26.0/act_A/insights' };
  expect(faults.take('tiktok', 'throttle', insights)).toBeUndefined();
  expect(faults.take('meta', 'reset', insights)).toBeUndefined();
  expect(faults.take('meta', 'throttle', { ...insights, account: 'B' })).toBeUndefined();
  expect(faults.take('meta', 'throttle', { ...insights, path: '/meta/v26.0/act_A' })).toBeUndefined();
  expect(faults.take('meta', 'throttle', insights)).toBeDefined();
  expect(faults.take('meta', 'throttle', insights)).toBeDefined();
  expect(faults.take('meta', 'throttle', insights)).toBeUndefined();
});

test('a fault can strike for ever, or by a seeded chance, until it is cleared', () => {
  const faults = createFaults(7);
  faults.add({ vendor: 'meta', kind: 'slow', times: -1 });
  faults.add({ vendor: 'ecb', kind: 'reset', probability: 0.25 });
  const struck = Array.from({ length: 1000 }, () => faults.take('ecb', 'reset')).filter(Boolean).length;
  expect(struck).toBeGreaterThan(200);
  expect(struck).toBeLessThan(300);
  expect(Array.from({ length: 50 }, () => faults.take('meta', 'slow')).every(Boolean)).toBe(true);
  faults.clear();
  expect(faults.take('meta', 'slow')).toBeUndefined();
});

test('the clock stands where it was set', () => {
  const clock = createClock('2026-11-21T10:00:00Z');
  expect(clock.now().toString()).toBe('2026-11-21T10:00:00Z');
  clock.set('2026-11-22T10:00:00+01:00');
  expect(clock.now().toString()).toBe('2026-11-22T09:00:00Z');
});
