/** `idle`: a run that finds nothing new. Its own time is the process's, less the moments in which a vendor was asked. */
import { startSandbox } from '@floyo/sandbox';

import { type Benchmark, figuresOf, secondsOf } from './figure.ts';
import { runFloyo } from './floyo.ts';
import { startVendorClock } from './vendor-clock.ts';

const NOW = '2026-11-21T12:00:00Z';
const ROUNDS = 5;

export const measureIdle: Benchmark = async (bench, { quick }) => {
  await using cleanup = new AsyncDisposableStack();
  const sandbox = await startSandbox({ now: NOW });
  cleanup.defer(() => sandbox.close());
  const clock = cleanup.use(await startVendorClock(sandbox.url));
  await using database = await bench.createDatabase();
  const variables = Object.entries(sandbox.env).map(([name, value]) => [name, clock.through(value)]);
  const env = { ...Object.fromEntries(variables), DATABASE_URL: database.url } as Record<string, string>;
  bench.say('idle: two runs that load');
  // The second one still makes up its mind about what the first one wrote.
  await runFloyo(['run'], env);
  await runFloyo(['run'], env);
  const seconds: number[] = [];
  const own: number[] = [];
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++) {
    bench.say(`idle: round ${round} of ${rounds}`);
    clock.reset();
    let changed = 0;
    const took = await secondsOf(async () => {
      const { agents } = await runFloyo(['run'], env);
      for (const agent of agents) changed += agent.rows_inserted + agent.rows_updated + agent.rows_deleted;
    });
    if (changed > 0) throw new Error(`The run was not idle: ${changed} rows changed.`);
    seconds.push(took);
    own.push(took - clock.busySeconds());
  }
  const figure = figuresOf('idle');
  return [figure('idle run, whole', 's', seconds), figure("idle run's own time", 's', own, { most: 1 })];
};
