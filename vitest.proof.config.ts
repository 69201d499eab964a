// Slow proofs, run by `pnpm proof` and never with the tests.
import { defineConfig, mergeConfig } from 'vitest/config';

import base from './vitest.config.ts';

export default mergeConfig(
  { ...base, test: { ...base.test, include: [] } },
  defineConfig({
    test: { include: ['test/proofs/**/*.proof.ts'], testTimeout: 900_000, hookTimeout: 900_000 },
  }),
);
