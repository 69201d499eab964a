/**
 * Which accounts and streams must have covered a day for its metrics to be whole: those that are remembered and those
 * that are configured here, but the rates. Commands run where not every source is configured, and a day must not be
 * final for that.
 */
import { sql } from 'kysely';

import type { NeededAccount } from '@floyo/metrics';
import { type SourceName, SOURCES } from '@floyo/shared/connector';
import type { Database, Session, Transaction } from '@floyo/shared/db';

import type { Settings } from './sources.ts';

type Executor = Session['db'] | Transaction<Database>;

export interface Remembered {
  readonly needed: readonly NeededAccount[];
  /** What days no longer wait for. */
  readonly forgotten: readonly NeededAccount[];
  /** What days wait for and this environment does not configure. */
  readonly elsewhere: readonly NeededAccount[];
}

/** What is remembered and what is configured here, in the order of a run. */
export async function neededAccounts(
  db: Executor,
  settings: Pick<Settings, 'sources'>,
): Promise<NeededAccount[]> {
  const configured = configuredAccounts(settings);
  const remembered = await recallAccounts(db);
  const all = [...configured, ...without(remembered, configured)];
  return SOURCES.flatMap((name) => all.filter(({ source }) => source === name));
}

/**
 * Remembers what is configured here; with `whole`, the run of every source, that alone: what is configured no longer is
 * needed no longer.
 */
export async function rememberAccounts(
  trx: Transaction<Database>,
  settings: Pick<Settings, 'sources'>,
  { whole, runId }: { readonly whole: boolean; readonly runId: string },
): Promise<Remembered> {
  const configured = configuredAccounts(settings);
  const elsewhere = without(await recallAccounts(trx), configured);
  const listed = sql`jsonb_to_recordset(${JSON.stringify(configured)}::jsonb) as c (source text, "accountId" text, stream text)`;
  await sql`
    insert into ops.needed_accounts (source, account_id, stream, run_id)
    select c.source, c."accountId", c.stream, ${runId}::uuid from ${listed}
    on conflict (source, account_id, stream) do nothing`.execute(trx);
  if (whole)
    await sql`
      delete from ops.needed_accounts n where not exists (
        select 1 from ${listed}
        where c.source = n.source and c."accountId" = n.account_id and c.stream = n.stream)`.execute(trx);
  return {
    needed: await neededAccounts(trx, settings),
    forgotten: whole ? elsewhere : [],
    elsewhere: whole ? [] : elsewhere,
  };
}

/** Of sources that this version knows. */
async function recallAccounts(db: Executor): Promise<NeededAccount[]> {
  const rows = await db
    .selectFrom('ops.needed_accounts')
    .select(['source', 'account_id', 'stream'])
    .orderBy('source')
    .orderBy('account_id')
    .orderBy('stream')
    .execute();
  return rows.flatMap(({ source, account_id, stream }) =>
    isSource(source) ? [{ source, accountId: account_id, stream }] : [],
  );
}

function isSource(name: string): name is SourceName {
  return SOURCES.some((source) => source === name);
}

function configuredAccounts({ sources }: Pick<Settings, 'sources'>): NeededAccount[] {
  return sources
    .filter(({ connector }) => connector.source !== 'fx')
    .flatMap(({ connector, config }) =>
      connector.accounts(config).flatMap((accountId) =>
        connector.streams
          // What only backfills read is covered by the stream that goes on from there.
          .filter(({ only }) => only !== 'backfill')
          .map(({ name }) => ({ source: connector.source, accountId, stream: name })),
      ),
    );
}

function without(accounts: readonly NeededAccount[], others: readonly NeededAccount[]): NeededAccount[] {
  const known = new Set(others.map(nameOf));
  return accounts.filter((account) => !known.has(nameOf(account)));
}

function nameOf({ source, accountId, stream }: NeededAccount): string {
  return `${source} ${accountId} ${stream}`;
}
