/** A run as a person meets it: on the sandbox and a real Postgres, run twice, killed and disturbed. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { RunDocument } from '@floyo/pipeline/run';
import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { createTestDatabase } from '@floyo/shared/testing/database';

import {
  covered,
  coveredAtLeast,
  digestTables,
  floyoJson,
  listen,
  lockHeld,
  query,
  SMALL_WORLD,
  startFloyo,
  withSources,
} from './floyo.ts';

const NOW = '2026-11-20T12:00:00Z';

let sandbox: Sandbox;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let env: Record<string, string>;
/** Meta and Shopify alone, for what has nothing to do with how many sources there are. */
let few: Record<string, string>;
/** The tables after a faultless run at NOW, of all sources and of the few. */
let expected: Record<string, string>;
let expectedOfFew: Record<string, string>;

beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW, ...SMALL_WORLD });
  expected = await faultlessRun(sandbox.env);
  expectedOfFew = await faultlessRun(withSources(sandbox.env, 'META', 'SHOPIFY'));
}, 60_000);

async function faultlessRun(variables: Record<string, string>): Promise<Record<string, string>> {
  const reference = await createTestDatabase();
  const run = await floyoJson(['run'], { ...variables, DATABASE_URL: reference.url });
  expect(run.code, run.stderr).toBe(0);
  const digests = await digestTables(reference.url);
  await reference.drop();
  return digests;
}

afterAll(() => sandbox.close());

beforeEach(async () => {
  sandbox.faults.clear();
  sandbox.clock.set(NOW);
  database = await createTestDatabase();
  env = { ...sandbox.env, DATABASE_URL: database.url };
  few = withSources(env, 'META', 'SHOPIFY');
});

afterEach(() => database.drop());

describe('a run', () => {
  it('I1: run twice, the second changes nothing', { timeout: 60_000 }, async () => {
    const { code, stdout } = await startFloyo(['run', '--json'], env).done;
    const first = JSON.parse(stdout) as RunDocument;
    expect([code, first.status]).toEqual([0, 'succeeded']);
    const agents = [...new Set(first.agents.map(({ agent }) => agent))];
    expect(agents, 'every source in order, then the metrics').toEqual([
      'fx',
      'etl-meta',
      'etl-tiktok',
      'etl-shopify',
      'billing',
      'analytics',
      'metrics',
    ]);
    expect(first.agents.filter(({ agent }) => agent === 'etl-meta')).toHaveLength(3);
    expect(await digestTables(database.url)).toEqual(expected);
    const second = await floyoJson(['run'], env);
    expect(second.document).toMatchObject({ status: 'succeeded', kind: 'manual', skipped_because: null });
    for (const agent of second.document.agents)
      expect(agent, agent.agent).toMatchObject({
        rows_inserted: 0,
        rows_updated: 0,
        rows_deleted: 0,
        rows_rejected: 0,
      });
    expect(await digestTables(database.url)).toEqual(expected);
  });

  it('I5: a source that fails leaves the others alone: partial, exit 1, its days incomplete, one alert', async () => {
    const alerts: string[] = [];
    const hook = await listen((body) => alerts.push(body));
    sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token', times: -1 });
    const run = await floyoJson(['run'], {
      ...withSources(env, 'META', 'TIKTOK', 'SHOPIFY'),
      ALERT_WEBHOOK_URL: hook.url,
    });
    hook.server.close();
    expect(run.code).toBe(1);
    expect(run.document.status).toBe('partial');
    const failed = run.document.agents.filter(({ status }) => status === 'failed');
    expect(new Set(failed.map(({ agent }) => agent))).toEqual(new Set(['etl-tiktok']));
    for (const { error } of failed) {
      expect(error).toMatchObject({ error_type: 'auth', severity: 'P1' });
      expect(error?.advice).toBeTruthy();
    }
    const statuses = await query(database.url, async ({ db }) =>
      db
        .selectFrom('daily_metrics')
        .select(['metric', 'status'])
        .distinct()
        .where('dimensions', '=', '{}')
        .execute(),
    );
    const of = (metric: string) =>
      new Set(statuses.filter((row) => row.metric === metric).map(({ status }) => status));
    expect(of('ad_spend')).toEqual(new Set(['incomplete']));
    expect(of('net_sales')).not.toContain('incomplete');
    expect(alerts).toHaveLength(1);
    expect(JSON.parse(alerts[0] ?? '{}')).toMatchObject({
      text: expect.stringContaining('etl-tiktok') as string,
    });
  });

  it('I8: rows that the vendor silently cuts show as drift, in the run, its result and the status', async () => {
    const cut = {
      vendor: 'meta',
      kind: 'truncated',
      times: 1,
      value: { mode: 'rows' },
      path: '/insights',
    } as const;
    sandbox.faults.add(cut);
    const run = await floyoJson(['run', '--only', 'meta'], withSources(env, 'META'));
    expect(run.document.warnings.join()).toContain("from the vendor's by more than 0.1 %");
    const { document } = await floyoJson<{ sources: { source: string; drift: number }[] }>(
      ['status'],
      withSources(env, 'META'),
    );
    expect(document.sources.some(({ source, drift }) => source === 'meta' && drift > 0)).toBe(true);
  });

  it('I6, I8: through faults that pass, the same tables', { timeout: 60_000 }, async () => {
    for (const vendor of ['meta', 'tiktok', 'shopify', 'ecb', 'posthog', 'stripe'] as const) {
      sandbox.faults.add({ vendor, kind: 'server_error', times: 2 });
      sandbox.faults.add({ vendor, kind: 'reset', times: 1 });
      sandbox.faults.add({ vendor, kind: 'not_json', times: 1 });
    }
    const run = await floyoJson(['run'], env);
    expect(run.code, run.stderr).toBe(0);
    expect(run.document.agents.reduce((sum, { retries }) => sum + retries, 0)).toBeGreaterThan(0);
    expect(await digestTables(database.url)).toEqual(expected);
  });

  it('I4: two at once: one works, the other is skipped and exits 0', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 150 } });
    const first = startFloyo(['run', '--json'], few);
    await lockHeld(database.url);
    const second = await floyoJson(['run'], few);
    expect(second.code).toBe(0);
    expect(second.document.status).toBe('skipped');
    const done = await first.done;
    const document = JSON.parse(done.stdout) as { run_id: string; status: string };
    expect(document.status).toBe('succeeded');
    expect(second.document.skipped_because).toMatchObject({ run_id: document.run_id, holder: 'manual' });
    expect(await digestTables(database.url)).toEqual(expectedOfFew);
  });

  it('I2: killed at any instant and run again, the same tables', { timeout: 60_000 }, async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 10 } });
    for (const delayMs of [600, 1_200, 2_000]) {
      const victim = startFloyo(['run'], env);
      const timer = setTimeout(() => victim.process.kill('SIGKILL'), delayMs);
      await victim.done;
      clearTimeout(timer);
    }
    const last = await floyoJson(['run'], env);
    expect(last.code, last.stderr).toBe(0);
    expect(await digestTables(database.url)).toEqual(expected);
    const statuses = await query(database.url, ({ db }) =>
      db.selectFrom('ops.runs').select('status').execute(),
    );
    expect(statuses.map(({ status }) => status)).not.toContain('running');
  });

  it('I2: killed in the middle of pulling events, and run again, the same events', async () => {
    sandbox.faults.add({ vendor: 'posthog', kind: 'latency', times: -1, value: { ms: 25 } });
    for (const days of [5, 40]) {
      const victim = startFloyo(['etl', 'posthog'], env);
      await coveredAtLeast(database.url, days);
      victim.process.kill('SIGKILL');
      await victim.done;
    }
    // 36 days of either stream.
    expect(await covered(database.url)).toBeLessThan(72);
    sandbox.faults.clear();
    const last = await floyoJson(['etl', 'posthog'], env);
    expect(last.code, last.stderr).toBe(0);
    const { events, event_user_days } = await digestTables(database.url);
    expect({ events, event_user_days }).toEqual({
      events: expected['events'],
      event_user_days: expected['event_user_days'],
    });
  });

  it('I4: loses its lock to `unlock --force`: it stops, says so, and the next run heals it', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 400 } });
    const first = startFloyo(['run', '--json'], few);
    await lockHeld(database.url);
    const unlock = await floyoJson<{ ended: boolean }>(['unlock', '--force'], few);
    expect(unlock.document.ended).toBe(true);
    const done = await first.done;
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: 'interrupted' });
    sandbox.faults.clear();
    expect((await floyoJson(['run'], few)).document.status).toBe('succeeded');
    expect(await digestTables(database.url)).toEqual(expectedOfFew);
  });

  it('stops on Ctrl-C, marked interrupted, exit 1', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 400 } });
    const running = startFloyo(['run', '--json'], few);
    await lockHeld(database.url);
    running.process.kill('SIGINT');
    const done = await running.done;
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: 'interrupted' });
  });

  it('I12: no secret in output, ledger or alert, whatever fails', async () => {
    const alerts: string[] = [];
    const hook = await listen((body) => alerts.push(body));
    for (const vendor of ['meta', 'tiktok', 'shopify'] as const)
      sandbox.faults.add({ vendor, kind: 'wrong_token', times: -1 });
    const secrets = ['META_ACCESS_TOKEN', 'TIKTOK_ACCESS_TOKEN', 'SHOPIFY_ACCESS_TOKENS'].flatMap((name) =>
      (env[name] ?? '').split(','),
    );
    expect(secrets.every((secret) => secret.length > 5)).toBe(true);
    const run = await startFloyo(['run', '--json'], {
      ...env,
      FLOYO_LOG_LEVEL: 'debug',
      ALERT_WEBHOOK_URL: `${hook.url}/s3cret-path`,
    }).done;
    expect(run.stderr, 'the log').toContain('"level":');
    hook.server.close();
    const ledger = await query(database.url, async ({ db }) => {
      const { rows } =
        await sql`select to_jsonb(e) from ops.errors e union all select to_jsonb(r) from ops.agent_results r
        union all select to_jsonb(s) from ops.agent_state s union all select to_jsonb(r) from ops.runs r`.execute(
          db,
        );
      return JSON.stringify(rows);
    });
    for (const text of [run.stdout, run.stderr, ledger, ...alerts])
      for (const secret of [...secrets, 's3cret-path']) expect(text).not.toContain(secret);
    expect(alerts).toHaveLength(1);
  });

  it('--only takes some sources; --dry-run calls nobody and writes nothing', async () => {
    sandbox.log.clear();
    const dry = await floyoJson(['run', '--dry-run'], env);
    expect(dry.code).toBe(0);
    expect(dry.document.run_id).toBeNull();
    expect(dry.document.agents.find(({ agent }) => agent === 'etl-tiktok')).toMatchObject({
      status: 'skipped',
      window_to: '2026-11-21',
    });
    expect(sandbox.log.count()).toBe(0);
    const runs = await query(database.url, ({ db }) => db.selectFrom('ops.runs').selectAll().execute());
    expect(runs).toEqual([]);
    const only = await floyoJson(['run', '--only', 'tiktok'], env);
    expect(only.document.agents.map(({ agent }) => agent)).toEqual(['etl-tiktok', 'etl-tiktok', 'metrics']);
  });
});
