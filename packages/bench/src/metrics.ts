/**
 * `metrics`: hands over to the metrics package's own measurement, whose history is large, and takes in its figures:
 * incremental against full, and how both grow with the years.
 */
import { z } from 'zod';

import { type Benchmark, type Figure, figuresOf } from './figure.ts';
import { runProgram } from './floyo.ts';

export const METRICS_PROGRAM = 'packages/metrics/src/testing/bench.ts';

const reportSchema = z.object({
  bar: z.number(),
  bar_from_years: z.number(),
  measured: z.array(z.object({ years: z.number(), name: z.string(), ms: z.number(), ofFull: z.number() })),
});
const FULL = 'full recompute';
const INCREMENTAL = '28 days of spend changed';

export const measureMetrics: Benchmark = async (bench, { quick }) => {
  bench.say('metrics: 1 to 4 years of rows are made on the way');
  const size = quick ? ['--orders', '5000', '--spend', '10000'] : [];
  const printed = await runProgram(METRICS_PROGRAM, ['--json', ...size], bench.env, [0, 1]);
  const report = reportSchema.parse(JSON.parse(printed));
  const figure = figuresOf('metrics');
  const figures = report.measured.flatMap(({ years, name, ms, ofFull }): Figure[] => {
    const of = `${years} ${years === 1 ? 'year' : 'years'}, ${name}`;
    const took = figure(of, 's', [ms / 1_000]);
    if (name === FULL) return [took];
    const bar =
      name.startsWith('28 ') && years >= report.bar_from_years ? { most: report.bar * 100 } : undefined;
    return [took, figure(`${of}, of full`, '%', [ofFull * 100], bar)];
  });
  const growth = (name: string): number => {
    const all = report.measured.filter((row) => row.name === name);
    return (all.at(-1)?.ms ?? Number.NaN) / (all[0]?.ms ?? Number.NaN);
  };
  return [
    ...figures,
    figure('4 years to 1, full recompute', 'x', [growth(FULL)]),
    figure(`4 years to 1, ${INCREMENTAL}`, 'x', [growth(INCREMENTAL)]),
  ];
};
