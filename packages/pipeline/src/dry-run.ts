/**
 * `--dry-run`: what a run would read, from the ledger alone. Calls no vendor and writes nothing; an account whose time
 * zone no run has learnt yet is planned in the reporting zone.
 */
import { sql } from 'kysely';

import type { AnyConnector } from '@floyo/shared/connector';
import type { Session } from '@floyo/shared/db';
import type { AgentResult, RunKind } from '@floyo/shared/ledger';
import { streamsFor, type Work } from '@floyo/shared/runner';
import { planBackfillOf, planScheduled } from '@floyo/shared/stream-plan';

import { type App, openAppDatabase, print } from './app.ts';
import { formatRun } from './print/run-printer.ts';
import { clockOf, type RunDocument } from './run.ts';
import type { ConfiguredSource } from './sources.ts';

export interface DryRunRequest {
  readonly kind: RunKind;
  readonly sources: readonly ConfiguredSource[];
  readonly work: Work;
}

/** Prints a run document without an id whose agents are `skipped`, with the windows that they would read. */
export async function dryRun(app: App, request: DryRunRequest): Promise<number> {
  await using database = await openAppDatabase(app);
  const now = clockOf(app.settings.config.now)();
  const startedAt = new Date().toISOString();
  const agents: AgentResult[] = [];
  const { work } = request;
  for (const { connector, config } of request.sources)
    for (const accountId of connector.accounts(config)) {
      if (work.kind === 'backfill' && work.accountId !== undefined && work.accountId !== accountId) continue;
      const timezone =
        (await lastTimezone(database.session, connector, accountId)) ??
        app.settings.config.reporting.timezone;
      for (const stream of streamsFor(connector, work)) {
        const input = {
          connector,
          stream,
          account: { id: accountId, timezone },
          reporting: app.settings.config.reporting,
          now,
        };
        const windows =
          work.kind === 'backfill'
            ? (await planBackfillOf(database.session.db, input, work)).days
            : await planScheduled(database.session.db, input).then(({ days, changes }) => [
                ...days,
                ...changes,
              ]);
        agents.push(planned(connector, accountId, stream.name, windows, startedAt));
      }
    }
  const document: RunDocument = {
    run_id: null,
    kind: request.kind,
    status: 'skipped',
    skipped_because: null,
    started_at: startedAt,
    finished_at: new Date().toISOString(),
    agents,
    warnings: [...database.warnings, 'Dry run: no vendor was called and nothing was written.'],
  };
  print(app, document, formatRun(document, app.streams));
  return 0;
}

async function lastTimezone(
  session: Session,
  connector: AnyConnector,
  accountId: string,
): Promise<string | undefined> {
  const { rows } = await sql<{ timezone: string | null }>`
    select metadata ->> 'timezone' as timezone from ops.agent_results
    where agent = ${connector.agent} and account_id = ${accountId} and metadata ? 'timezone'
    order by finished_at desc limit 1`.execute(session.db);
  return rows[0]?.timezone ?? undefined;
}

function planned(
  connector: AnyConnector,
  accountId: string,
  stream: string,
  windows: readonly { readonly from: string; readonly to: string }[],
  at: string,
): AgentResult {
  const froms = windows.map(({ from }) => from).sort();
  const tos = windows.map(({ to }) => to).sort();
  return {
    agent: connector.agent,
    account_id: accountId,
    stream,
    status: 'skipped',
    started_at: at,
    finished_at: at,
    duration_ms: 0,
    window_from: froms[0] ?? null,
    window_to: tos.at(-1) ?? null,
    rows_read: 0,
    rows_inserted: 0,
    rows_updated: 0,
    rows_unchanged: 0,
    rows_deleted: 0,
    rows_rejected: 0,
    api_calls: 0,
    retries: 0,
    throttled_ms: 0,
    metadata: { windows },
    error: null,
  };
}
