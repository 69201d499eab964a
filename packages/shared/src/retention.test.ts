import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { connect, type Session } from './db.ts';
import { LockLostError } from './errors.ts';
import { forgetOldRows } from './retention.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';
import { startTestRun } from './testing/test-run.ts';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
});

beforeEach(async () => {
  await sql`truncate ops.runs, ops.errors, ops.rejected_records, ops.coverage, ops.agent_state cascade`.execute(
    session.db,
  );
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

/** Finished runs of that age in days, each with a result and an error. */
async function addRuns(ages: readonly number[], status = 'succeeded'): Promise<void> {
  await sql`
    with old as (
      insert into ops.runs (kind, status, started_at, finished_at)
      select 'scheduled', ${status}, now() - make_interval(days => age), case ${status} when 'running' then null else now() - make_interval(days => age) end
      from unnest(${ages}::int[]) age returning id, started_at
    ), results as (
      insert into ops.agent_results (run_id, agent, status, started_at) select id, 'etl-meta', 'succeeded', started_at from old
    )
    insert into ops.errors (run_id, agent, error_type, severity, message, retryable, fingerprint, occurred_at)
    select id, 'etl-meta', 'internal', 'P1', 'broken', false, 'f', started_at from old`.execute(session.db);
}

async function addReject(id: string, resolvedDaysAgo: number | null): Promise<void> {
  await sql`
    insert into ops.rejected_records (agent, account_id, stream, external_id, reasons, payload, first_seen_at, resolved_at)
    values ('etl-meta', '1', 'insights', ${id}, '[]', '{}', now() - interval '900 days', now() - make_interval(days => ${resolvedDaysAgo}))`.execute(
    session.db,
  );
}

async function count(table: string): Promise<number> {
  const { rows } = await sql<{
    count: number;
  }>`select count(*)::int as count from ${sql.table(table)}`.execute(session.db);
  return rows[0]?.count ?? 0;
}

test('old runs go with their results and errors, young ones and the one at work stay', async () => {
  await addRuns([500, 401, 399, 1]);
  await addRuns([600], 'running');
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  // Taking the lock finds that the running one is dead: it ended today.
  expect(await forgetOldRows(test.run.write, 400)).toEqual({ runs: 2, errors: 0, rejects: 0 });
  expect(await count('ops.runs')).toBe(4);
  expect(await count('ops.agent_results')).toBe(3);
  expect(await count('ops.errors')).toBe(3);
  expect(await forgetOldRows(test.run.write, 400)).toEqual({ runs: 0, errors: 0, rejects: 0 });
});

test('resolved records and errors without a run go, what is open stays however old', async () => {
  await addReject('long resolved', 450);
  await addReject('just resolved', 10);
  await addReject('open', null);
  await sql`
    insert into ops.errors (agent, error_type, severity, message, retryable, fingerprint, occurred_at)
    select 'billing', 'internal', 'P1', 'broken', false, 'f', now() - make_interval(days => age) from unnest(array[450, 10]) age`.execute(
    session.db,
  );
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  expect(await forgetOldRows(test.run.write, 400)).toEqual({ runs: 0, errors: 1, rejects: 1 });
  const { rows } = await sql`select external_id from ops.rejected_records order by id`.execute(session.db);
  expect(rows).toEqual([{ external_id: 'just resolved' }, { external_id: 'open' }]);
});

test('coverage and state stay, though the run that wrote them went', async () => {
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at) values ('meta', '1', 'insights', '2020-01-01', '2020-02-01', '2020-02-01')`.execute(
    session.db,
  );
  await sql`
    insert into ops.agent_state (agent, scope, key, value, updated_at) values ('etl-meta', '1', 'cursor', '{}', '2020-01-01')`.execute(
    session.db,
  );
  await addRuns([2000]);
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  expect(await forgetOldRows(test.run.write, 400)).toMatchObject({ runs: 1 });
  expect(await count('ops.coverage')).toBe(1);
  expect(await count('ops.agent_state')).toBe(1);
});

test('a backlog goes in small transactions, and what is too much is left to later runs', async () => {
  await addRuns(Array.from({ length: 5_300 }, () => 500));
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  const sizes: number[] = [];
  const counting: typeof test.run.write = (work, options) =>
    test.run.write(async (trx) => {
      const before = await sql<{ count: number }>`select count(*)::int as count from ops.runs`.execute(trx);
      const done = await work(trx);
      const after = await sql<{ count: number }>`select count(*)::int as count from ops.runs`.execute(trx);
      sizes.push((before.rows[0]?.count ?? 0) - (after.rows[0]?.count ?? 0));
      return done;
    }, options);
  expect(await forgetOldRows(counting, 400)).toMatchObject({ runs: 5_000 });
  expect(Math.max(...sizes)).toBe(200);
  expect(await forgetOldRows(test.run.write, 400)).toMatchObject({ runs: 300 });
});

test('I4: a run that lost its lock deletes nothing', async () => {
  await addRuns([500]);
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  await sql`update ops.fence set token = token + 1`.execute(session.db);
  await expect(forgetOldRows(test.run.write, 400)).rejects.toThrow(LockLostError);
  expect(await count('ops.runs')).toBe(2);
});
