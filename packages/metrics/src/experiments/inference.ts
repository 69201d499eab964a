/** What can be said of shares: intervals, tests, the chance to be the best. Pure; each by its textbook formula. */
import { betaCdf, chiSquareTail, lnBetaDensity, normalTail } from './distributions.ts';

/** So many conversions of so many users. */
export interface Share {
  readonly users: number;
  readonly conversions: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The 97.5th percentile of the standard normal distribution: intervals are of 95 %. */
const Z95 = 1.959963984540054;
/** Below so many expected users in a cell the normal approximation does not hold. */
const LEAST_EXPECTED = 5;

const rateOf = ({ users, conversions }: Share) => conversions / users;

/** Wilson's interval of a share; null without users. */
export function wilsonInterval(share: Share): Interval | null {
  const { users: n } = share;
  if (n === 0) return null;
  const p = rateOf(share);
  const z2 = Z95 * Z95;
  const middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const half = (Z95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** Newcombe's interval of the difference treated − control, made of both Wilson intervals; null without users. */
export function newcombeInterval(control: Share, treated: Share): Interval | null {
  const a = wilsonInterval(control);
  const b = wilsonInterval(treated);
  if (a === null || b === null) return null;
  const p = rateOf(control);
  const q = rateOf(treated);
  return {
    low: q - p - Math.hypot(q - b.low, a.high - p),
    high: q - p + Math.hypot(b.high - q, p - a.low),
  };
}

/** The pooled two-proportion test, two-sided; null where an expected cell has under 5 users. */
export function compareShares(
  control: Share,
  treated: Share,
): { readonly z: number; readonly p: number } | null {
  const users = control.users + treated.users;
  const pooled = (control.conversions + treated.conversions) / users;
  const cells = [control.users, treated.users].flatMap((n) => [n * pooled, n * (1 - pooled)]);
  if (users === 0 || cells.some((expected) => expected < LEAST_EXPECTED)) return null;
  const error = Math.sqrt(pooled * (1 - pooled) * (1 / control.users + 1 / treated.users));
  const z = (rateOf(treated) - rateOf(control)) / error;
  return { z, p: 2 * normalTail(Math.abs(z)) };
}

/** Pearson's test of the users against the planned weights: the p-value of a sample-ratio mismatch; null without users. */
export function ratioMismatch(
  arms: readonly { readonly users: number; readonly weight: number }[],
): number | null {
  const users = arms.reduce((sum, arm) => sum + arm.users, 0);
  const weight = arms.reduce((sum, arm) => sum + arm.weight, 0);
  if (users === 0) return null;
  const square = arms.reduce((sum, arm) => {
    const expected = (users * arm.weight) / weight;
    return sum + (arm.users - expected) ** 2 / expected;
  }, 0);
  return chiSquareTail(square, arms.length - 1);
}

/** Holm's adjustment of p-values that were looked at together, in their order; what has none keeps none. */
export function adjustByHolm(values: readonly (number | null)[]): (number | null)[] {
  const sorted = values
    .flatMap((p, index) => (p === null ? [] : [{ p, index }]))
    .sort((left, right) => left.p - right.p);
  const adjusted: (number | null)[] = values.map(() => null);
  let highest = 0;
  for (const [rank, { p, index }] of sorted.entries()) {
    highest = Math.max(highest, Math.min(1, p * (sorted.length - rank)));
    adjusted[index] = highest;
  }
  return adjusted;
}

/** Nodes and weights of Gauss-Legendre over [-1, 1], 8 points, the positive half. */
const GAUSS = [
  [0.1834346424956498, 0.362683783378362],
  [0.525532409916329, 0.3137066458778873],
  [0.7966664774136267, 0.2223810344533745],
  [0.9602898564975363, 0.1012285362903763],
] as const;
/** Standard deviations on either side of a mean between which a rate is looked for, and the steps on the way. */
const REACH = [-9, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 9] as const;

/**
 * The chance of each share to be the highest, were all rates equally likely before: rates are Beta(1 + x, 1 + n − x). By
 * quadrature and not by drawing, so that the same numbers give the same chances.
 */
export function chancesToBeBest(shares: readonly Share[]): number[] {
  const betas = shares.map(({ users, conversions }) => ({ a: 1 + conversions, b: 1 + users - conversions }));
  const steps = betas.flatMap(({ a, b }) => {
    const mean = a / (a + b);
    const deviation = Math.sqrt((mean * (1 - mean)) / (a + b + 1));
    return REACH.map((reach) => Math.min(1, Math.max(0, mean + reach * deviation)));
  });
  const bounds = [...new Set(steps)].sort((left, right) => left - right);
  const chances = betas.map(() => 0);
  for (let i = 1; i < bounds.length; i++) {
    const [from = 0, to = 0] = bounds.slice(i - 1, i + 1);
    const half = (to - from) / 2;
    for (const [node, weight] of GAUSS)
      for (const side of [-1, 1]) {
        const x = (from + to) / 2 + side * node * half;
        const below = betas.map(({ a, b }) => betaCdf(x, a, b));
        for (const [arm, { a, b }] of betas.entries()) {
          const others = below.reduce(
            (product, chance, other) => (other === arm ? product : product * chance),
            1,
          );
          chances[arm] = (chances[arm] ?? 0) + weight * half * Math.exp(lnBetaDensity(x, a, b)) * others;
        }
      }
  }
  const sum = chances.reduce((total, chance) => total + chance, 0);
  return chances.map((chance) => chance / sum);
}
