/** Pacing by what answers told of the bucket. */
import { expect, it } from 'vitest';

import type { Cost } from './answer.ts';
import { createGovernor } from './governor.ts';

function cost(requested: number, available: number, maximum = 2_000): Cost {
  return {
    requestedQueryCost: requested,
    throttleStatus: { maximumAvailable: maximum, currentlyAvailable: available, restoreRate: 100 },
  };
}

it('does not wait for what it has not seen yet', () => {
  const governor = createGovernor(() => 0);
  governor.observe('lines', cost(50, 10));
  expect(governor.pauseMs('orders:100')).toBe(0);
});

it('waits until the bucket holds what the call will ask for', () => {
  let now = 0;
  const governor = createGovernor(() => now);
  governor.observe('orders:100', cost(600, 100));
  expect(governor.pauseMs('orders:100')).toBe(5_000);
  now = 3_000;
  expect(governor.pauseMs('orders:100')).toBe(2_000);
  now = 6_000;
  expect(governor.pauseMs('orders:100')).toBe(0);
});

it('knows that a bucket does not fill beyond its size, and never waits for long', () => {
  let now = 0;
  const governor = createGovernor(() => now);
  governor.observe('orders:100', cost(900, 0, 800));
  now = 1_000_000;
  expect(governor.pauseMs('orders:100')).toBe(1_000);
  governor.observe('orders:100', cost(900_000, 0, 800));
  expect(governor.pauseMs('orders:100')).toBe(30_000);
});

it('counts calls that are under way as spent', () => {
  const governor = createGovernor(() => 0);
  governor.observe('orders:100', cost(600, 700));
  const isDone = governor.start('orders:100');
  expect(governor.pauseMs('orders:100')).toBe(5_000);
  isDone();
  expect(governor.pauseMs('orders:100')).toBe(0);
});
