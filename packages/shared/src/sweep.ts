/**
 * The daily sweep: compares the ids that the vendor has with those stored, and reads again what was missed, changed
 * unseen, or is unfinished. What the vendor no longer has is deleted, but only when it says so a second time, record by
 * record, and never many at once: a list that came short must not empty a table.
 */
import { sql } from 'kysely';

import type { Account, AnyStream, Io } from './connector.ts';
import { encodeRow } from './copy-text.ts';
import type { Session } from './db.ts';
import { PipelineError } from './errors.ts';
import { scopeCondition } from './sql-parts.ts';
import type { DayWindow } from './window.ts';

export interface SweepFindings {
  /** Records to read again: not stored, stored older, or unfinished. */
  readonly again: readonly string[];
  /** Stored records that the vendor's list lacks. */
  readonly gone: readonly string[];
  readonly listed: number;
}

/** More vanished records than this share of the window's are not believed. */
const MAX_GONE_SHARE = 0.05;
/** Below this many a share says nothing. */
const MAX_GONE_ALWAYS = 10;

/**
 * Reads the vendor's list of ids and compares. Reads nothing else and writes nothing but a temporary table.
 * @throws PipelineError (contract) when the list lacks too much to be believed.
 */
export async function findDifferences(
  session: Session,
  stream: AnyStream,
  account: Account,
  window: DayWindow,
  io: Io,
): Promise<SweepFindings> {
  const { sweep, parent } = stream;
  if (sweep === undefined || parent.newerThan === undefined)
    throw new TypeError(`${stream.name} declares no sweep, or no column that tells which version is newer`);
  await sql`create temp table if not exists swept (external_id text not null, updated_at timestamptz not null)`.execute(
    session.db,
  );
  await sql`truncate swept`.execute(session.db);
  for await (const page of sweep.readIds(account, window, io))
    await session.copyFrom(
      'copy pg_temp.swept (external_id, updated_at) from stdin',
      page
        .map(({ externalId, updatedAt }) =>
          encodeRow(['external_id', 'updated_at'], { external_id: externalId, updated_at: updatedAt }),
        )
        .join(''),
    );
  await sql`analyze swept`.execute(session.db);
  const scope = scopeCondition(parent.scope(account.id), 't');
  const unfinished = sweep.unfinished === undefined ? sql`false` : sql`not t.${sql.ref(sweep.unfinished)}`;
  const { rows: again } = await sql<{ external_id: string }>`
    select distinct s.external_id from swept s left join ${sql.table(parent.table)} t
      on t.external_id = s.external_id and ${scope}
    where t.external_id is null or t.${sql.ref(parent.newerThan)} < s.updated_at or ${unfinished}
    order by s.external_id`.execute(session.db);
  const { rows: stored } = await sql<{ external_id: string; listed: boolean }>`
    select t.external_id, exists (select 1 from swept s where s.external_id = t.external_id) as listed
    from ${sql.table(parent.table)} t
    where ${scope} and t.date >= ${window.from}::date and t.date < ${window.to}::date`.execute(session.db);
  const gone = stored.filter(({ listed }) => !listed).map(({ external_id }) => external_id);
  const { rows: counts } = await sql<{ count: number }>`select count(*)::int as count from swept`.execute(
    session.db,
  );
  if (gone.length > MAX_GONE_ALWAYS && gone.length > stored.length * MAX_GONE_SHARE)
    throw new PipelineError({
      type: 'contract',
      message: `The vendor's list of ${stream.name} from ${window.from} lacks ${gone.length} of the ${stored.length} that are stored`,
      advice:
        'So many at once are not believed to be deleted, and nothing was deleted. Check the scopes of the token; if they were really deleted, run a backfill of those days.',
      context: { window, gone: gone.length, stored: stored.length },
    });
  return { again: again.map(({ external_id }) => external_id), gone, listed: counts[0]?.count ?? 0 };
}
