/** How fresh every account is and what it fails with, from the ledger alone. Owns what counts as read. */
import { sql } from 'kysely';

import { type AnyConnector, type SourceName, SOURCES } from '@floyo/shared/connector';
import type { Session } from '@floyo/shared/db';
import type { ErrorSummary } from '@floyo/shared/ledger';

import { neededAccounts } from './needed-accounts.ts';
import { connectorOf, type Settings } from './sources.ts';

/** A source that has not been read for so long is stale (design: freshness under 24 h). */
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;

export interface SourceStatus {
  readonly source: SourceName;
  readonly account_id: string;
  /** When the stream that is furthest behind was last read by a run that is no backfill; null: never. */
  readonly last_success_at: string | null;
  /** The last day that was read whole, by the stream that is furthest behind. */
  readonly data_through: string | null;
  readonly stale: boolean;
  /** Days and measures of its last reading that differ from the vendor's own totals by more than 0.1 %. */
  readonly drift: number;
}

/** An error of an agent's last run, and what to do about it. */
export interface Failure extends ErrorSummary {
  readonly run_id: string;
  readonly agent: string;
  readonly account_id: string | null;
}

interface WatchedStream {
  readonly source: SourceName;
  readonly agent: string;
  readonly account_id: string;
  readonly stream: string;
  readonly covers_as: string;
}

/**
 * The accounts that days wait for and the rates, in the run's order; where none is known, those that were ever read.
 * A stream that failed keeps its account from being fresh, whatever the account's others do.
 */
export async function readFreshness(
  session: Session,
  settings: Settings,
  now: number,
): Promise<SourceStatus[]> {
  const { rows } = await sql<Omit<SourceStatus, 'stale'>>`
    select w.source, w.account_id,
      case when bool_and(s.at is not null) then min(s.at) end as last_success_at,
      case when bool_and(c.day is not null) then min(c.day) end as data_through,
      coalesce(sum(jsonb_array_length(d.drift)), 0)::int as drift
    from ${watched(await watchedStreams(session, settings))}
    left join lateral (
      -- A replay reads no window: it makes nothing fresh.
      select max(r.finished_at) as at from ops.agent_results r join ops.runs u on u.id = r.run_id
      where r.agent = w.agent and r.account_id = w.account_id and r.stream = w.stream and r.status = 'succeeded'
        and r.window_to is not null and u.kind <> 'backfill'
    ) s on true
    left join lateral (
      select max(day) as day from ops.coverage v
      where v.source = w.source and v.account_id = w.account_id and v.stream = w.covers_as
    ) c on true
    left join lateral (
      select r.metadata -> 'drift' as drift from ops.agent_results r
      where r.agent = w.agent and r.account_id = w.account_id and r.stream = w.stream and r.metadata ? 'drift'
      order by r.finished_at desc limit 1
    ) d on true
    group by w.source, w.account_id order by min(w.place)`.execute(session.db);
  return rows.map((row) => ({
    ...row,
    stale: row.last_success_at === null || now - Date.parse(row.last_success_at) > STALE_AFTER_MS,
  }));
}

/**
 * What every account's last run failed or was paused with (backfills left out: they are asked for again), and the
 * errors of the last run itself: the worst first.
 */
export async function readFailures(session: Session, settings: Settings): Promise<Failure[]> {
  const { rows } = await sql<Failure>`
    with last_run as (
      select id from ops.runs where status not in ('running', 'skipped') order by started_at desc limit 1
    ), failing as (
      select distinct l.run_id, w.agent, w.account_id
      from ${watched(await watchedStreams(session, settings))}
      cross join lateral (
        select r.run_id, r.status from ops.agent_results r join ops.runs u on u.id = r.run_id
        where r.agent = w.agent and r.account_id = w.account_id and r.stream = w.stream and u.kind <> 'backfill'
        order by r.finished_at desc limit 1
      ) l
      where l.status in ('failed', 'paused')
    )
    select e.run_id, e.agent, e.account_id, e.error_type, e.severity, e.message, e.advice
    from ops.errors e
    where (e.severity <> 'P3' and e.run_id = (select id from last_run))
      or (e.run_id, e.agent, e.account_id) in (select run_id, agent, account_id from failing)
    -- Several streams of an account fail with the same.
    group by e.run_id, e.agent, e.account_id, e.error_type, e.severity, e.message, e.advice
    order by e.severity, min(e.id)`.execute(session.db);
  return rows;
}

async function watchedStreams(session: Session, settings: Settings): Promise<WatchedStream[]> {
  const needed = await neededAccounts(session.db, settings);
  if (needed.length === 0) return readOnce(session);
  return [
    ...settings.sources
      .filter(({ connector }) => connector.source === 'fx')
      .flatMap(({ connector, config }) =>
        connector.accounts(config).flatMap((accountId) => streamsOf(connector, accountId)),
      ),
    ...needed.flatMap(({ source, accountId, stream }) => streamsOf(connectorOf(source), accountId, stream)),
  ];
}

async function readOnce(session: Session): Promise<WatchedStream[]> {
  const { rows } = await sql<{ source: SourceName; account_id: string }>`
    select distinct source, account_id from ops.coverage
    where source = any (${sql.val([...SOURCES])}) order by source, account_id`.execute(session.db);
  return rows.flatMap(({ source, account_id }) => streamsOf(connectorOf(source), account_id));
}

/** The streams that runs read; all unless one is named. */
function streamsOf(connector: AnyConnector, accountId: string, stream?: string): WatchedStream[] {
  return connector.streams
    .filter(({ only, name }) => only !== 'backfill' && (stream === undefined || name === stream))
    .map(({ name, coversAs }) => ({
      source: connector.source,
      agent: connector.agent,
      account_id: accountId,
      stream: name,
      covers_as: coversAs ?? name,
    }));
}

/** As the table `w`, with their place in the list. */
function watched(streams: readonly WatchedStream[]) {
  return sql`rows from (jsonb_to_recordset(${JSON.stringify(streams)}::jsonb)
    as (source text, agent text, account_id text, stream text, covers_as text)) with ordinality
    as w (source, agent, account_id, stream, covers_as, place)`;
}
