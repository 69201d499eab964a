/**
 * Retention: the ledger's old rows go, so that a pipeline that runs every hour for years does not drag them along.
 * Runs with their results and errors, and records set aside that are resolved. Coverage, state and data stay for ever,
 * but for months of events where that is configured: they leave their table, and are dropped on command alone.
 */
import { sql } from 'kysely';

import { type Session, sqlState } from './db.ts';
import type { Write } from './lock.ts';
import type { Day } from './window.ts';

/** What was deleted. Results and errors go with their run. */
export interface Forgotten {
  readonly runs: number;
  readonly errors: number;
  readonly rejects: number;
}

/** Rows of one transaction: a few milliseconds, so that nobody waits behind it. */
const BATCH = 200;
/** A run leaves the rest to the next one: years of backlog are no reason to run for minutes. */
const MAX_BATCHES = 25;

/**
 * Deletes what ended more than `days` days ago by the database's clock, which also wrote the times. In small
 * transactions, each holding the fence; safe to break off anywhere.
 * @throws LockLostError when another run has taken over.
 */
export async function forgetOldRows(write: Write, days: number): Promise<Forgotten> {
  const before = sql`now() - make_interval(days => ${days})`;
  return {
    runs: await deleteInBatches(
      write,
      (limit) => sql`
      delete from ops.runs where id in (
        select id from ops.runs where status <> 'running' and coalesce(finished_at, started_at) < ${before}
        order by started_at limit ${limit})`,
    ),
    // Those without a run.
    errors: await deleteInBatches(
      write,
      (limit) => sql`
      delete from ops.errors where id in (
        select id from ops.errors where run_id is null and occurred_at < ${before} order by id limit ${limit})`,
    ),
    rejects: await deleteInBatches(
      write,
      (limit) => sql`
      delete from ops.rejected_records where id in (
        select id from ops.rejected_records where resolved_at < ${before} order by id limit ${limit})`,
    ),
  };
}

async function deleteInBatches(
  write: Write,
  statement: (limit: number) => ReturnType<typeof sql>,
): Promise<number> {
  let deleted = 0;
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const { numAffectedRows = 0n } = await write((trx) => statement(BATCH).execute(trx));
    deleted += Number(numAffectedRows);
    if (numAffectedRows < BATCH) break;
  }
  return deleted;
}

/** SQLSTATE of a lock that was not to be had in time. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Takes the months of events that end on or before `before` out of their tables; nothing is deleted. Taking one out needs
 * the table for itself for a moment: when somebody reads it for long, that is left to the next run.
 * @returns the months that were taken out, e.g. `events_2025_01`.
 */
export async function retireEvents(write: Write, before: Day): Promise<string[]> {
  try {
    return await write(async (trx) => {
      await sql`set local lock_timeout = '2s'`.execute(trx);
      const { rows } = await sql<{ partition: string }>`
        select ops.detach_event_partitions(${before}::date) as partition`.execute(trx);
      return rows.map(({ partition }) => partition);
    });
  } catch (error) {
    if (sqlState(error) === LOCK_NOT_AVAILABLE) return [];
    throw error;
  }
}

/** A month of events that is a table of its own now. */
export interface RetiredMonth {
  readonly partition: string;
  readonly from_day: Day;
  readonly to_day: Day;
  readonly detached_at: string;
  /** About how many rows, as the planner believes, and what they take on disk, in bytes. */
  readonly rows: string;
  readonly bytes: string;
}

/** The months that were taken out and not dropped yet, oldest first. */
export async function listRetired(session: Session): Promise<RetiredMonth[]> {
  const { rows } = await sql<RetiredMonth>`
    select r.partition, r.from_day, r.to_day, r.detached_at, greatest(c.reltuples, 0)::bigint as rows, pg_total_relation_size(c.oid) as bytes
    from ops.retired_partitions r
    join pg_class c on c.relname = r.partition and c.relnamespace = 'public'::regnamespace
    where r.dropped_at is null order by r.from_day, r.partition`.execute(session.db);
  return rows;
}

/** Drops one of them, for good. */
export async function dropRetired(session: Session, partition: string): Promise<void> {
  await sql`select ops.drop_retired_partition(${partition})`.execute(session.db);
}
