/** Statistics against known values: tails far out, tests, intervals, and chances that add up. */
import { expect, test } from 'vitest';

import { betaCdf, chiSquareTail, lnGamma, normalTail } from './distributions.ts';
import {
  adjustByHolm,
  chancesToBeBest,
  compareShares,
  newcombeInterval,
  ratioMismatch,
  wilsonInterval,
} from './inference.ts';

/** Equal to so many significant digits. */
const near = (actual: number, expected: number, digits = 10) =>
  expect(Math.abs(actual / expected - 1), `${actual} is not ${expected}`).toBeLessThan(10 ** -digits);

test('the tails of the normal distribution are right far out too', () => {
  near(normalTail(0), 0.5);
  near(normalTail(1), 0.15865525393145707);
  near(normalTail(1.959963984540054), 0.025);
  near(normalTail(4), 3.167124183311992e-5);
  near(normalTail(8), 6.220960574271785e-16);
  near(normalTail(20), 2.7536241186062337e-89);
  near(normalTail(-1), 0.8413447460685429);
});

test('gamma, χ² and beta', () => {
  near(lnGamma(0.5), Math.log(Math.sqrt(Math.PI)));
  near(lnGamma(10), Math.log(362880));
  // With 2 degrees of freedom it is exp(-x/2), with 1 the square of a normal variable.
  near(chiSquareTail(60, 2), Math.exp(-30));
  near(chiSquareTail(0.2, 2), Math.exp(-0.1));
  near(chiSquareTail(64, 1), 2 * 6.220960574271785e-16);
  near(chiSquareTail(11.070497693516351, 5), 0.05);
  // Beta(1, n) is 1 - (1 - x)^n; Beta(2, 3) a polynomial.
  near(betaCdf(0.3, 1, 10), 1 - 0.7 ** 10);
  near(betaCdf(0.4, 2, 3), 6 * 0.4 ** 2 - 8 * 0.4 ** 3 + 3 * 0.4 ** 4);
  near(betaCdf(0.5, 5000, 5000), 0.5);
  expect([betaCdf(0, 2, 2), betaCdf(1, 2, 2)]).toEqual([0, 1]);
});

test('two proportions: 200 of 4,000 against 250 of 4,000, and none where a cell is too small', () => {
  const test = compareShares({ users: 4000, conversions: 200 }, { users: 4000, conversions: 250 });
  expect(test?.z).toBeCloseTo(2.4262, 4);
  expect(test?.p).toBeCloseTo(0.01526, 5);
  expect(compareShares({ users: 100, conversions: 4 }, { users: 100, conversions: 5 })).toBeNull();
  expect(compareShares({ users: 100, conversions: 5 }, { users: 100, conversions: 5 })).toEqual({
    z: 0,
    p: 1,
  });
  expect(compareShares({ users: 100, conversions: 96 }, { users: 100, conversions: 95 })).toBeNull();
  expect(compareShares({ users: 0, conversions: 0 }, { users: 0, conversions: 0 })).toBeNull();
});

test('a sample-ratio mismatch: 10,000 and 10,470 of 50/50, and by unequal weights', () => {
  const even = ratioMismatch([
    { users: 10_000, weight: 50 },
    { users: 10_470, weight: 50 },
  ]);
  expect(even).toBeCloseTo(0.00102, 5);
  expect(
    ratioMismatch([
      { users: 900, weight: 9 },
      { users: 100, weight: 1 },
    ]),
  ).toBe(1);
  expect(
    ratioMismatch([
      { users: 0, weight: 1 },
      { users: 0, weight: 1 },
    ]),
  ).toBeNull();
});

test('Wilson and Newcombe: the worked examples of the papers', () => {
  // Newcombe 1998, table I: 81 of 263; table II, method 10: 56/70 − 48/80 and 9/10 − 3/10.
  const wilson = wilsonInterval({ users: 263, conversions: 81 });
  expect(wilson?.low).toBeCloseTo(0.2553, 4);
  expect(wilson?.high).toBeCloseTo(0.3662, 4);
  expect(wilsonInterval({ users: 10, conversions: 0 })?.low).toBe(0);
  const difference = newcombeInterval({ users: 80, conversions: 48 }, { users: 70, conversions: 56 });
  expect(difference?.low).toBeCloseTo(0.0524, 4);
  expect(difference?.high).toBeCloseTo(0.3339, 4);
  const small = newcombeInterval({ users: 10, conversions: 3 }, { users: 10, conversions: 9 });
  expect(small?.low).toBeCloseTo(0.1705, 4);
  expect(small?.high).toBeCloseTo(0.809, 4);
  expect(wilsonInterval({ users: 0, conversions: 0 })).toBeNull();
});

test('Holm: each p-value times how many are left, never less than the one before', () => {
  expect(adjustByHolm([0.01, 0.04, 0.03, null])).toEqual([0.03, 0.06, 0.06, null]);
  expect(adjustByHolm([0.9, 0.8])).toEqual([1, 1]);
});

test('chances to be best: exact ones, small ones, and the same every time', () => {
  // P(B > A) of Beta(2,1) against Beta(1,2) is 5/6; of equals a half or a third.
  const [first = 0, second = 0] = chancesToBeBest([
    { users: 1, conversions: 0 },
    { users: 1, conversions: 1 },
  ]);
  near(first, 1 / 6);
  near(second, 5 / 6);
  const same = { users: 1_000_000, conversions: 40_000 };
  for (const chance of chancesToBeBest([same, same, same])) near(chance, 1 / 3, 8);
  // The normal approximation of 200/4000 against 250/4000 is 0.9924.
  const [, better = 0] = chancesToBeBest([
    { users: 4000, conversions: 200 },
    { users: 4000, conversions: 250 },
  ]);
  expect(better).toBeCloseTo(0.9924, 3);
  // Very unlike sizes.
  const [little = 0, large = 0] = chancesToBeBest([
    { users: 10, conversions: 1 },
    { users: 2_000_000, conversions: 100_000 },
  ]);
  near(little, 1 - betaCdf(0.05, 2, 10), 3);
  expect(little + large).toBeCloseTo(1, 12);
  const worst = chancesToBeBest([
    { users: 10_000, conversions: 500 },
    { users: 10_000, conversions: 900 },
  ])[0];
  expect(worst).toBeGreaterThan(0);
  expect(worst).toBeLessThan(1e-20);
});
