/** `floyo status`: lock, last runs, freshness of every source and account, backlog, rejects. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';
import { findHolder } from '@floyo/shared/lock';

import { type App, openAppDatabase, print } from '../app.ts';
import { formatCount, formatDuration, formatTable, paint } from '../print/style.ts';
import { clockOf } from '../run.ts';
import type { Settings } from '../sources.ts';

/** A source that has not been read for so long is stale (design: freshness under 24 h). */
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;
const RUNS_SHOWN = 10;

interface SourceStatus {
  readonly source: string;
  readonly account_id: string;
  readonly last_success_at: string | null;
  /** The last day that was read whole, by the stream that is furthest behind. */
  readonly data_through: string | null;
  readonly stale: boolean;
  /** Days and measures of its last reading that differ from the vendor's own totals by more than 0.1 %. */
  readonly drift: number;
}

interface RunRow {
  readonly run_id: string;
  readonly kind: string;
  readonly status: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly errors: number;
}

export async function statusCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app);
  const { session } = database;
  const holder = await findHolder(session.db);
  const runs = await listRuns(session);
  const now = clockOf(app.settings.config.now)().epochMilliseconds;
  const sources = await listSources(session, app.settings, now);
  const { dirty, rejected } = await countBacklog(session);
  const lock = holder && { run_id: holder.run_id, holder: holder.kind, since: holder.since, pid: holder.pid };
  print(app, { lock, runs, sources, dirty, rejected }, format(app, { lock, runs, sources, dirty, rejected }));
  return 0;
}

async function listRuns(session: Session): Promise<RunRow[]> {
  const { rows } = await sql<RunRow>`
    select r.id as run_id, r.kind, r.status, r.started_at, r.finished_at,
      (select count(*)::int from ops.errors e where e.run_id = r.id) as errors
    from ops.runs r order by r.started_at desc limit ${RUNS_SHOWN}`.execute(session.db);
  return rows;
}

/** The configured accounts in the run's order; where none is configured, those that were ever read. */
async function listSources(session: Session, settings: Settings, now: number): Promise<SourceStatus[]> {
  const configured = settings.sources.flatMap(({ connector, config }) =>
    connector.accounts(config).map((accountId) => ({ source: connector.source, account_id: accountId })),
  );
  const { rows: known } = await sql<Omit<SourceStatus, 'stale'>>`
    select c.source, c.account_id, min(c.day) as data_through,
      (select max(r.finished_at) from ops.agent_results r
        where r.account_id = c.account_id and r.status = 'succeeded') as last_success_at,
      coalesce((select sum(jsonb_array_length(d.drift))::int from (
        select distinct on (r.stream) r.metadata -> 'drift' as drift from ops.agent_results r
        where r.account_id = c.account_id and r.metadata ? 'drift' order by r.stream, r.finished_at desc) d), 0) as drift
    from (select source, account_id, stream, max(day) as day from ops.coverage group by source, account_id, stream) c
    group by c.source, c.account_id order by c.source, c.account_id`.execute(session.db);
  const wanted: readonly { readonly source: string; readonly account_id: string }[] = configured.some(
    ({ source }) => source !== 'fx',
  )
    ? configured
    : known;
  return wanted.map(({ source, account_id }) => {
    const found = known.find((row) => row.source === source && row.account_id === account_id);
    const last_success_at = found?.last_success_at ?? null;
    return {
      source,
      account_id,
      last_success_at,
      data_through: found?.data_through ?? null,
      stale: last_success_at === null || now - Date.parse(last_success_at) > STALE_AFTER_MS,
      drift: found?.drift ?? 0,
    };
  });
}

async function countBacklog(session: Session): Promise<{ dirty: number; rejected: number }> {
  const { rows } = await sql<{ dirty: number; rejected: number }>`
    select (select count(*)::int from ops.dirty_marks) as dirty,
      (select count(*)::int from ops.rejected_records where resolved_at is null) as rejected`.execute(
    session.db,
  );
  return rows[0] ?? { dirty: 0, rejected: 0 };
}

function format(
  { streams: { stdout } }: App,
  status: {
    readonly lock: { readonly holder: string | null; readonly since: string | null } | null;
    readonly runs: readonly RunRow[];
    readonly sources: readonly SourceStatus[];
    readonly dirty: number;
    readonly rejected: number;
  },
): string {
  const sources = status.sources.map((source) => [
    source.source,
    source.account_id,
    minutes(source.last_success_at) ?? 'never',
    source.data_through ?? '',
    source.stale ? paint('red', 'stale', stdout) : paint('green', 'fresh', stdout),
    source.drift > 0 ? paint('yellow', `${source.drift} totals differ`, stdout) : '',
  ]);
  const runs = status.runs.map((run) => [
    minutes(run.started_at) ?? '',
    run.kind,
    run.status,
    run.finished_at === null ? '' : formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at)),
    formatCount(run.errors),
  ]);
  return [
    status.lock
      ? `lock: held by a ${status.lock.holder ?? 'run'} since ${status.lock.since ?? '?'}`
      : 'lock: free',
    `to compute: ${formatCount(status.dirty)} marks; set aside: ${formatCount(status.rejected)} records`,
    '',
    sources.length === 0
      ? 'no source is configured, and none was read yet'
      : formatTable(['source', 'account', 'last success', 'data through', '', ''], sources),
    '',
    runs.length === 0
      ? 'no run yet'
      : formatTable(['started', 'kind', 'status', 'took', 'errors'], runs, [4]),
  ].join('\n');
}

function minutes(instant: string | null): string | undefined {
  return instant?.slice(0, 16).replace('T', ' ');
}
