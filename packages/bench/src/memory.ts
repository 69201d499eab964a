/** `memory`: what a process needs at most while it loads 10,000 rows, and 1,000,000. */
import { z } from 'zod';

import { type Benchmark, figuresOf } from './figure.ts';
import { runProgram } from './floyo.ts';

const SMALL = 10_000;
const LARGE = 1_000_000;
const ROUNDS = 3;

const peakSchema = z.object({ rows: z.number(), rss_mb: z.number(), heap_mb: z.number() });

export const measureMemory: Benchmark = async (bench, { quick }) => {
  const small = { rss: [] as number[], heap: [] as number[] };
  const large = { rss: [] as number[], heap: [] as number[] };
  const rounds = quick ? 1 : ROUNDS;
  const many = quick ? LARGE / 10 : LARGE;
  for (let round = 1; round <= rounds; round++)
    for (const [peaks, rows] of [
      [small, SMALL],
      [large, many],
    ] as const) {
      bench.say(`memory: ${rows} rows, round ${round} of ${rounds}`);
      await using database = await bench.createDatabase();
      const printed = await runProgram('packages/bench/src/memory/main.ts', [database.url, `${rows}`], {});
      const peak = peakSchema.parse(JSON.parse(printed));
      if (peak.rows !== rows) throw new Error(`${peak.rows} of ${rows} rows were loaded`);
      peaks.rss.push(peak.rss_mb);
      peaks.heap.push(peak.heap_mb);
    }
  const figure = figuresOf('memory');
  const count = (value: number) => value.toLocaleString('en-US');
  const growth = (after: readonly number[], before: readonly number[]) =>
    after.map((value, index) => value - (before[index] ?? Number.NaN));
  return [
    figure(`peak RSS, ${count(SMALL)} rows`, 'MB', small.rss),
    figure(`peak RSS, ${count(many)} rows`, 'MB', large.rss),
    figure(`peak heap, ${count(SMALL)} rows`, 'MB', small.heap),
    figure(`peak heap, ${count(many)} rows`, 'MB', large.heap),
    figure('growth of the peak RSS', 'MB', growth(large.rss, small.rss), { most: 50 }),
    figure('growth of the peak heap', 'MB', growth(large.heap, small.heap), { most: 50 }),
  ];
};
