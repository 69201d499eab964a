/**
 * Starts one embedded Postgres for a whole test run and migrates a template database once; test files clone it with
 * createTestDatabase. Nothing has to be installed first and no DATABASE_URL is ever touched.
 */
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { TestProject } from 'vitest/node';

import { acquireEmbedded, type EmbeddedPostgres, removeEmbedded } from '../embedded.ts';
import { readCommandLine } from '../embedded/server.ts';
import { PipelineError } from '../errors.ts';
import { migrate } from '../migrate.ts';

/** What a test file is told. */
interface TestServer {
  /** The migrated template; undefined when the server did not start. */
  readonly templateUrl: string | undefined;
  /** Why the server did not start or the migrations failed. */
  readonly problem: string | undefined;
}

declare module 'vitest' {
  interface ProvidedContext {
    testServer: TestServer;
  }
}

const homePrefix = 'floyo-test-';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  await clearAbandoned();
  const home = join(tmpdir(), `${homePrefix}${process.pid}-${randomUUID()}`);
  let server: EmbeddedPostgres | undefined;
  let problem: string | undefined;
  try {
    server = await acquireEmbedded({ home, database: 'floyo_template', durable: false });
    await migrate(server.url);
  } catch (error) {
    // Tests without a database still say what they have to say; the others fail with this text.
    problem = describe(error);
  }
  project.provide('testServer', { templateUrl: server?.url, problem });
  return async () => {
    if (server === undefined) return rm(home, { recursive: true, force: true });
    await server.release();
    await removeEmbedded(home);
  };
}

function describe(error: unknown): string {
  if (!(error instanceof PipelineError)) return String(error);
  return [error.message, error.advice ?? ''].join(' ').trim();
}

/** Stops and removes what test runs left behind that were killed before their end. */
async function clearAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(homePrefix)) continue;
    const owner = await readCommandLine(Number(name.slice(homePrefix.length).split('-')[0]));
    if (owner !== undefined && owner !== '') continue;
    // Another user's leftovers can't be cleared from here, and are no reason not to test.
    await removeEmbedded(join(tmpdir(), name)).catch(() => undefined);
  }
}
