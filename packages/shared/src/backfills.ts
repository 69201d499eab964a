/**
 * Which runs a backfill has had that is not done yet: `ops.runs.unfinished_backfill` names it. A day that one of them
 * was the last to read (`ops.coverage.run_id`) is done when the same command is given again; once the whole command is
 * done, its runs are forgotten and it reads everything anew.
 */
import { sql } from 'kysely';

import type { Database, Session, Transaction } from './db.ts';
import type { Write } from './lock.ts';
import type { DayWindow } from './window.ts';

/** What a backfill was asked for: whole days of one account, or of all that are configured. */
export interface Backfill {
  readonly window: DayWindow;
  readonly accountId?: string;
}

/**
 * What was read longer ago is read again, although the backfill is not done: it was given up, or one account of many can't
 * be read, and the others would keep their old figures for as long as that lasts.
 */
const REMEMBERED_DAYS = 30;

/** The same for the same command, e.g. `meta 2024-01-01..2024-07-01` or `meta/1010 2024-01-01..2024-07-01`. */
export function backfillName(source: string, { window, accountId }: Backfill): string {
  return `${source}${accountId === undefined ? '' : `/${accountId}`} ${window.from}..${window.to}`;
}

/** The runs that the backfill has had so far, oldest first; none once it was done. */
export async function listBackfillRuns(db: Session['db'], name: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from ops.runs where unfinished_backfill = ${name} order by started_at, id`.execute(db);
  return rows.map(({ id }) => id);
}

/** Says that the run is one of this backfill; not before it is clear that the backfill can be read at all. */
export async function rememberBackfill(
  trx: Transaction<Database>,
  runId: string,
  name: string,
): Promise<void> {
  await sql`
    update ops.runs set unfinished_backfill = ${name}
    where id = ${runId} and unfinished_backfill is distinct from ${name}`.execute(trx);
}

/** The backfill is done: the same command reads all of it again. */
export async function forgetBackfill(trx: Transaction<Database>, name: string): Promise<void> {
  await sql`update ops.runs set unfinished_backfill = null where unfinished_backfill = ${name}`.execute(trx);
}

/** Forgets old runs of backfills that never got done, by the database's clock, which also wrote the times. */
export async function forgetOldBackfills(write: Write): Promise<void> {
  await write((trx) =>
    sql`
      update ops.runs set unfinished_backfill = null
      where unfinished_backfill is not null and started_at < now() - make_interval(days => ${REMEMBERED_DAYS})`.execute(
      trx,
    ),
  );
}
