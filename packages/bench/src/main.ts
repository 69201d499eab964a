/** `pnpm bench [name…] [--json] [--quick]`: what things cost, as ratios measured in one run. A command, not a test. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { repositoryRoot } from '@floyo/shared/paths';

import { measureAgents } from './agents.ts';
import { startBench } from './bench-server.ts';
import { measureDemo } from './demo.ts';
import { type Benchmark, type Figure, isReached } from './figure.ts';
import { measureIdle } from './idle.ts';
import { measureLoader } from './loader.ts';
import { measureMemory } from './memory.ts';
import { measureMetrics, METRICS_PROGRAM } from './metrics.ts';
import { measurePostHog } from './posthog.ts';
import { measureProduct } from './product.ts';
import { describeMachine, formatTable, toDocument } from './report.ts';
import { measureRepull } from './repull.ts';
import { measureStripeBackfill } from './stripe-backfill.ts';
import { measureWebhook } from './webhook.ts';

const BENCHMARKS: ReadonlyMap<string, Benchmark> = new Map([
  ['loader', measureLoader],
  ['repull', measureRepull],
  ['agents', measureAgents],
  ['memory', measureMemory],
  ['idle', measureIdle],
  ['demo', measureDemo],
  ['posthog', measurePostHog],
  ['product', measureProduct],
  ['stripe-backfill', measureStripeBackfill],
  ['webhook', measureWebhook],
  ...(existsSync(join(repositoryRoot, METRICS_PROGRAM)) ? ([['metrics', measureMetrics]] as const) : []),
]);

const USAGE = `Usage: pnpm bench [name…] [--json] [--quick]

Benchmarks: ${[...BENCHMARKS.keys()].join(', ')}; all of them when none is named.
  --json   one JSON document on standard output
  --quick  small sizes, one round: to see that it works, not to judge by
Exits 1 when a bar is missed, with --quick never.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !BENCHMARKS.has(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) process.stderr.write(`There is no benchmark ${unknown.join(', ')}.\n`);
  process.stderr.write(USAGE);
  process.exit(values.help ? 0 : 2);
}

const figures: Figure[] = [];
await using bench = await startBench({
  say: (text) => void process.stderr.write(`${text}\n`),
  env: process.env['PATH'] === undefined ? {} : { PATH: process.env['PATH'] },
});
for (const [name, measure] of BENCHMARKS)
  if (positionals.length === 0 || positionals.includes(name))
    figures.push(...(await measure(bench, { quick: values.quick })));
const machine = describeMachine(bench.postgresVersion, process.versions.node);
process.stdout.write(
  values.json
    ? `${JSON.stringify(toDocument(machine, figures, values.quick))}\n`
    : `${formatTable(machine, figures)}\n`,
);
if (!values.quick && figures.some((figure) => isReached(figure) === false)) process.exitCode = 1;
