/** The pipeline's own telemetry against a real ledger and a real server: what arrives, what must not, and what when nothing can. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readConfig, secretValues } from './config.ts';
import { connect, type Session } from './db.ts';
import { ConfigError, PipelineError } from './errors.ts';
import { type AgentResult, type Ledger, startRun } from './ledger.ts';
import { repositoryRoot } from './paths.ts';
import { createRedactor } from './redact.ts';
import { createTelemetry, type Telemetry } from './telemetry.ts';
import { telemetryConfig } from './telemetry-config.ts';
import { startCaptureServer } from './testing/capture-server.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';

const NOW = '2026-11-20T12:00:00.000Z';
const SECRET = 'EAAG-very/secret+token';
const KEY = 'phc_project0key0of0the0tests';
const redactor = createRedactor([SECRET, KEY]);
const RESULT: Omit<AgentResult, 'error'> = {
  agent: 'etl-meta',
  account_id: '111',
  stream: 'insights',
  status: 'succeeded',
  started_at: '2026-11-20T11:00:00.000Z',
  finished_at: '2026-11-20T11:00:02.500Z',
  duration_ms: 2_500,
  window_from: '2026-10-24',
  window_to: '2026-11-21',
  rows_read: 10,
  rows_inserted: 7,
  rows_updated: 2,
  rows_unchanged: 1,
  rows_deleted: 0,
  rows_rejected: 0,
  api_calls: 3,
  retries: 1,
  throttled_ms: 0,
  metadata: { cursor: SECRET },
};

let database: TestDatabase;
let session: Session;
let ledger: Ledger;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  ledger = await startRun(session, 'manual', redactor);
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

function telemetryTo(host: string, limitMs = 2_000): Telemetry {
  return createTelemetry({ host, projectKey: KEY }, { redactor, now: () => NOW, limitMs });
}

function authError(): PipelineError {
  return new PipelineError({
    type: 'auth',
    message: `The token ${SECRET} was refused`,
    advice: 'Renew it.',
    cause: new TypeError(`why: ${SECRET}`),
  });
}

/** A run with one account that succeeds and one that fails. */
async function tell(telemetry: Telemetry, own: Ledger = ledger): Promise<string | undefined> {
  const watched = telemetry.watch(own, 'manual');
  await watched.writeResult(RESULT);
  await watched.writeResult({ ...RESULT, account_id: '222', status: 'failed' }, authError());
  await watched.writeError({ agent: 'pipeline', accountId: null }, authError());
  await watched.writeError(
    { agent: 'metrics', accountId: null },
    new PipelineError({ type: 'internal', severity: 'P3', message: 'for information' }),
  );
  await watched.finish('partial', { rows_read: 20 });
  return telemetry.end('partial');
}

describe('what arrives', () => {
  test('a run, each result and each error, with the times of the ledger', async () => {
    await using server = await disposable(startCaptureServer());
    expect(await tell(telemetryTo(server.url))).toBeUndefined();
    expect([...server.keys]).toEqual([KEY]);
    expect(server.events.map(({ event }) => event).sort()).toEqual([
      '$exception',
      '$exception',
      'pipeline_agent_finished',
      'pipeline_agent_finished',
      'pipeline_run_finished',
    ]);
    expect(new Set(server.events.map(({ distinct_id }) => distinct_id))).toEqual(new Set(['floyo-pipeline']));
    const run = server.events.find(({ event }) => event === 'pipeline_run_finished');
    const stored = await session.db
      .selectFrom('ops.runs')
      .select(['started_at', 'finished_at'])
      .where('id', '=', ledger.runId)
      .executeTakeFirstOrThrow();
    expect(Date.parse(run?.timestamp ?? '')).toBe(new Date(stored.finished_at ?? '').getTime());
    expect(run?.properties).toMatchObject({
      run_id: ledger.runId,
      kind: 'manual',
      status: 'partial',
      started_at: stored.started_at,
      finished_at: stored.finished_at,
      agents: 2,
      agents_failed: 1,
      rows_read: 20,
      // No person is made of the pipeline.
      $process_person_profile: false,
    });
    const [done, failed] = server.events.filter(({ event }) => event === 'pipeline_agent_finished');
    expect(done?.timestamp).toBe(RESULT.finished_at);
    const facts = Object.entries(RESULT).filter(([name]) => name !== 'metadata');
    expect(done?.properties).toMatchObject({
      ...Object.fromEntries(facts),
      run_id: ledger.runId,
      error_type: null,
    });
    expect(done?.properties).not.toHaveProperty('metadata');
    expect(failed?.properties).toMatchObject({ account_id: '222', error_type: 'auth', severity: 'P1' });
  });

  test('an error goes to error tracking, told apart as in the ledger, with its causes', async () => {
    await using server = await disposable(startCaptureServer());
    await tell(telemetryTo(server.url));
    // In whatever order they arrive.
    const told = server.events.filter(({ event }) => event === '$exception');
    const [first, second] = ['etl-meta', 'pipeline'].map((agent) =>
      told.find(({ properties }) => properties['agent'] === agent),
    );
    expect(told).toHaveLength(2);
    const rows = await session.db
      .selectFrom('ops.errors')
      .select('fingerprint')
      .distinct()
      .where('agent', '=', 'etl-meta')
      .execute();
    expect(rows).toEqual([{ fingerprint: first?.properties['$exception_fingerprint'] }]);
    expect(first?.timestamp).toBe(NOW);
    expect(first?.properties).toMatchObject({
      run_id: ledger.runId,
      agent: 'etl-meta',
      account_id: '222',
      error_type: 'auth',
      $exception_level: 'error',
      $exception_list: [
        { type: 'PipelineError', value: 'The token [redacted] was refused' },
        { type: 'TypeError', value: 'why: [redacted]' },
      ],
    });
    const list = JSON.stringify(first?.properties['$exception_list']);
    expect(list).toContain('telemetry.test.ts');
    expect(list, 'lines of the source').not.toContain('new PipelineError');
    expect(second?.properties).toMatchObject({ account_id: null });
  });

  test('I12: no secret in any of it', async () => {
    await using server = await disposable(startCaptureServer());
    const telemetry = telemetryTo(server.url);
    const watched = telemetry.watch(ledger, 'manual');
    await watched.writeResult({ ...RESULT, account_id: SECRET, window_from: `?access_token=${SECRET}` });
    await watched.finish('succeeded', { note: SECRET });
    await telemetry.end('succeeded');
    await tell(telemetryTo(server.url));
    expect(server.bodies.join()).toContain('[redacted]');
    expect(server.bodies.join()).not.toContain('secret+token');
  });

  test('sent again, the same events: the same ids and days', async () => {
    await using server = await disposable(startCaptureServer());
    await tell(telemetryTo(server.url));
    await tell(telemetryTo(server.url));
    const ids = server.events.map(({ event, uuid }) => `${event} ${uuid}`);
    expect(ids.slice(0, 5).sort()).toEqual(ids.slice(5).sort());
    expect(new Set(ids).size).toBe(5);
    for (const { uuid } of server.events)
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // Another run's are others.
    await tell(telemetryTo(server.url), await startRun(session, 'manual', redactor));
    expect(new Set(server.events.map(({ uuid }) => uuid)).size).toBe(10);
  });

  test('the same trouble twice is two exceptions, one error thrown for two accounts too', async () => {
    await using server = await disposable(startCaptureServer());
    const telemetry = telemetryTo(server.url);
    const watched = telemetry.watch(ledger, 'manual');
    const error = authError();
    for (const account_id of ['1', '2', '2']) await watched.writeResult({ ...RESULT, account_id }, error);
    await telemetry.end('failed');
    const exceptions = server.events.filter(({ event }) => event === '$exception');
    expect(new Set(exceptions.map(({ uuid }) => uuid)).size).toBe(3);
  });

  test('a run whose end the ledger can no longer take is told all the same', async () => {
    await using server = await disposable(startCaptureServer());
    const own = await connect(database.url);
    const lost = await startRun(own, 'scheduled', redactor);
    await own.end();
    const telemetry = telemetryTo(server.url);
    const watched = telemetry.watch(lost, 'scheduled');
    await expect(watched.writeError({ agent: 'pipeline', accountId: null }, authError())).rejects.toThrow();
    await expect(watched.finish('failed', {})).rejects.toThrow();
    expect(await telemetry.end('interrupted')).toBeUndefined();
    expect(server.events.map(({ event, properties }) => [event, properties['status']])).toEqual(
      expect.arrayContaining([
        ['pipeline_run_finished', 'interrupted'],
        ['$exception', undefined],
      ]),
    );
  });
});

describe('when it can not be sent', () => {
  test.each([
    ['refused for good', 400, 1, /^5 of 5 events .*HTTP 400/],
    ['broken, tried once more', 500, 2, /^5 of 5 events .*HTTP 500/],
  ])('%s: counted, and told', async (_name, status, requests, warning) => {
    await using server = await disposable(startCaptureServer(() => status));
    expect(await tell(telemetryTo(server.url))).toMatch(warning);
    expect(server.bodies).toHaveLength(requests);
  });

  test('broken once, it arrives at the second try, with the same ids', async () => {
    await using server = await disposable(startCaptureServer((index) => (index === 0 ? 503 : 200)));
    expect(await tell(telemetryTo(server.url))).toBeUndefined();
    expect(server.events).toHaveLength(5);
  });

  test('nobody listens', async () => {
    const server = await startCaptureServer();
    await server.close();
    expect(await tell(telemetryTo(server.url))).toMatch(/^5 of 5 events .*ECONNREFUSED/);
  });

  test('nobody answers: it waits as long as it may and no longer', async () => {
    await using server = await disposable(startCaptureServer(() => 'hang'));
    const before = performance.now();
    expect(await tell(telemetryTo(server.url, 200))).toMatch(/^5 of 5 events .*no answer within 200 ms/);
    expect(performance.now() - before).toBeLessThan(1_500);
  });

  test('what arrived before is not counted as missing', async () => {
    await using server = await disposable(startCaptureServer((index) => (index === 0 ? 200 : 400)));
    const telemetry = telemetryTo(server.url);
    const watched = telemetry.watch(ledger, 'manual');
    for (let account = 0; account < 60; account++)
      await watched.writeResult({ ...RESULT, account_id: String(account) });
    expect(await telemetry.end('failed')).toMatch(/^12 of 61 events/);
    expect(server.events).toHaveLength(49);
  });
});

describe('without a key', () => {
  test('nothing is watched and the library is not even loaded', async () => {
    const telemetry = createTelemetry(undefined, { redactor, now: () => NOW });
    expect(telemetry.watch(ledger, 'manual')).toBe(ledger);
    expect(await telemetry.end('succeeded')).toBeUndefined();
    const script = `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ resolve: (name, context, next) => (loaded.push(name), next(name, context)) });
      const { createTelemetry } = await import('./packages/shared/src/telemetry.ts');
      const run = (config) => createTelemetry(config, { redactor: { text: (t) => t, value: (v) => v }, now: () => '${NOW}' });
      const ledger = { runId: 'r', finish: async () => ({ startedAt: '${NOW}', finishedAt: '${NOW}' }) };
      const end = async (config) => {
        const telemetry = run(config);
        await telemetry.watch(ledger, 'manual').finish('succeeded', {});
        await telemetry.end('succeeded');
        return loaded.includes('posthog-node');
      };
      console.log(JSON.stringify([await end(undefined), await end({ host: 'http://127.0.0.1:1', projectKey: 'phc_x' })]));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      { cwd: join(repositoryRoot) },
    );
    expect(JSON.parse(stdout)).toEqual([false, true]);
  });

  test.each([
    ['nothing set', {}, undefined],
    ['a host alone', { POSTHOG_CAPTURE_HOST: 'https://eu.i.posthog.com' }, undefined],
    ['a key alone', { POSTHOG_PROJECT_KEY: KEY }, 'https://us.i.posthog.com'],
    [
      'the region of the project that is read',
      { POSTHOG_PROJECT_KEY: KEY, POSTHOG_HOST: 'https://eu.posthog.com/' },
      'https://eu.i.posthog.com',
    ],
    [
      'both',
      {
        POSTHOG_PROJECT_KEY: KEY,
        POSTHOG_CAPTURE_HOST: 'http://127.0.0.1:9/',
        POSTHOG_HOST: 'https://eu.posthog.com',
      },
      'http://127.0.0.1:9',
    ],
  ])('%s', (_name, env, host) => {
    const expected = host === undefined ? undefined : { host, projectKey: KEY };
    expect(readConfig(telemetryConfig, env)).toEqual(expected);
  });

  test('a key that reads is refused, and the key is a secret', () => {
    expect(() => readConfig(telemetryConfig, { POSTHOG_PROJECT_KEY: 'phx_personal' })).toThrow(ConfigError);
    expect(() =>
      readConfig(telemetryConfig, { POSTHOG_PROJECT_KEY: KEY, POSTHOG_CAPTURE_HOST: 'eu' }),
    ).toThrow('must be a URL');
    expect(secretValues([telemetryConfig], { POSTHOG_PROJECT_KEY: KEY })).toContain(KEY);
  });
});

async function disposable<T extends { close(): Promise<void> }>(
  starting: Promise<T>,
): Promise<T & AsyncDisposable> {
  const server = await starting;
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() });
}
