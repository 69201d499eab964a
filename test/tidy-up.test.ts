/** What a run tidies up may fail: the run has done its work by then. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

import { floyoJson, query } from './floyo.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

it('what an unfinished backfill read over a month ago is forgotten, what it read since is not', async () => {
  await query(database.url, ({ db }) =>
    sql`
      insert into ops.runs (kind, status, started_at, finished_at, unfinished_backfill)
      select 'backfill', 'failed', at, at, name from (values
        (now() - interval '31 days', 'meta 2024-01-01..2024-02-01'),
        (now() - interval '29 days', 'meta 2025-01-01..2025-02-01')) old (at, name)`.execute(db),
  );
  expect((await floyoJson(['metrics'], { DATABASE_URL: database.url })).code).toBe(0);
  const { rows } = await query(database.url, ({ db }) =>
    sql`select unfinished_backfill from ops.runs where kind = 'backfill' order by started_at`.execute(db),
  );
  expect(rows).toEqual([
    { unfinished_backfill: null },
    { unfinished_backfill: 'meta 2025-01-01..2025-02-01' },
  ]);
});

it('old rows that can not be deleted are a warning, not a failed run', async () => {
  await query(database.url, async ({ db }) => {
    await sql`
      insert into ops.runs (kind, status, started_at, finished_at)
      values ('manual', 'succeeded', now() - interval '3 years', now() - interval '3 years')`.execute(db);
    await sql`
      create function public.refuse() returns trigger language plpgsql as
      $$ begin raise exception 'runs are kept here'; end $$`.execute(db);
    await sql`create trigger refuse before delete on ops.runs execute function public.refuse()`.execute(db);
  });
  const { code, document } = await floyoJson(['metrics'], { DATABASE_URL: database.url });
  expect(code).toBe(0);
  expect(document.status).toBe('succeeded');
  expect(document.warnings).toEqual([
    'Tidying up: old rows of the ledger could not be deleted (runs are kept here)',
  ]);
  const errors = await query(database.url, ({ db }) =>
    db.selectFrom('ops.errors').select(['run_id', 'severity', 'error_type']).execute(),
  );
  expect(errors).toEqual([{ run_id: document.run_id, severity: 'P2', error_type: 'load' }]);
});
