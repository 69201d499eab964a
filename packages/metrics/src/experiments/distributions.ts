/**
 * The tails of the normal, χ² and beta distributions, exact to about 13 digits far out too: where a p-value is small is
 * where it counts, and a table or a polynomial of the middle is wrong there.
 */

const EPSILON = 1e-16;
/** Stands for zero where a fraction would be divided by it. */
const TINY = 1e-300;
const MAX_STEPS = 100_000;

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

/** The logarithm of Γ(x), for x > 0 (Lanczos, g = 7). */
export function lnGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const t = x + 6.5;
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += (LANCZOS[i] ?? 0) / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** A continued fraction b0 + a1/(b1 + a2/(b2 + …)) by Lentz; `terms(i)` is [ai, bi]. */
function fraction(first: number, terms: (i: number) => readonly [a: number, b: number]): number {
  let value = first === 0 ? TINY : first;
  let c = value;
  let d = 0;
  for (let i = 1; i < MAX_STEPS; i++) {
    const [a, b] = terms(i);
    d = b + a * d;
    d = 1 / (d === 0 ? TINY : d);
    c = b + a / c;
    if (c === 0) c = TINY;
    value *= c * d;
    if (Math.abs(c * d - 1) < EPSILON) break;
  }
  return value;
}

/** The upper regularised incomplete gamma function Q(a, x). */
function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - lnGamma(a));
  if (x >= a + 1) return scale / fraction(x + 1 - a, (i) => [i * (a - i), x + 1 - a + 2 * i]);
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < MAX_STEPS && term > sum * EPSILON; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return 1 - scale * sum;
}

/** The chance that a standard normal variable exceeds z. */
export function normalTail(z: number): number {
  const tail = upperGamma(0.5, (z * z) / 2) / 2;
  return z >= 0 ? tail : 1 - tail;
}

/** The chance that a χ² variable with `df` degrees of freedom exceeds x. */
export function chiSquareTail(x: number, df: number): number {
  return upperGamma(df / 2, x / 2);
}

/** The logarithm of the density of Beta(a, b) at 0 < x < 1. */
export function lnBetaDensity(x: number, a: number, b: number): number {
  return lnGamma(a + b) - lnGamma(a) - lnGamma(b) + (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x);
}

/** The chance that a Beta(a, b) variable is at most x. */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on this side of the mean.
  if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
  const scale = Math.exp(lnBetaDensity(x, a, b) + Math.log(x) + Math.log1p(-x)) / a;
  const value = fraction(1, (i) => {
    const m = Math.floor(i / 2);
    if (i === 1) return [-((a + b) * x) / (a + 1), 1];
    return i % 2 === 0
      ? [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), 1]
      : [-((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)), 1];
  });
  return scale / value;
}
