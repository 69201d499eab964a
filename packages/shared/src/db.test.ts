import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connect, sqlState } from './db.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';
import { matching } from './testing/matchers.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
});

afterAll(() => database.drop());

test('days, numerics and 64-bit integers are text, instants are ISO texts in UTC', async () => {
  const session = await connect(database.url);
  const { rows } =
    await sql`select date '2026-03-29' as day, 1.10::numeric as amount, 9007199254740993::bigint as count,
    timestamptz '2026-03-29 03:00:00.123456+02' as at, timestamptz 'infinity' as never, 7 as small`.execute(
      session.db,
    );
  expect(rows).toEqual([
    {
      day: '2026-03-29',
      amount: '1.10',
      count: '9007199254740993',
      at: '2026-03-29T01:00:00.123456Z',
      never: 'infinity',
      small: 7,
    },
  ]);
  await session.end();
  expect(session.lost.aborted).toBe(false);
});

test('a limit on statements that the database sets does not break off what the pipeline does', async () => {
  const first = await connect(database.url);
  const name = new URL(database.url).pathname.slice(1);
  await sql`alter database ${sql.id(name)} set statement_timeout = '40ms'`.execute(first.db);
  const session = await connect(database.url);
  const { rows } = await sql`show statement_timeout`.execute(session.db);
  expect(rows).toEqual([{ statement_timeout: '0' }]);
  await sql`alter database ${sql.id(name)} reset statement_timeout`.execute(first.db);
  await session.end();
  await first.end();
});

test('calls on a session take turns: nothing slips into a transaction that is open', async () => {
  const session = await connect(database.url);
  await sql`create table turns (who text)`.execute(session.db);
  const goOn = Promise.withResolvers<undefined>();
  const failing = session.db.transaction().execute(async (trx) => {
    await sql`insert into turns values ('inside')`.execute(trx);
    await goOn.promise;
    throw new Error('rolled back');
  });
  const outside = sql`insert into turns values ('outside')`.execute(session.db);
  const copied = session.copyFrom('copy turns (who) from stdin', 'copied\n');
  goOn.resolve(undefined);
  await expect(failing).rejects.toThrow('rolled back');
  await Promise.all([outside, copied]);
  const { rows } = await sql`select who from turns order by who`.execute(session.db);
  expect(rows).toEqual([{ who: 'copied' }, { who: 'outside' }]);
  await session.end();
});

test('when a statement tells of the end of the session, the session is known to be lost', async () => {
  const session = await connect(database.url);
  const error = await sql`select pg_terminate_backend(pg_backend_pid())`
    .execute(session.db)
    .catch((thrown: unknown) => thrown);
  expect(session.lost.aborted).toBe(true);
  expect(sqlState(error)).toBe('57P01');
  expect(session.lost.reason).toMatchObject({ type: 'load', severity: 'P0', retryable: true });
  await expect(sql`select 1`.execute(session.db)).rejects.toThrow();
  await session.end();
});

test('an error of a statement leaves the session', async () => {
  const session = await connect(database.url);
  const error = await sql`select 1 / 0`.execute(session.db).catch((thrown: unknown) => thrown);
  expect(sqlState(error)).toBe('22012');
  expect(session.lost.aborted).toBe(false);
  await session.end();
});

test('I12: a database that can not be reached is named without the password', async () => {
  const url = new URL(database.url);
  url.password = 'hunter2hunter2';
  url.pathname = '/nowhere';
  const error = await connect(url.href).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    type: 'load',
    severity: 'P0',
    message: matching(/127\.0\.0\.1:\d+\/nowhere can't be reached: .*does not exist/),
  });
  expect(String(error)).not.toContain('hunter2');
});
