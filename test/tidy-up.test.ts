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
