/** Numbers that look random and are the same in every run (a linear congruential generator). */

/** `next(n)` is a whole number from 0 to n - 1. */
export function createRandom(seed: number) {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = <T>(choices: readonly [T, ...T[]]): T => choices[next(choices.length)] ?? choices[0];
  return { next, pick };
}
