/** The tables of events: months made ahead and closed to end users, marks whoever writes, retention. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { connect, type Session } from './db.ts';
import { createLoader } from './load.ts';
import { dropRetired, listRetired, retireEvents } from './retention.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';
import { startTestRun } from './testing/test-run.ts';
import { createAdsSource, createWorld, streamOf } from './testing/test-sources.ts';

let database: TestDatabase;
let session: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  await sql`select ops.ensure_event_partitions('2026-10-01', '2026-12-31')`.execute(session.db);
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

beforeEach(async () => {
  await sql`truncate events, event_user_days, ops.dirty_marks`.execute(session.db);
  await sql`truncate ops.dirty_marks`.execute(session.db);
});

const event = (id: string, day: string, user: string | null = 'ada', name = 'signup', properties = {}) => ({
  external_id: `posthog:${id}`,
  date: day,
  source: 'posthog',
  event: name,
  distinct_id: user ?? 'device',
  user_id: user,
  occurred_at: `${day}T10:00:00Z`,
  properties,
});

async function insert(into: string, ...events: ReturnType<typeof event>[]): Promise<void> {
  await sql`
    insert into ${sql.table(into)} (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
    select * from jsonb_to_recordset(${JSON.stringify(events)}::jsonb)
      as e (external_id text, date date, source text, event text, distinct_id text, user_id text, occurred_at timestamptz, properties jsonb)`.execute(
    session.db,
  );
}

/** Marks since the last call, without their ids. */
async function marks(): Promise<object[]> {
  const { rows } = await sql<object>`
    with taken as (delete from ops.dirty_marks returning *)
    select distinct kind, table_name, day, key, event from taken order by kind, day, key`.execute(session.db);
  return rows;
}

const day = (date: string) => ({ kind: 'day', table_name: 'events', day: date, key: null, event: null });
const user = (key: string, date: string, name = 'signup') => ({
  kind: 'user',
  table_name: 'events',
  day: date,
  key,
  event: name,
});

test('I9: inserts, changes and deletions mark their days and their users, through the table and past it', async () => {
  await insert(
    'events',
    event('1', '2026-11-20'),
    event('2', '2026-11-20', null),
    event('3', '2026-10-02', 'bob'),
  );
  expect(await marks()).toEqual([
    day('2026-10-02'),
    day('2026-11-20'),
    user('bob', '2026-10-02'),
    user('ada', '2026-11-20'),
  ]);
  await sql`update events set synced_at = now(), run_id = gen_random_uuid()`.execute(session.db);
  expect(await marks(), 'who loaded a row and when is no change').toEqual([]);
  await sql`update events set properties = '{"a": 1}' where external_id = 'posthog:2'`.execute(session.db);
  expect(await marks()).toEqual([day('2026-11-20')]);
  await sql`update events set user_id = 'eve' where external_id = 'posthog:1'`.execute(session.db);
  expect(await marks()).toEqual([day('2026-11-20'), user('ada', '2026-11-20'), user('eve', '2026-11-20')]);
  await insert('events_2026_11', event('4', '2026-11-21', null));
  await sql`delete from events_2026_10`.execute(session.db);
  expect(await marks()).toEqual([day('2026-10-02'), day('2026-11-21'), user('bob', '2026-10-02')]);
  await sql`truncate events`.execute(session.db);
  expect(await marks()).toEqual([day('2026-11-20'), day('2026-11-21'), user('eve', '2026-11-20')]);
});

test('the daily counts mark their days', async () => {
  await sql`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    values ('posthog:a:x', '2026-11-20', 'posthog', 'a', 'a', 'x', 1, now(), now())`.execute(session.db);
  await sql`update event_user_days set count = 2`.execute(session.db);
  await sql`delete from event_user_days`.execute(session.db);
  expect(await marks()).toEqual([{ ...day('2026-11-20'), table_name: 'event_user_days' }]);
});

test('months that are made later are as closed as their table, and one that nobody made takes no row', async () => {
  const { rows: made } = await sql<{ made: number }>`
    select ops.ensure_event_partitions('2025-12-31', '2026-01-01') as made`.execute(session.db);
  expect(made).toEqual([{ made: 4 }]);
  const { rows } = await sql<{ relname: string; open: boolean }>`
    select c.relname, not c.relrowsecurity or has_table_privilege('authenticated', c.oid, 'select')
      or has_table_privilege('anon', c.oid, 'insert') as open
    from pg_class c where c.relkind in ('r', 'p') and c.relname ~ '^event(s|_user_days)(_20|$)' order by 1`.execute(
    session.db,
  );
  expect(rows.map(({ relname }) => relname)).toContain('events_2026_01');
  expect(rows.filter(({ open }) => open)).toEqual([]);
  await expect(insert('events', event('1', '2019-01-01'))).rejects.toThrow('no partition');
});

test('retention takes months out and drops nothing; a load of such a month puts it back; dropping is a command', async () => {
  await sql`select ops.ensure_event_partitions('2024-01-01', '2024-02-29')`.execute(session.db);
  await insert('events', event('1', '2024-01-31'), event('2', '2024-02-01'), event('3', '2026-11-20'));
  await marks();
  await using test = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  expect(await retireEvents(test.run.write, '2024-03-01')).toEqual([
    'event_user_days_2024_01',
    'events_2024_01',
    'event_user_days_2024_02',
    'events_2024_02',
  ]);
  expect(await marks(), 'metrics of those days stay').toEqual([]);
  const count = async (table: string) =>
    (await sql<{ n: number }>`select count(*)::int as n from ${sql.table(table)}`.execute(session.db)).rows[0]
      ?.n;
  expect([await count('events'), await count('events_2024_01')]).toEqual([1, 1]);
  expect((await listRetired(session)).map(({ partition }) => partition)).toHaveLength(4);

  const { parent, ...stream } = streamOf(createAdsSource(createWorld({})));
  const loader = await createLoader(session, { ...stream, parent: { ...parent, table: 'events' } });
  await loader.clear();
  await loader.add({ events: [event('4', '2024-01-15')] });
  await loader.flush();
  const window = { from: '2024-01-15', to: '2024-01-16' };
  const load = () =>
    session.db.transaction().execute((trx) =>
      loader.apply(trx, {
        scope: { source: 'posthog' },
        runId: test.run.ledger.runId,
        replace: { window, keep: [] },
      }),
    );
  expect(await load()).toEqual({ inserted: 1, updated: 0, unchanged: 0, deleted: 0 });
  expect(await load()).toEqual({ inserted: 0, updated: 0, unchanged: 1, deleted: 0 });
  expect(await count('events')).toBe(3);

  await expect(dropRetired(session, 'events_2024_01')).rejects.toThrow('not a retired partition');
  await expect(dropRetired(session, 'events')).rejects.toThrow('not a retired partition');
  await dropRetired(session, 'events_2024_02');
  expect((await listRetired(session)).map(({ partition }) => partition)).toEqual(['event_user_days_2024_02']);
  expect(await count('events')).toBe(3);
});
