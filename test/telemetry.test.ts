/** A run tells PostHog about itself: with a place for events that works, fails or hangs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { type CaptureServer, startCaptureServer } from '@floyo/shared/testing/capture-server';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

import { floyo, floyoJson, lockHeld, startFloyo } from './floyo.ts';

const NOW = '2026-11-20T12:00:00Z';
/** What sending may take at most, and what a slow machine adds. */
const LIMIT_MS = 5_000;
const SLACK_MS = 5_000;

let sandbox: Sandbox;
let database: TestDatabase;

beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW, ratesSince: '2026-11-01' });
  database = await createTestDatabase();
});

afterAll(async () => {
  await sandbox.close();
  await database.drop();
});

function envFor(server: Pick<CaptureServer, 'url'>, url = database.url): Record<string, string> {
  return {
    ...sandbox.env,
    DATABASE_URL: url,
    POSTHOG_CAPTURE_HOST: server.url,
    POSTHOG_PROJECT_KEY: 'phc_project0key0of0the0tests',
  };
}

describe('a run', () => {
  it('becomes events: itself, each result, each error', { timeout: 60_000 }, async () => {
    const { captured } = sandbox.posthog;
    const env = envFor({ url: `${sandbox.url}/posthog` });
    const dry = await floyoJson(['run', '--dry-run'], env);
    expect(dry.code).toBe(0);
    expect(captured.batches, 'a dry run tells nobody').toBe(0);

    sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token', times: -1 });
    const { code, document } = await floyoJson(['etl', 'tiktok'], env);
    sandbox.faults.clear();
    expect(code).toBe(1);
    expect(document.warnings.join()).not.toContain('PostHog');
    const of = (name: string) => captured.events.filter(({ event }) => event === name);
    expect(of('pipeline_run_finished')).toMatchObject([
      { properties: { run_id: document.run_id, kind: 'source', status: 'partial', agents_failed: 2 } },
    ]);
    expect(of('pipeline_agent_finished').map(({ properties }) => properties['account_id'])).toEqual(
      document.agents.map(({ account_id }) => account_id),
    );
    expect(of('$exception').map(({ properties }) => properties)).toMatchObject(
      document.agents
        .filter(({ error }) => error !== null)
        .map(({ agent, account_id }) => ({ run_id: document.run_id, agent, account_id, error_type: 'auth' })),
    );
    for (const secret of (env['TIKTOK_ACCESS_TOKEN'] ?? '').split(','))
      expect(JSON.stringify(captured.events)).not.toContain(secret);

    expect((await floyo(['metrics'], env)).code).toBe(0);
    const backfill = ['backfill', '--source', 'fx', '--from', '2026-11-10', '--to', '2026-11-12'];
    expect((await floyo(backfill, env)).code).toBe(0);
    expect(of('pipeline_run_finished').map(({ properties }) => properties['kind'])).toEqual([
      'source',
      'metrics',
      'backfill',
    ]);
    expect(captured.apiKeys).toEqual([env['POSTHOG_PROJECT_KEY']]);
  });

  it('without a key sends nothing', async () => {
    const server = await startCaptureServer();
    const { code } = await floyo(['metrics'], { ...envFor(server), POSTHOG_PROJECT_KEY: '' });
    expect(code).toBe(0);
    expect(server.bodies).toEqual([]);
    await server.close();
  });
});

describe('with a PostHog that is down', () => {
  it.each([
    ['refuses', 400],
    ['is broken', 500],
  ])('%s: the run is what it was, with a warning', async (_name, status) => {
    const server = await startCaptureServer(() => status);
    const { code, document } = await floyoJson(['metrics'], envFor(server));
    expect(code).toBe(0);
    expect(document.status).toBe('succeeded');
    expect(document.warnings.join()).toMatch(`2 of 2 events about this run did not reach PostHog (HTTP`);
    await server.close();
  });

  it('nobody listens: the same', async () => {
    const { code, document } = await floyoJson(['metrics'], envFor({ url: 'http://127.0.0.1:1' }));
    expect(code).toBe(0);
    expect(document.warnings.join()).toContain('ECONNREFUSED');
  });

  it('hangs: the end comes within five seconds, after Ctrl-C too', { timeout: 60_000 }, async () => {
    const server = await startCaptureServer(() => 'hang');
    const other = await createTestDatabase();
    const finished = floyoJson(['metrics'], envFor(server, other.url));
    sandbox.faults.add({ vendor: 'tiktok', kind: 'latency', times: -1, value: { ms: 400 } });
    const running = startFloyo(['run', '--only', 'tiktok', '--json'], envFor(server));
    await lockHeld(database.url);
    const stoppedAt = performance.now();
    running.process.kill('SIGINT');
    const stopped = await running.done;
    expect(performance.now() - stoppedAt).toBeLessThan(LIMIT_MS + SLACK_MS);
    expect(stopped.code).toBe(1);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ status: 'interrupted' });
    expect(server.bodies.join()).toContain('"status":"interrupted"');
    const { code, document } = await finished;
    expect(code).toBe(0);
    expect(document).toMatchObject({ status: 'succeeded' });
    expect(document.warnings.join()).toContain('no answer within 5000 ms');
    sandbox.faults.clear();
    await server.close();
    await other.drop();
  });
});
