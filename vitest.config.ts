import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    // Files share a worker's modules: what is imported is imported once. Each has a database of its own all the same.
    isolate: false,
    // One more than two cores: much of the time is spent waiting for processes and databases.
    maxWorkers: 3,
    // One Postgres server for the whole run, with a migrated template that test files clone.
    globalSetup: ['packages/shared/src/testing/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default'],
  },
});
