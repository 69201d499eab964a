/** The quarantine: records that failed validation, kept with their reasons until a later reading or replay loads them. */
import { createHash } from 'node:crypto';

import { sql } from 'kysely';

import { encodeJson } from './copy-text.ts';
import type { Database, Session, Transaction } from './db.ts';
import type { Day, DayWindow } from './window.ts';

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

/** A stand-in id for a record that has none: the same record gets the same one. */
export function fingerprintRecord(record: unknown): string {
  return `sha256:${createHash('sha256')
    .update(JSON.stringify([record]))
    .digest('hex')
    .slice(0, 16)}`;
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
 * that was read whole, and those whose record is among the staged ones.
 */
export async function resolveRejects(
  trx: Transaction<Database>,
  key: RejectKey,
  options: { readonly runId: string; readonly window?: DayWindow; readonly stage: string },
): Promise<void> {
  const { window } = options;
  const inWindow = window ? sql`or (r.date >= ${window.from}::date and r.date < ${window.to}::date)` : sql``;
  await sql`
    update ops.rejected_records r set resolved_at = now()
    where r.agent = ${key.agent} and r.account_id = ${key.accountId} and r.stream = ${key.stream}
      and r.resolved_at is null and r.run_id is distinct from ${options.runId}::uuid
      and (exists (select 1 from ${sql.ref(options.stage)} s
        where s.external_id = r.external_id and (r.date is null or s.date = r.date)) ${inWindow})`.execute(
    trx,
  );
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
