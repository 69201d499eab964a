/** What a benchmark brings: figures, some with a bar; and the arithmetic of several rounds. */
import type { Bench } from './bench-server.ts';

export type Unit = 'rows/s' | 'events/s' | 'ms' | 's' | 'MB' | 'x' | '%';

export interface Figure {
  readonly benchmark: string;
  readonly figure: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly unit: Unit;
  /** One of each round, in order. */
  readonly samples: readonly number[];
  /** What is to be reached. */
  readonly bar?: { readonly least: number } | { readonly most: number };
}

interface Scale {
  /** Small sizes and a single round: to see that it works, not to judge by. */
  readonly quick: boolean;
}

/** Measures one thing and returns its figures. */
export type Benchmark = (bench: Bench, scale: Scale) => Promise<Figure[]>;

/** Makes figures of one benchmark. */
export function figuresOf(benchmark: string) {
  return (figure: string, unit: Unit, samples: readonly number[], bar?: Figure['bar']): Figure => ({
    benchmark,
    figure,
    unit,
    value: median(samples),
    samples,
    ...(bar === undefined ? {} : { bar }),
  });
}

/** Whether the bar is reached; undefined where there is none. */
export function isReached({ value, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return 'least' in bar ? value >= bar.least : value <= bar.most;
}

/** The middle value, the mean of the two middle ones of an even number. */
function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((left, right) => left - right);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('There is no median of nothing.');
  return (upper + lower) / 2;
}

/** Pairs the rounds of two series: `left[i] / right[i]`, so that a slow moment of the machine strikes both. */
export function ratios(left: readonly number[], right: readonly number[]): number[] {
  return left.map((value, index) => value / (right[index] ?? Number.NaN));
}

/** Seconds that the work takes. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1_000;
}
