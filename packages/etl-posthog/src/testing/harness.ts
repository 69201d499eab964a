/** For this package's tests: the connector on a sandbox and a test database, run as the pipeline does. */
import { sql } from 'kysely';

import { type Sandbox, type SandboxOptions, startSandbox } from '@floyo/sandbox';
import { readConfig } from '@floyo/shared/config';
import { connect, type Session } from '@floyo/shared/db';
import type { AgentResult } from '@floyo/shared/ledger';
import { runSource, type Work } from '@floyo/shared/runner';
import { createTestDatabase } from '@floyo/shared/testing/database';
import { startTestRun, type TestRunOptions } from '@floyo/shared/testing/test-run';

import { type PostHogConfig, posthogConfig } from '../config.ts';
import { posthog } from '../index.ts';

/** A Friday noon. */
export const NOW = '2026-11-20T12:00:00Z';
export const BERLIN = { timezone: 'Europe/Berlin', currency: 'EUR' };

export interface Bench extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly session: Session;
  readonly url: string;
  /** A run of both streams at the sandbox's clock. */
  readonly run: (options?: BenchRun) => Promise<AgentResult[]>;
  /** Names of the queries since the last call. */
  readonly asked: () => string[];
  /** A digest of what the tables hold. */
  readonly digest: () => Promise<string>;
}

export interface BenchRun extends Partial<TestRunOptions> {
  readonly config?: Partial<PostHogConfig>;
  readonly work?: Work;
}

export async function startBench(options: SandboxOptions = {}): Promise<Bench> {
  await using cleanup = new AsyncDisposableStack();
  const sandbox = await startSandbox({ now: NOW, ...options });
  cleanup.defer(() => sandbox.close());
  const database = await createTestDatabase();
  cleanup.defer(() => database.drop());
  const session = await connect(database.url);
  cleanup.defer(() => session.end());
  const owned = cleanup.move();
  return {
    sandbox,
    session,
    url: database.url,
    async run({ config, work, ...more } = {}) {
      await using begun = await startTestRun(database.url, {
        now: sandbox.clock.now().toString(),
        reporting: BERLIN,
        ...more,
      });
      return await runSource(
        begun.run,
        posthog,
        { ...sandboxConfig(sandbox), ...config },
        work ?? { kind: 'scheduled' },
      );
    },
    asked: () => sandbox.posthog.asked.splice(0).map(({ name }) => name),
    async digest() {
      const { rows } = await sql<{ digest: string }>`
        select md5(string_agg(line, E'\n' order by line)) as digest from (
          select (to_jsonb(e) - 'synced_at' - 'run_id')::text as line from events e
          union all select (to_jsonb(e) - 'synced_at' - 'run_id')::text from event_user_days e
          union all select (to_jsonb(k) - 'run_id' - 'compared_at')::text from ops.source_days k
          union all select concat_ws(' ', stream, day) from ops.coverage) lines`.execute(session.db);
      return rows[0]?.digest ?? '';
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** The configuration that points at the sandbox; a new object each time, so that no limit is shared by accident. */
export function sandboxConfig(sandbox: Sandbox): PostHogConfig {
  const config = readConfig(posthogConfig, sandbox.env);
  if (config === undefined) throw new Error('the sandbox does not configure PostHog');
  return config;
}
