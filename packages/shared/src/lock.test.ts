import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { connect, type Session } from './db.ts';
import { ConfigError, LockLostError, PipelineError } from './errors.ts';
import { startRun } from './ledger.ts';
import { acquireLock, assertSessionMode, findHolder, terminateHolder } from './lock.ts';
import { createRedactor } from './redact.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';
import { containing, matching } from './testing/matchers.ts';
import { type HandOut, startTransactionPooler } from './testing/transaction-pooler.ts';

let database: TestDatabase;
let admin: Session;
const opened: Session[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  admin = await connect(database.url);
  await sql`create table written (by text)`.execute(admin.db);
});

afterEach(async () => {
  for (const session of opened.splice(0)) await session.end();
  await sql`truncate written, ops.runs cascade`.execute(admin.db);
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

/** The sessions of a run that has begun and does not hold the lock yet. */
async function begin(kind: 'manual' | 'backfill' = 'manual') {
  const session = await connect(database.url);
  const lockSession = await connect(database.url);
  opened.push(session, lockSession);
  const ledger = await startRun(session, kind, createRedactor([]));
  const take = async (waitMs = 0, signal?: AbortSignal) =>
    acquireLock(lockSession, ledger.runId, waitMs, signal);
  const hold = async () => {
    const lock = await take();
    if (lock === null) throw new Error('the lock is taken');
    return { lock, write: lock.fenced(session) };
  };
  return { session, lockSession, ledger, runId: ledger.runId, take, hold };
}

const statusOf = async (runId: string) =>
  (await admin.db.selectFrom('ops.runs').select('status').where('id', '=', runId).executeTakeFirst())?.status;

const written = async () =>
  (await sql<{ by: string }>`select by from written order by by`.execute(admin.db)).rows.map((row) => row.by);

/** Resolves when `count` sessions wait for a lock of this database. */
async function waitForWaiters(count: number): Promise<void> {
  for (;;) {
    const { rows } = await sql<{ waiting: number }>`
      select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(
      admin.db,
    );
    if (rows[0]?.waiting === count) return;
  }
}

async function kill(session: Session): Promise<void> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(session.db);
  await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(admin.db);
}

describe('I4: one holder', () => {
  test('I4: a second run gets no lock, and sees who holds it since when', async () => {
    const [first, second] = [await begin('backfill'), await begin()];
    const { lock } = await first.hold();
    expect(await second.take()).toBeNull();
    expect(await findHolder(admin.db)).toMatchObject({
      run_id: first.runId,
      kind: 'backfill',
      since: matching(/Z$/),
    });
    await lock.release();
    expect(await findHolder(admin.db)).toBeNull();
    expect(await second.take()).not.toBeNull();
  });

  test('I4: of many at the same instant exactly one gets it', async () => {
    const runs = await Promise.all(Array.from({ length: 6 }, () => begin()));
    const locks = await Promise.all(runs.map((run) => run.take()));
    expect(locks.filter((lock) => lock !== null)).toHaveLength(1);
  });

  test('I4: who waits gets it when it is released, or gives up in time with no trace', async () => {
    const [first, second, third] = [await begin(), await begin(), await begin()];
    const { lock } = await first.hold();
    expect(await third.take(30)).toBeNull();
    const waiting = second.take(10_000);
    await waitForWaiters(1);
    await lock.release();
    expect(await waiting).not.toBeNull();
    // The time limit was for the lock alone.
    const { rows } = await sql`select current_setting('lock_timeout') as limit`.execute(
      second.lockSession.db,
    );
    expect(rows).toEqual([{ limit: '0' }]);
    expect(await third.take()).toBeNull();
  });

  test('a run that is stopped stops waiting', async () => {
    const [first, second] = [await begin(), await begin()];
    await first.hold();
    const stop = new AbortController();
    const waiting = second.take(600_000, stop.signal);
    await waitForWaiters(1);
    const reason = new PipelineError({ type: 'internal', message: 'Stopped by SIGINT' });
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('I4: the fence', () => {
  test.each([undefined, { isolationLevel: 'repeatable read' as const }])(
    'I4: a run whose lock was stolen can write nothing more (%j)',
    async (options) => {
      const [first, second] = [await begin(), await begin()];
      const { write } = await first.hold();
      await write((trx) => sql`insert into written values ('first')`.execute(trx), options);
      await kill(first.lockSession);
      expect(first.lockSession.lost.aborted).toBe(true);
      const thief = await second.hold();
      let ran = false;
      const late = write(async (trx) => {
        ran = true;
        await sql`insert into written values ('late')`.execute(trx);
      }, options);
      await expect(late).rejects.toBeInstanceOf(LockLostError);
      await expect(late).rejects.toMatchObject({ severity: 'P0', type: 'lock' });
      expect(ran).toBe(false);
      await thief.write((trx) => sql`insert into written values ('second')`.execute(trx), options);
      expect(await written()).toEqual(['first', 'second']);
      expect(await statusOf(first.runId)).toBe('interrupted');
    },
  );

  test('I4: the next holder waits for a write that is under way, and that write is whole', async () => {
    const [first, second] = [await begin(), await begin()];
    const { write } = await first.hold();
    const inside = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const writing = write(async (trx) => {
      inside.resolve(undefined);
      await goOn.promise;
      await sql`insert into written values ('first')`.execute(trx);
    });
    await inside.promise;
    await kill(first.lockSession);
    let taken = false;
    const taking = second.take().then((lock) => {
      taken = true;
      return lock;
    });
    await waitForWaiters(1);
    expect(taken).toBe(false);
    goOn.resolve(undefined);
    await writing;
    expect(await taking).not.toBeNull();
    expect(await written()).toEqual(['first']);
  });

  test('I4: a write that waited while the lock changed hands writes nothing', async () => {
    const [first, second] = [await begin(), await begin()];
    const { write } = await first.hold();
    await kill(first.lockSession);
    const bumped = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const bump = second.session.db.transaction().execute(async (trx) => {
      await sql`update ops.fence set token = token + 1`.execute(trx);
      bumped.resolve(undefined);
      await goOn.promise;
    });
    await bumped.promise;
    const late = ['read committed', 'repeatable read'].map((level, index) => {
      const isolation = index === 0 ? undefined : { isolationLevel: 'repeatable read' as const };
      return expect(
        write((trx) => sql`insert into written values (${level})`.execute(trx), isolation),
      ).rejects.toBeInstanceOf(LockLostError);
    });
    await waitForWaiters(1);
    goOn.resolve(undefined);
    await bump;
    await Promise.all(late);
    expect(await written()).toEqual([]);
  });

  test('`unlock --force` ends the holder', async () => {
    const first = await begin();
    await first.hold();
    const holder = await findHolder(admin.db);
    if (holder === null) throw new Error('nobody holds it');
    const ended = new Promise((resolve) => first.lockSession.lost.addEventListener('abort', resolve));
    expect(await terminateHolder(admin.db, holder)).toBe(true);
    await ended;
    expect(await (await begin()).take(5_000)).not.toBeNull();
  });
});

describe('I4: yielding', () => {
  test('I4: hands the lock to who waits, takes it back with a new token, and can write again', async () => {
    const [backfill, tick] = [await begin('backfill'), await begin()];
    const { lock, write } = await backfill.hold();
    const before = lock.token;
    expect(await lock.yieldToWaiters()).toBe(false);
    expect(lock.token).toBe(before);
    const waiting = tick.take(10_000);
    await waitForWaiters(1);
    const yielding = lock.yieldToWaiters(new AbortController().signal);
    const theirs = await waiting;
    expect(theirs).not.toBeNull();
    await waitForWaiters(1);
    // Its process lives, so it is no dead run, though the lock is another's.
    expect(await statusOf(backfill.runId)).toBe('running');
    await theirs?.fenced(tick.session)((trx) => sql`insert into written values ('tick')`.execute(trx));
    await theirs?.release();
    expect(await yielding).toBe(true);
    expect(lock.token).not.toBe(before);
    expect(lock.token).not.toBe(theirs?.token);
    await write((trx) => sql`insert into written values ('backfill')`.execute(trx));
    expect(await written()).toEqual(['backfill', 'tick']);
  });

  test('a write that comes while it is given away waits until it is back', async () => {
    const [backfill, tick] = [await begin('backfill'), await begin()];
    const { lock, write } = await backfill.hold();
    const waiting = tick.take(10_000);
    await waitForWaiters(1);
    const yielding = lock.yieldToWaiters();
    const theirs = await waiting;
    await waitForWaiters(1);
    const late = write((trx) => sql`insert into written values ('backfill')`.execute(trx));
    await theirs?.fenced(tick.session)((trx) => sql`insert into written values ('tick')`.execute(trx));
    expect(await written()).toEqual(['tick']);
    await theirs?.release();
    await Promise.all([yielding, late]);
    expect(await written()).toEqual(['backfill', 'tick']);
  });

  test('when who waited has given up, it keeps the lock; when who got it dies, it has it back', async () => {
    const [backfill, tick] = [await begin('backfill'), await begin()];
    const { lock, write } = await backfill.hold();
    const before = lock.token;
    expect(await tick.take(30)).toBeNull();
    expect(await lock.yieldToWaiters()).toBe(false);
    expect(lock.token).toBe(before);
    const waiting = tick.take(10_000);
    await waitForWaiters(1);
    const yielding = lock.yieldToWaiters();
    await waiting;
    await kill(tick.lockSession);
    expect(await yielding).toBe(true);
    await write((trx) => sql`insert into written values ('backfill')`.execute(trx));
    expect(await findHolder(admin.db)).toMatchObject({ run_id: backfill.runId });
  });

  test('stopped while another run has the lock, it stops waiting and can write nothing', async () => {
    const [backfill, tick] = [await begin('backfill'), await begin()];
    const { lock, write } = await backfill.hold();
    const waiting = tick.take(10_000);
    await waitForWaiters(1);
    const stop = new AbortController();
    const yielding = lock.yieldToWaiters(stop.signal);
    await waiting;
    const reason = new PipelineError({ type: 'internal', message: 'Stopped by SIGTERM' });
    stop.abort(reason);
    await expect(yielding).rejects.toBe(reason);
    await expect(write(() => Promise.resolve())).rejects.toBeInstanceOf(LockLostError);
    await lock.release();
    expect(await findHolder(admin.db)).toMatchObject({ run_id: tick.runId });
  });
});

describe('runs of dead processes', () => {
  test('are marked interrupted by the next run, whatever their id; runs that live are not', async () => {
    // Ids whose hash is negative, and positive: the lock's number in pg_locks is unsigned.
    const { rows } = await sql<{ id: string; negative: boolean }>`
      insert into ops.runs (kind, status) select 'manual', 'running' from generate_series(1, 12)
      returning id, hashtext(id::text) < 0 as negative`.execute(admin.db);
    expect(new Set(rows.map(({ negative }) => negative)).size).toBe(2);
    const alive = rows.slice(0, 6);
    const living = await connect(database.url);
    opened.push(living);
    for (const { id } of alive)
      await sql`select pg_advisory_lock(${0x464c4f52}, hashtext(${id}))`.execute(living.db);
    await (await begin()).hold();
    for (const { id } of rows)
      expect(await statusOf(id)).toBe(alive.some((run) => run.id === id) ? 'running' : 'interrupted');
  });

  test('a run that waits for the lock is alive', async () => {
    const [first, second] = [await begin(), await begin()];
    const { lock } = await first.hold();
    const waiting = second.take(10_000);
    await waitForWaiters(1);
    await lock.release();
    await waiting;
    expect(await statusOf(second.runId)).toBe('running');
  });

  test('a run that was taken for dead before it could take the lock is running again, and can end otherwise', async () => {
    const [early, other] = [await begin(), await begin()];
    const { lock } = await other.hold();
    expect(await statusOf(early.runId)).toBe('interrupted');
    await lock.release();
    await early.hold();
    expect(await statusOf(early.runId)).toBe('running');
    await early.ledger.finish('succeeded', {});
    const late = await begin();
    await sql`update ops.runs set status = 'interrupted' where id = ${late.runId}`.execute(admin.db);
    await late.ledger.finish('skipped', {});
    expect(await statusOf(late.runId)).toBe('skipped');
  });
});

describe('I4: a database that can hold no lock', () => {
  test.each<[HandOut, number]>([
    ['last', 3],
    ['first', 2],
    ['first', 3],
    ['first', 4],
    ['random', 4],
    ['last', 1],
  ])(
    'I4: a transaction-mode pooler that hands out the %s of %d connections is refused',
    async (handOut, size) => {
      const pooler = await startTransactionPooler(database.url, { size, handOut });
      const first = await connect(pooler.url);
      const second = await connect(pooler.url);
      try {
        const refused = assertSessionMode(first, second);
        await expect(refused).rejects.toBeInstanceOf(ConfigError);
        await expect(refused).rejects.toMatchObject({
          problems: [{ variable: 'DATABASE_URL', message: containing('port 5432 instead of 6543') }],
        });
      } finally {
        await first.end();
        await second.end();
        await pooler.close();
      }
    },
  );

  test('a direct connection passes', async () => {
    const { session, lockSession } = await begin();
    await expect(assertSessionMode(lockSession, session)).resolves.toBeUndefined();
  });
});
