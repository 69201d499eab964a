/**
 * One run writes at a time: a Postgres advisory lock on a connection of its own says who, and the fence makes sure.
 * The fence is a row whose token the holder bumps; every write transaction locks it `for share` with the token it was
 * given, so a run that lost its lock finds another token and can't write, and the next holder waits for a write that
 * is under way. (`for key share` would not hold back the bump.)
 */
import { sql } from 'kysely';

import { type Database, type Session, sqlState, type Transaction } from './db.ts';
import { ConfigError, LockLostError, PipelineError } from './errors.ts';

/** First key of the advisory locks, in ASCII: 'FLOY' for the lock itself, 'FLOR' for "this run is alive". */
const LOCK_CLASS = 0x464c4f59;
const ALIVE_CLASS = 0x464c4f52;
const LOCK_OBJECT = 1;
const LOCK_NOT_AVAILABLE = '55P03';
const SERIALIZATION_FAILURE = '40001';
/** How late a run that waits for the lock notices that it was stopped. */
const WAIT_SLICE_MS = 500;

/** Runs `work` in a transaction that holds the fence. Throws LockLostError when another run has taken over. */
export type Write = <T>(
  work: (trx: Transaction<Database>) => Promise<T>,
  options?: { readonly isolationLevel?: 'repeatable read' },
) => Promise<T>;

export interface LockHolder {
  readonly run_id: string | null;
  readonly kind: string | null;
  readonly since: string | null;
  readonly pid: number;
}

export interface RunLock {
  readonly token: string;
  /** Makes the Write of a session that shares this lock. */
  fenced(session: Session): Write;
  /** Whether another session waits for the lock. */
  hasWaiters(): Promise<boolean>;
  /**
   * Gives the lock to whoever waits for it and takes it back afterwards. True when somebody had waited.
   * @throws the signal's reason when that aborts first; the lock is then not held.
   */
  yieldToWaiters(signal?: AbortSignal): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Refuses a database behind a transaction-mode pooler, found by behaviour: two sessions have one server connection
 * each, always the same one and not each other's. A pooler may hand out the same ones for a while, in whatever order:
 * so both ask several times, one after the other and one inside a transaction of the other.
 * @throws ConfigError naming what to use instead.
 */
export async function assertSessionMode(first: Session, second: Session): Promise<void> {
  const owners = new Map<number, Session>();
  const check = (owner: Session, pid: number) => {
    const known = owners.get(pid) === owner || (!owners.has(pid) && ![...owners.values()].includes(owner));
    owners.set(pid, owner);
    if (known) return;
    throw new ConfigError([
      {
        variable: 'DATABASE_URL',
        message:
          "goes through a transaction-mode pooler, which can't hold a lock: use the direct connection or the pooler in session mode (Supabase: the same pooler host with port 5432 instead of 6543)",
      },
    ]);
  };
  for (let attempt = 0; attempt < 4; attempt++) {
    // First without a transaction: behind a pooler with a single connection the other would wait for ever.
    check(first, await backendPid(first.db));
    check(second, await backendPid(second.db));
    await second.db.transaction().execute(async (trx) => {
      check(second, await backendPid(trx));
      check(first, await backendPid(first.db));
    });
    check(second, await backendPid(second.db));
  }
}

async function backendPid(db: Session['db'] | Transaction<Database>): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  return rows[0]?.pid ?? 0;
}

/** Who holds the lock now, or null. */
export async function findHolder(db: Session['db']): Promise<LockHolder | null> {
  const { rows } = await sql<LockHolder>`
    select f.run_id, r.kind, f.acquired_at as since, l.pid
    from pg_locks l
    left join ops.fence f on f.pid = l.pid
    left join ops.runs r on r.id = f.run_id
    where l.locktype = 'advisory' and l.classid = ${LOCK_CLASS} and l.objid = ${LOCK_OBJECT} and l.objsubid = 2
      and l.database = (select oid from pg_database where datname = current_database()) and l.granted`.execute(
    db,
  );
  return rows[0] ?? null;
}

/** Ends the session that holds the lock (`floyo unlock --force`). True when there was one and it could be ended. */
export async function terminateHolder(db: Session['db'], holder: LockHolder): Promise<boolean> {
  const { rows } = await sql<{ ended: boolean }>`select pg_terminate_backend(${holder.pid}) as ended`.execute(
    db,
  );
  return rows[0]?.ended ?? false;
}

/**
 * Takes the lock on `session`, which then belongs to it.
 * @param waitMs 0 to give up at once, else how long to wait.
 * @param signal ends the waiting.
 * @returns null when it stayed taken.
 * @throws the signal's reason when that aborts first.
 */
export async function acquireLock(
  session: Session,
  runId: string,
  waitMs: number,
  signal?: AbortSignal,
): Promise<RunLock | null> {
  await sql`select pg_advisory_lock(${ALIVE_CLASS}, hashtext(${runId}))`.execute(session.db);
  let taken = false;
  try {
    taken = await take(session, waitMs, signal);
  } finally {
    if (!taken && !session.lost.aborted)
      await sql`select pg_advisory_unlock(${ALIVE_CLASS}, hashtext(${runId}))`.execute(session.db);
  }
  if (!taken) return null;
  let token = await bumpFence(session, runId);
  let givenAway: Promise<void> | undefined;
  await interruptDeadRuns(session, runId);

  return {
    get token() {
      return token;
    },
    fenced: (writer) => async (work, options) => {
      for (;;) {
        await givenAway?.catch(() => undefined);
        const held = token;
        const builder = writer.db.transaction();
        const begun = options?.isolationLevel ? builder.setIsolationLevel(options.isolationLevel) : builder;
        const done = await begun.execute(async (trx) =>
          (await holdFence(trx, held)) ? { result: await work(trx) } : undefined,
        );
        if (done !== undefined) return done.result;
        // Given away by this very run, between two windows: a write of another account waits until it is back.
        if (givenAway === undefined && token === held)
          throw new LockLostError('The lock was lost: another run has taken over', {
            run_id: runId,
            fence: held,
          });
      }
    },
    hasWaiters: () => hasWaiters(session),
    async yieldToWaiters(signal) {
      if (!(await hasWaiters(session))) return false;
      givenAway = (async () => {
        await unlock(session);
        // Postgres queues waiters in order: this returns after those who waited have finished.
        await take(session, Infinity, signal);
        token = await bumpFence(session, runId);
      })();
      try {
        await givenAway;
      } finally {
        givenAway = undefined;
      }
      return true;
    },
    async release() {
      await unlock(session);
      await sql`select pg_advisory_unlock(${ALIVE_CLASS}, hashtext(${runId}))`.execute(session.db);
    },
  };
}

async function hasWaiters({ db }: Session): Promise<boolean> {
  const { rows } = await sql`
    select 1 from pg_locks where locktype = 'advisory' and classid = ${LOCK_CLASS} and objid = ${LOCK_OBJECT}
      and database = (select oid from pg_database where datname = current_database()) and not granted`.execute(
    db,
  );
  return rows.length > 0;
}

/** Locks the fence's row for the transaction. False when its token is another one by now. */
async function holdFence(trx: Transaction<Database>, token: string): Promise<boolean> {
  try {
    const { rows } = await sql`select 1 from ops.fence where token = ${token} for share`.execute(trx);
    return rows.length > 0;
  } catch (error) {
    // A transaction with one snapshot does not get to see a bump that came while it waited for the row.
    if (sqlState(error) === SERIALIZATION_FAILURE) return false;
    throw error;
  }
}

/** Waits in slices when it may be aborted: a wait inside Postgres can't be. */
async function take(session: Session, waitMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal === undefined || waitMs === 0) return takeWithin(session, waitMs);
  for (let left = waitMs; left > 0; left -= WAIT_SLICE_MS) {
    signal.throwIfAborted();
    if (await takeWithin(session, Math.min(left, WAIT_SLICE_MS))) return true;
  }
  signal.throwIfAborted();
  return false;
}

async function takeWithin(session: Session, waitMs: number): Promise<boolean> {
  if (waitMs === 0) {
    const { rows } = await sql<{ taken: boolean }>`
      select pg_try_advisory_lock(${LOCK_CLASS}, ${LOCK_OBJECT}) as taken`.execute(session.db);
    return rows[0]?.taken ?? false;
  }
  const timeout = Number.isFinite(waitMs) ? `${Math.ceil(waitMs)}ms` : '0';
  await sql`select set_config('lock_timeout', ${timeout}, false)`.execute(session.db);
  try {
    await sql`select pg_advisory_lock(${LOCK_CLASS}, ${LOCK_OBJECT})`.execute(session.db);
    return true;
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return false;
    throw error;
  } finally {
    if (!session.lost.aborted) await sql`select set_config('lock_timeout', '0', false)`.execute(session.db);
  }
}

async function unlock(session: Session): Promise<void> {
  await sql`select pg_advisory_unlock(${LOCK_CLASS}, ${LOCK_OBJECT})`.execute(session.db);
}

/** Waits for a write that is under way elsewhere, then shuts out every earlier token. */
async function bumpFence(session: Session, runId: string): Promise<string> {
  const { rows } = await sql<{ token: string }>`
    update ops.fence set token = token + 1, run_id = ${runId}, pid = pg_backend_pid(), acquired_at = now()
    returning token`.execute(session.db);
  const token = rows[0]?.token;
  if (token === undefined)
    throw new PipelineError({
      type: 'lock',
      message: 'ops.fence has no row',
      advice: 'Somebody deleted it. Run: insert into ops.fence (token) values (0);',
    });
  // Another run may have taken this one for dead before it could say that it lives.
  await sql`update ops.runs set fence = ${token}, status = 'running', finished_at = null where id = ${runId}`.execute(
    session.db,
  );
  return token;
}

/** A run left `running` whose process no longer holds its "alive" lock is dead. */
async function interruptDeadRuns(session: Session, runId: string): Promise<void> {
  await sql`
    update ops.runs r set status = 'interrupted', finished_at = now()
    where r.status = 'running' and r.id <> ${runId} and not exists (
      select 1 from pg_locks l
      where l.locktype = 'advisory' and l.classid = ${ALIVE_CLASS} and l.objid::bigint = (hashtext(r.id::text)::bigint & 4294967295)
        and l.database = (select oid from pg_database where datname = current_database()))`.execute(
    session.db,
  );
}
