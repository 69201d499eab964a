/** `floyo status`: lock, last runs, freshness of every source and account, what failed, backlog, rejects. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';
import { findHolder } from '@floyo/shared/lock';

import { type App, openAppDatabase, print } from '../app.ts';
import { readFailures, readFreshness } from '../freshness.ts';
import { formatStatus, type RunRow } from '../print/status.ts';
import { clockOf } from '../run.ts';

const RUNS_SHOWN = 10;

export async function statusCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app);
  const { session, warnings } = database;
  const holder = await findHolder(session.db);
  const now = clockOf(app.settings.config.now)().epochMilliseconds;
  const status = {
    lock: holder && { run_id: holder.run_id, holder: holder.kind, since: holder.since, pid: holder.pid },
    runs: await listRuns(session),
    sources: await readFreshness(session, app.settings, now),
    failures: await readFailures(session, app.settings),
    ...(await countBacklog(session)),
    warnings,
  };
  print(app, status, formatStatus(status, app.streams.stdout));
  return 0;
}

async function listRuns(session: Session): Promise<RunRow[]> {
  const { rows } = await sql<RunRow>`
    select r.id as run_id, r.kind, r.status, r.started_at, r.finished_at,
      (select count(*)::int from ops.errors e where e.run_id = r.id) as errors
    from ops.runs r order by r.started_at desc limit ${RUNS_SHOWN}`.execute(session.db);
  return rows;
}

async function countBacklog(session: Session): Promise<{ dirty: number; rejected: number }> {
  const { rows } = await sql<{ dirty: number; rejected: number }>`
    select (select count(*)::int from ops.dirty_marks) as dirty,
      (select count(*)::int from ops.rejected_records where resolved_at is null) as rejected`.execute(
    session.db,
  );
  return rows[0] ?? { dirty: 0, rejected: 0 };
}
