/** `metrics`: hands over to the metrics package's own measurement, whose history is large, and takes in its figures. */
import { z } from 'zod';

import { type Benchmark, figuresOf } from './figure.ts';
import { runProgram } from './floyo.ts';

export const METRICS_PROGRAM = 'packages/metrics/src/testing/bench.ts';

const reportSchema = z.object({
  bar: z.number(),
  measured: z.array(z.object({ name: z.string(), ms: z.number(), ofFull: z.number() })),
});

export const measureMetrics: Benchmark = async (bench, { quick }) => {
  bench.say('metrics: three years of rows are made first');
  const size = quick ? ['--orders', '20000', '--spend', '40000'] : [];
  const printed = await runProgram(METRICS_PROGRAM, ['--json', ...size], bench.env, [0, 1]);
  const { bar, measured } = reportSchema.parse(JSON.parse(printed));
  const figure = figuresOf('metrics');
  return measured.flatMap(({ name, ms, ofFull }) => [
    figure(name, 's', [ms / 1_000]),
    ...(name.startsWith('28 ') ? [figure(`${name}, of full`, '%', [ofFull * 100], { most: bar * 100 })] : []),
  ]);
};
