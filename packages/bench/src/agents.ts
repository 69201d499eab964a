/** `agents`: the same backfill with 1, 3 and 5 agents, from vendors that take 150 ms to answer. */
import { startSandbox } from '@floyo/sandbox';

import type { Bench } from './bench-server.ts';
import { type Benchmark, figuresOf, ratios, secondsOf } from './figure.ts';
import { type FloyoDocument, runFloyo } from './floyo.ts';
import { startRecordedVendor } from './recorded-vendor.ts';

const NOW = '2026-11-21T12:00:00Z';
const LATENCY_MS = 150;
const AGENTS = [1, 3, 5] as const;
const ROUNDS = 3;

interface Took {
  /** Reading the vendor: from the first account's beginning to the last one's end. */
  readonly reading: number;
  /** The whole command: start, reading, metrics. */
  readonly command: number;
}

export const measureAgents: Benchmark = async (bench, { quick }) => {
  await using cleanup = new AsyncDisposableStack();
  const sandbox = await startSandbox({ now: NOW });
  cleanup.defer(() => sandbox.close());
  const vendor = cleanup.use(await startRecordedVendor(sandbox.url, LATENCY_MS));
  const env = Object.fromEntries(
    Object.entries(sandbox.env).map(([name, value]) => [name, vendor.through(value)]),
  );
  const from = quick ? '2026-06-01' : '2024-12-01';
  bench.say('agents: once to record what the vendor answers');
  await backfill(bench, env, 5, from);
  const took = new Map<number, Took[]>(AGENTS.map((agents) => [agents, []]));
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++)
    for (const agents of AGENTS) {
      bench.say(`agents: ${agents} of them, round ${round} of ${rounds}`);
      took.get(agents)?.push(await backfill(bench, env, agents, from));
    }
  const figure = figuresOf('agents');
  const reading = (agents: number) => (took.get(agents) ?? []).map((round) => round.reading);
  const command = (agents: number) => (took.get(agents) ?? []).map((round) => round.command);
  return [
    figure('1 agent, reading', 's', reading(1)),
    figure('3 agents, reading', 's', reading(3)),
    figure('5 agents, reading', 's', reading(5)),
    figure('3 agents to 1, reading', 'x', ratios(reading(3), reading(1)), { most: 0.4 }),
    figure('5 agents to 1, reading', 'x', ratios(reading(5), reading(1)), { most: 0.25 }),
    figure('3 agents to 1, whole command', 'x', ratios(command(3), command(1))),
    figure('5 agents to 1, whole command', 'x', ratios(command(5), command(1))),
  ];
};

async function backfill(
  bench: Bench,
  env: Readonly<Record<string, string>>,
  agents: number,
  from: string,
): Promise<Took> {
  await using database = await bench.createDatabase();
  let document: FloyoDocument | undefined;
  const command = await secondsOf(async () => {
    document = await runFloyo(
      ['backfill', '--source', 'meta', '--from', from, '--to', '2026-11-20', '--agents', `${agents}`],
      { ...env, DATABASE_URL: database.url },
    );
  });
  const results = (document?.agents ?? []).filter(({ agent }) => agent === 'etl-meta');
  const began = Math.min(...results.map((result) => Date.parse(result.started_at)));
  const ended = Math.max(...results.map((result) => Date.parse(result.finished_at)));
  return { reading: (ended - began) / 1_000, command };
}
