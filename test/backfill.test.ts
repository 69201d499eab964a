/** Backfills as a person meets them: killed, out of time, beside a scheduled run. */
import { describe, expect, it } from 'vitest';

import { createTestDatabase } from '@floyo/shared/testing/database';

import {
  covered,
  coveredAtLeast,
  digestTables,
  floyoJson,
  lockHeld,
  query,
  startFloyo,
  type TestWorld,
  useWorld,
  withSources,
} from './floyo.ts';

const NOW = '2026-11-20T12:00:00Z';

let sandbox: TestWorld['sandbox'];
let database: TestWorld['database'];
let env: TestWorld['env'];
useWorld(NOW, (world) => {
  ({ sandbox, database } = world);
  env = withSources(world.env, 'TIKTOK');
});

const isSome = (count: number) => count > 0;

describe('backfill', () => {
  const backfill = ['backfill', '--source', 'tiktok', '--from', '2026-07-15', '--to', '2026-10-15'];

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
    expect(days.some(({ metadata }) => Array.isArray(metadata['resumes']))).toBe(true);
    expect(await covered(database.url)).toBe(2 * 93);
    const again = await floyoJson(backfill, env);
    const reread = again.document.agents.filter(({ agent }) => agent === 'etl-tiktok');
    const rowsOf = (agents: typeof days) => agents.reduce((sum, { rows_read }) => sum + rows_read, 0);
    expect(rowsOf(days)).toBeLessThan(rowsOf(reread));
    expect(
      reread.every(
        ({ window_from, window_to }) => window_from === '2026-07-15' && window_to === '2026-10-16',
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
    expect(await covered(database.url)).toBe(2 * 93);
  });

  it('an account that fails does not make the others be read again', async () => {
    const week = ['backfill', '--source', 'tiktok', '--from', '2026-10-01', '--to', '2026-10-07'];
    const [good = '', bad = ''] = env['TIKTOK_ADVERTISER_IDS']?.split(',') ?? [];
    sandbox.faults.add({ vendor: 'tiktok', kind: 'permission', times: -1, account: bad });
    const first = await floyoJson(week, env);
    expect(first.code).toBe(1);
    sandbox.faults.clear();
    const second = await floyoJson(week, env);
    expect(second.code, second.stderr).toBe(0);
    const rows = ({ document }: typeof first, account: string) =>
      document.agents.find(({ account_id }) => account_id === account)?.rows_read;
    expect([rows(first, good), rows(second, good)]).toEqual([expect.toSatisfy(isSome), 0]);
    expect([rows(first, bad), rows(second, bad)]).toEqual([0, expect.toSatisfy(isSome)]);
    expect(await covered(database.url)).toBe(2 * 7);
  });

  it('stops in time, exits 0, and the same command goes on', async () => {
    const first = await floyoJson([...backfill, '--max-duration', '0s'], env);
    expect(first.code).toBe(0);
    expect(first.document).toMatchObject({ status: 'partial' });
    expect(first.document.warnings.join()).toContain('Stopped in time');
    expect(await covered(database.url)).toBe(0);
    const second = await floyoJson(backfill, env);
    expect(second.document.status).toBe('succeeded');
    expect(await covered(database.url)).toBe(2 * 93);
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
