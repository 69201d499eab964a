/**
 * Retention: the ledger's old rows go, so that a pipeline that runs every hour for years does not drag them along.
 * Runs with their results and errors, and records set aside that are resolved. Coverage, state and data stay for ever.
 */
import { sql } from 'kysely';

import type { Write } from './lock.ts';

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
