/** The loader of changes: order, counts, and what happens when another transaction is in the way. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { createApplyLoader, retryConflicts } from './apply-loader.ts';
import type { AnyStream } from './connector.ts';
import { connect, type Session } from './db.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';
import { createOrdersSource, createWorld, streamOf } from './testing/test-sources.ts';

const RUN = '00000000-0000-4000-8000-000000000001';
let database: TestDatabase;
let session: Session;
let stream: AnyStream;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  await sql`create table applied (place serial, change jsonb not null)`.execute(session.db);
  await sql`create sequence tries`.execute(session.db);
  // What nextval counts is not taken back with the transaction.
  await sql`
    create function apply_change(change jsonb) returns text language plpgsql as $$
    begin
      if change ? 'fails' and nextval('tries') <= (change ->> 'fails')::integer then
        raise exception 'in the way' using errcode = change ->> 'code';
      end if;
      insert into applied (change) values (change);
      return change ->> 'answer';
    end $$`.execute(session.db);
  const orders = streamOf(createOrdersSource(createWorld({})));
  stream = { ...orders, parent: { ...orders.parent, applyWith: 'public.apply_change' } };
});
afterAll(async () => {
  await session.end();
  await database.drop();
});
beforeEach(async () => {
  await sql`truncate applied`.execute(session.db);
  await sql`alter sequence tries restart`.execute(session.db);
});

async function load(...changes: { lock: string; change: object }[]) {
  const loader = await createApplyLoader(session, stream);
  await loader.clear();
  for (const [index, change] of changes.entries())
    await loader.add({ changes: [{ externalId: `test:${index}`, ...change }] });
  await loader.flush();
  return () => session.db.transaction().execute((trx) => loader.apply(trx, { scope: {}, runId: RUN }));
}

it('gives each change to the function with its run, in the order of what they lock, and counts the answers', async () => {
  const apply = await load(
    { lock: 'b', change: { id: 1, answer: 'processed' } },
    { lock: 'a', change: { id: 2, answer: 'stale' } },
    { lock: 'b', change: { id: 3, answer: 'unchanged' } },
    { lock: 'a', change: { id: 4, answer: 'updated', text: 'tab\tand \u0000 and \\' } },
  );
  expect(await apply()).toEqual({ inserted: 1, updated: 1, unchanged: 2, deleted: 0 });
  const { rows } = await sql<{ id: number; run: string; text: string | null }>`
    select (change ->> 'id')::int as id, change ->> 'run_id' as run, change ->> 'text' as text from applied order by place`.execute(
    session.db,
  );
  expect(rows.map(({ id }) => id)).toEqual([2, 4, 1, 3]);
  expect(rows[1]).toEqual({ id: 4, run: RUN, text: 'tab\tand  and \\' });
});

it('a page that another transaction was in the way of is applied again, whole and once', async () => {
  const apply = await load(
    { lock: 'a', change: { id: 1, answer: 'processed' } },
    { lock: 'b', change: { id: 2, answer: 'processed', fails: 2, code: '40P01' } },
  );
  expect(await retryConflicts(apply)).toMatchObject({ inserted: 2 });
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from applied`.execute(
    session.db,
  );
  expect(rows[0]?.count).toBe(2);
});

it.each([
  ['that never ends', { fails: 99, code: '40001' }, 4],
  ['of another kind', { fails: 99, code: '23505' }, 1],
])('a failure %s is told', async (_, failure, tries) => {
  const apply = await load({ lock: 'a', change: { id: 1, answer: 'processed', ...failure } });
  await expect(retryConflicts(apply)).rejects.toThrow('in the way');
  const { rows } = await sql<{ last: number }>`select last_value::int as last from tries`.execute(session.db);
  expect(rows[0]?.last).toBe(tries);
});
