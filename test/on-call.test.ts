/** What is told at three in the morning: the database's own conditions by their name, and no run dies of a closed pipe. */
import { once } from 'node:events';

import { sql } from 'kysely';
import { expect, it } from 'vitest';

import { floyo, floyoJson, query, startFloyo, type TestWorld, useWorld, withSources } from './floyo.ts';

let database: TestWorld['database'];
let env: TestWorld['env'];
useWorld('2026-11-20T12:00:00Z', (world) => ({ database, env } = world));

it('a database that takes no writes: no defect of ours, and doctor finds it', async () => {
  const only = withSources(env, 'TIKTOK');
  await floyo(['run'], only);
  await query(database.url, async ({ db }) => {
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
    await sql`alter database ${sql.id(rows[0]?.name ?? '')} set default_transaction_read_only = on`.execute(
      db,
    );
  });
  const run = await floyo(['run'], only);
  expect(run.code).toBe(1);
  expect(run.stderr).toContain('The database takes no writes');
  expect(run.stderr).not.toMatch(/defect of the pipeline|\n\s+at /);
  const { code, document } = await floyoJson<{ findings: { check: string; level: string }[] }>(
    ['doctor'],
    only,
  );
  expect(code).toBe(1);
  expect(document.findings).toContainEqual(
    expect.objectContaining({ check: 'database writes', level: 'error' }),
  );
});

it('who reads no further ends no run', async () => {
  const running = startFloyo(['run', '--only', 'fx'], env);
  running.process.stdout?.destroy();
  running.process.stderr?.destroy();
  const [code] = (await once(running.process, 'exit')) as [number | null];
  expect(code).toBe(0);
  const { rows } = await query(database.url, ({ db }) =>
    sql<{ status: string }>`select status from ops.runs`.execute(db),
  );
  expect(rows).toEqual([{ status: 'succeeded' }]);
});
