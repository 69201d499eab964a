/** The pipeline as a person meets it: commands, exit codes, documents, on the sandbox and a real Postgres. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { createTestDatabase } from '@floyo/shared/testing/database';

import { digestTables, floyo, floyoJson, query, startFloyo } from './floyo.ts';

const NOW = '2026-11-20T12:00:00Z';

let sandbox: Sandbox;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let env: Record<string, string>;
/** The tables after a faultless run at NOW. */
let expected: Record<string, string>;

beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW, ratesSince: '2026-05-01' });
  const reference = await createTestDatabase();
  const run = await floyoJson(['run'], { ...sandbox.env, DATABASE_URL: reference.url });
  expect(run.code, run.stderr).toBe(0);
  expected = await digestTables(reference.url);
  await reference.drop();
});

afterAll(() => sandbox.close());

beforeEach(async () => {
  sandbox.faults.clear();
  sandbox.clock.set(NOW);
  database = await createTestDatabase();
  env = { ...sandbox.env, DATABASE_URL: database.url };
});

afterEach(() => database.drop());

describe('a run', () => {
  it('I1: run twice, the second changes nothing', async () => {
    const first = await floyoJson(['run'], env);
    expect(first.document.status).toBe('succeeded');
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

  it('reads every source in order and ends with the metrics', async () => {
    const { document } = await floyoJson(['run'], env);
    const agents = [...new Set(document.agents.map(({ agent }) => agent))];
    expect(agents).toEqual(['fx', 'etl-meta', 'etl-tiktok', 'etl-shopify', 'metrics']);
    expect(document.agents.filter(({ agent }) => agent === 'etl-meta')).toHaveLength(3);
  });

  it('I5: a source that fails leaves the others alone: partial, exit 1, its days incomplete, one alert', async () => {
    const alerts: string[] = [];
    const hook = await listen((body) => alerts.push(body));
    sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token', times: -1 });
    const run = await floyoJson(['run'], { ...env, ALERT_WEBHOOK_URL: hook.url });
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

  it('I6, I8: through faults that pass, the same tables', async () => {
    for (const vendor of ['meta', 'tiktok', 'shopify', 'ecb'] as const) {
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
    const first = startFloyo(['run', '--json'], env);
    await lockHeld(database.url);
    const second = await floyoJson(['run'], env);
    expect(second.code).toBe(0);
    expect(second.document.status).toBe('skipped');
    const done = await first.done;
    const document = JSON.parse(done.stdout) as { run_id: string; status: string };
    expect(document.status).toBe('succeeded');
    expect(second.document.skipped_because).toMatchObject({ run_id: document.run_id, holder: 'manual' });
    expect(await digestTables(database.url)).toEqual(expected);
  });

  it('I2: killed at any instant and run again, the same tables', { timeout: 60_000 }, async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 10 } });
    for (const delayMs of [700, 1_100, 1_400, 1_900, 2_600]) {
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

  it('I4: loses its lock to `unlock --force`: it stops, says so, and the next run heals it', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 400 } });
    const first = startFloyo(['run', '--json'], env);
    await lockHeld(database.url);
    const unlock = await floyoJson<{ ended: boolean }>(['unlock', '--force'], env);
    expect(unlock.document.ended).toBe(true);
    const done = await first.done;
    expect(done.code).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ status: 'interrupted' });
    sandbox.faults.clear();
    expect((await floyoJson(['run'], env)).document.status).toBe('succeeded');
    expect(await digestTables(database.url)).toEqual(expected);
  });

  it('stops on Ctrl-C, marked interrupted, exit 1', async () => {
    sandbox.faults.add({ vendor: 'meta', kind: 'latency', times: -1, value: { ms: 400 } });
    const running = startFloyo(['run', '--json'], env);
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
    const run = await floyo(['run', '--json'], {
      ...env,
      FLOYO_LOG_LEVEL: 'debug',
      ALERT_WEBHOOK_URL: `${hook.url}/s3cret-path`,
    });
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

describe('backfill', () => {
  const backfill = ['backfill', '--source', 'tiktok', '--from', '2026-06-01', '--to', '2026-10-15'];

  it('killed and started again, it goes on where it stopped; done, it reads again', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'latency', times: -1, value: { ms: 60 } });
    const victim = startFloyo(backfill, env);
    await coveredAtLeast(database.url, 30);
    victim.process.kill('SIGKILL');
    await victim.done;
    const before = await covered(database.url);
    sandbox.faults.clear();
    const resumed = await floyoJson(backfill, env);
    expect(resumed.code, resumed.stderr).toBe(0);
    const days = resumed.document.agents.filter(({ agent }) => agent === 'etl-tiktok');
    expect(before).toBeGreaterThan(0);
    expect(days.some(({ window_to }) => window_to !== '2026-10-16')).toBe(true);
    expect(await covered(database.url)).toBe(2 * 137);
    const again = await floyoJson(backfill, env);
    const reread = again.document.agents.filter(({ agent }) => agent === 'etl-tiktok');
    expect(
      reread.every(
        ({ window_from, window_to }) => window_from === '2026-06-01' && window_to === '2026-10-16',
      ),
    ).toBe(true);
    expect(
      reread.every(
        ({ rows_inserted, rows_updated, rows_deleted }) => rows_inserted + rows_updated + rows_deleted === 0,
      ),
    ).toBe(true);
  });

  it('several agents read what one reads', async () => {
    const one = await floyoJson([...backfill, '--agents', '1'], env);
    expect(one.code, one.stderr).toBe(0);
    const expectedRows = await digestTables(database.url);
    const other = await createTestDatabase();
    const many = await floyoJson([...backfill, '--agents', '5'], { ...env, DATABASE_URL: other.url });
    expect(many.code, many.stderr).toBe(0);
    expect(await digestTables(other.url)).toEqual(expectedRows);
    await other.drop();
  });

  it('a chunk that fails does not stop the others; the same command reads what is missing', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'permission', times: 1, path: '/report/' });
    sandbox.faults.add({ vendor: 'tiktok', kind: 'server_error', times: 4, path: '/report/' });
    const first = await floyoJson([...backfill, '--agents', '1'], env);
    expect(first.code).toBe(1);
    const second = await floyoJson([...backfill, '--agents', '1'], env);
    expect(second.code, second.stderr).toBe(0);
    expect(await covered(database.url)).toBe(2 * 137);
  });

  it('stops in time, exits 0, and the same command goes on', async () => {
    const first = await floyoJson([...backfill, '--max-duration', '0s'], env);
    expect(first.code).toBe(0);
    expect(first.document).toMatchObject({ status: 'partial' });
    expect(first.document.warnings.join()).toContain('Stopped in time');
    expect(await covered(database.url)).toBe(0);
    const second = await floyoJson(backfill, env);
    expect(second.document.status).toBe('succeeded');
    expect(await covered(database.url)).toBe(2 * 137);
  });

  it('lets a scheduled run go first between two chunks', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'latency', times: -1, value: { ms: 150 } });
    const long = startFloyo([...backfill, '--json'], env);
    await lockHeld(database.url);
    const run = await floyoJson(['run', '--only', 'fx'], env);
    expect(run.document.status, run.stderr).toBe('succeeded');
    const done = await long.done;
    const document = JSON.parse(done.stdout) as { status: string; finished_at: string };
    expect(document.status).toBe('succeeded');
    expect(Date.parse(run.document.finished_at ?? '')).toBeLessThan(Date.parse(document.finished_at));
    const order = await query(database.url, ({ db }) =>
      db.selectFrom('ops.runs').select(['kind', 'status']).orderBy('finished_at').execute(),
    );
    expect(order).toEqual([
      { kind: 'manual', status: 'succeeded' },
      { kind: 'backfill', status: 'succeeded' },
    ]);
  });
});

describe('status and unlock', () => {
  it('tells freshness of every account, the backlog and the lock', async () => {
    await floyo(['run'], env);
    const { document } = await floyoJson<Record<string, unknown>>(['status'], env);
    expect(document).toMatchObject({ lock: null, rejected: 0, dirty: 0 });
    const sources = document['sources'] as { source: string; data_through: string; stale: boolean }[];
    expect(sources.map(({ source }) => source)).toEqual([
      'fx',
      'meta',
      'meta',
      'meta',
      'tiktok',
      'tiktok',
      'shopify',
      'shopify',
    ]);
    expect(sources.every(({ data_through }) => data_through >= '2026-11-20')).toBe(true);
    const later = await floyoJson<{ sources: { stale: boolean }[] }>(['status'], {
      ...env,
      FLOYO_NOW: '2030-01-01T00:00:00Z',
    });
    expect(later.document.sources.every(({ stale }) => stale)).toBe(true);
  });

  it('unlock says when nobody holds it', async () => {
    const { document, code } = await floyoJson<unknown>(['unlock'], env);
    expect(code).toBe(0);
    expect(document).toEqual({ lock: null, ended: false });
  });
});

describe('wrong configuration', () => {
  it('tells every problem at once and exits 2', async () => {
    const { code, document, stderr } = await floyoJson<{ error: { problems: { variable: string }[] } }>(
      ['run'],
      {
        DATABASE_URL: 'mysql://nowhere',
        REPORTING_TIMEZONE: 'Mars/Olympus',
        META_ACCESS_TOKEN: 'a-token-of-somebody',
        SHOPIFY_SHOPS: 'not a shop',
      },
    );
    expect(code).toBe(2);
    const variables = document.error.problems.map(({ variable }) => variable);
    expect(variables).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'REPORTING_TIMEZONE', 'META_AD_ACCOUNT_IDS', 'SHOPIFY_SHOPS']),
    );
    expect(stderr).toContain('META_AD_ACCOUNT_IDS');
    expect(stderr).not.toContain('a-token-of-somebody');
  });

  it('a database without the schema: exit 2 and what to run', async () => {
    const empty = await createTestDatabase({ empty: true });
    const { code, document } = await floyoJson<{ error: { code: string; problems: { message: string }[] } }>(
      ['run'],
      {
        ...sandbox.env,
        DATABASE_URL: empty.url,
      },
    );
    expect(code).toBe(2);
    expect(document.error).toMatchObject({ code: 'schema' });
    expect(document.error.problems[0]?.message).toContain('floyo migrate');
    const migrated = await floyoJson<{ applied: string[] }>(['migrate'], { DATABASE_URL: empty.url });
    expect(migrated.document.applied.length).toBeGreaterThan(0);
    const again = await floyoJson<{ applied: string[] }>(['migrate'], { DATABASE_URL: empty.url });
    expect(again.document).toEqual({ applied: [] });
    await empty.drop();
  });

  it('another reporting currency than the stored values have: exit 2', async () => {
    await floyo(['run', '--only', 'fx'], env);
    const { code, document } = await floyoJson<{ error: { problems: { variable: string }[] } }>(['run'], {
      ...env,
      REPORTING_CURRENCY: 'EUR',
    });
    expect(code).toBe(2);
    expect(document.error.problems[0]?.variable).toBe('REPORTING_CURRENCY');
  });

  it('unknown commands, options, sources and days: exit 2', async () => {
    const wrong = [
      ['fly'],
      ['run', '--fast'],
      ['etl', 'myspace'],
      ['backfill', '--source', 'meta', '--from', '2026-02-30', '--to', '2026-03-01'],
      ['run', '--only', 'stripe'],
    ];
    for (const outcome of await Promise.all(wrong.map((args) => floyoJson<{ error: unknown }>(args, env)))) {
      expect(outcome.code).toBe(2);
      expect(outcome.document.error).toMatchObject({ code: 'usage' });
    }
  });

  it('an unreachable database: exit 1, where and what to do', async () => {
    const { code, document } = await floyoJson<{ error: unknown }>(['run'], {
      ...sandbox.env,
      DATABASE_URL: 'postgres://u:pa55word@127.0.0.1:1/x',
    });
    expect(code).toBe(1);
    expect(document.error).toMatchObject({
      severity: 'P0',
      message: expect.stringContaining('127.0.0.1:1') as string,
    });
  });
});

/** Waits until a run holds the lock. */
async function lockHeld(url: string): Promise<void> {
  await until(
    url,
    sql`select 1 from pg_locks l, ops.fence f where l.locktype = 'advisory' and l.pid = f.pid and l.granted`,
  );
}

async function coveredAtLeast(url: string, days: number): Promise<void> {
  await until(url, sql`select 1 from ops.coverage having count(*) >= ${days}`);
}

async function covered(url: string): Promise<number> {
  return query(url, async ({ db }) => {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from ops.coverage`.execute(
      db,
    );
    return rows[0]?.count ?? 0;
  });
}

async function until(url: string, condition: ReturnType<typeof sql>): Promise<void> {
  await query(url, async ({ db }) => {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const { rows } = await condition.execute(db);
      if (rows.length > 0) return;
      if (Date.now() > deadline) throw new Error('the condition did not come true within 15 s');
    }
  });
}

/** An alert webhook that keeps what it is sent. */
async function listen(onBody: (body: string) => void): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      onBody(body);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
