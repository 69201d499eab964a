/** `demo`: from `floyo demo` to its summary, on an embedded Postgres made for it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { removeEmbedded } from '@floyo/shared/embedded';

import { type Benchmark, figuresOf, secondsOf } from './figure.ts';
import { runProgram } from './floyo.ts';

const ROUNDS = 3;

export const measureDemo: Benchmark = async (bench, { quick }) => {
  const seconds: number[] = [];
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++) {
    bench.say(`demo: round ${round} of ${rounds}`);
    const home = await mkdtemp(join(tmpdir(), 'floyo-bench-demo-'));
    try {
      const env = { FLOYO_HOME: home, FLOYO_ENV_FILE: '/dev/null', ...bench.env };
      seconds.push(await secondsOf(() => runProgram('packages/pipeline/src/main.ts', ['demo'], env)));
    } finally {
      await removeEmbedded(join(home, 'demo'));
      await rm(home, { recursive: true, force: true });
    }
  }
  return [figuresOf('demo')('demo to its summary', 's', seconds, { most: 60 })];
};
