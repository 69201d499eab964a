/** The quarantine: records that failed validation, kept with their reasons until a later reading or replay loads them. */
import { createHash } from 'node:crypto';

import { sql } from 'kysely';

import { encodeJson } from './copy-text.ts';
import type { Database, Session, Transaction } from './db.ts';
import { PipelineError } from './errors.ts';
import { addDays, type Day, type DayWindow, type InstantWindow } from './window.ts';

export interface Reject {
  readonly externalId: string;
  readonly date?: Day;
  readonly reasons: readonly string[];
  readonly payload: unknown;
}

export interface RejectKey {
  readonly agent: string;
  readonly accountId: string;
  readonly stream: string;
}

/** More rejects than this share of a window's records fail the window. */
const MAX_REJECTED_SHARE = 0.05;

/**
 * A stand-in id for a record whose own can't be told: the same record gets the same one. Of a record that came with whole
 * days it says which, as in `sha256:0123456789abcdef[2026-11-01,2026-11-08)`: the record itself says neither.
 */
export function standInId(record: unknown, wholeDays?: DayWindow): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([record]))
    .digest('hex')
    .slice(0, 16);
  return `sha256:${hash}${wholeDays ? `[${wholeDays.from},${wholeDays.to})` : ''}`;
}

/** Keeps the rejects; one seen before is seen again, and open again. */
export async function quarantine(
  trx: Transaction<Database>,
  key: RejectKey,
  rejects: readonly Reject[],
  runId: string,
): Promise<void> {
  if (rejects.length === 0) return;
  const rows = rejects.map(({ externalId, date, reasons, payload }) => ({
    external_id: externalId,
    date: date ?? null,
    reasons,
    payload,
  }));
  await sql`
    insert into ops.rejected_records (agent, account_id, stream, external_id, date, reasons, payload, run_id)
    select distinct on (r.external_id, r.date) ${key.agent}, ${key.accountId}, ${key.stream}, r.external_id, r.date, r.reasons, coalesce(r.payload, 'null'), ${runId}::uuid
    from jsonb_to_recordset(${encodeJson(rows)}::jsonb) as r (external_id text, date date, reasons jsonb, payload jsonb)
    on conflict (agent, account_id, stream, external_id, date) do update
    set reasons = excluded.reasons, payload = excluded.payload, run_id = excluded.run_id, last_seen_at = now(), resolved_at = null`.execute(
    trx,
  );
}

/**
 * Resolves open rejects of the stream that this run read again without rejecting them: those dated inside a window
 * that was read whole, and those whose record is among the staged ones. One without a readable id goes with the first
 * window that is read whole without it and has a day of the window with which it came; one that came with changes may be
 * of any day, so that any window will do.
 */
export async function resolveRejects(
  trx: Transaction<Database>,
  key: RejectKey,
  options: { readonly runId: string; readonly window?: DayWindow; readonly stage: string },
): Promise<void> {
  const { window } = options;
  const inWindow = window
    ? sql`or (r.date >= ${window.from}::date and r.date < ${window.to}::date)
        or (r.date is null and r.external_id like 'sha256:%' and coalesce(
          substring(r.external_id from '^sha256:[0-9a-f]+([[].+)$')::daterange && daterange(${window.from}::date, ${window.to}::date), true))`
    : sql``;
  await sql`
    update ops.rejected_records r set resolved_at = now()
    where r.agent = ${key.agent} and r.account_id = ${key.accountId} and r.stream = ${key.stream}
      and r.resolved_at is null and r.run_id is distinct from ${options.runId}::uuid
      and (exists (select 1 from ${sql.ref(options.stage)} s
        where s.external_id = r.external_id and (r.date is null or s.date = r.date)) ${inWindow})`.execute(
    trx,
  );
}

/** Why a window is not loaded: too many of its records are rejects; undefined when they are few. */
export function tooManyRejects(
  stream: string,
  counts: {
    readonly window: DayWindow | InstantWindow;
    readonly read: number;
    readonly rejected: number;
  },
): PipelineError | undefined {
  const { window, read, rejected } = counts;
  if (rejected === 0 || rejected <= read * MAX_REJECTED_SHARE) return undefined;
  return new PipelineError({
    type: 'rejects',
    message: `${rejected} of ${read} records of ${stream} from ${window.from} to ${window.to} are not valid, more than 5 %: the window was not loaded`,
    advice:
      '`floyo rejects list` shows them with their reasons. The vendor may have changed its format: fix the mapping, then run it again.',
    context: counts,
  });
}

/** Rejects whose id can't be told: any row that did not come may be theirs, so that none was deleted. */
export function keptWarning(
  key: RejectKey & { readonly source: string },
  counts: { readonly window: DayWindow; readonly read: number; readonly nameless: number },
): PipelineError {
  const { window, read, nameless } = counts;
  const last = addDays(window.to, -1);
  return new PipelineError({
    type: 'rejects',
    severity: 'P2',
    message: `${key.source} ${key.accountId}: ${nameless} of ${read} records of ${key.stream} from ${window.from} to ${last} tell no id; any row that did not come may be theirs, so that none of these days was deleted`,
    advice: `\`floyo rejects list\` shows them with their reasons. Recent days are read again by themselves; older ones with \`floyo backfill --source ${key.source} --account ${key.accountId} --from ${window.from} --to ${last}\`, once the vendor tells the ids.`,
    context: counts,
  });
}

/** Resolves open rejects whose records could be mapped again. */
export async function resolveReplayed(
  trx: Transaction<Database>,
  key: RejectKey,
  options: { readonly runId: string; readonly ids: readonly string[] },
): Promise<void> {
  await sql`
    update ops.rejected_records set resolved_at = now()
    where agent = ${key.agent} and account_id = ${key.accountId} and stream = ${key.stream} and resolved_at is null
      and run_id is distinct from ${options.runId}::uuid and id = any(${options.ids}::bigint[])`.execute(trx);
}

/** Whether an account has records set aside that nothing has resolved. */
export async function hasOpenRejects(db: Session['db'], agent: string, accountId: string): Promise<boolean> {
  const row = await db
    .selectFrom('ops.rejected_records')
    .select('id')
    .where('agent', '=', agent)
    .where('account_id', '=', accountId)
    .where('resolved_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The open rejects of a stream, oldest first. */
export async function listOpenRejects(
  db: Session['db'],
  key: RejectKey,
): Promise<{ id: string; external_id: string; date: Day | null; payload: unknown }[]> {
  return db
    .selectFrom('ops.rejected_records')
    .select(['id', 'external_id', 'date', 'payload'])
    .where('agent', '=', key.agent)
    .where('account_id', '=', key.accountId)
    .where('stream', '=', key.stream)
    .where('resolved_at', 'is', null)
    .orderBy('id')
    .execute();
}
