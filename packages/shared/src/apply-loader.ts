/**
 * The loader of streams whose records a function of the database applies: a page of changes goes through COPY into a
 * temporary table, then one statement gives them to the function in order. Nothing is deleted and nothing compared here:
 * the function decides what becomes of each change, for a webhook as for a page.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { sql } from 'kysely';

import type { AnyStream } from './connector.ts';
import { encodeRow } from './copy-text.ts';
import { type Session, sqlState } from './db.ts';
import type { Loader } from './load.ts';

const COLUMNS = ['external_id', 'date', 'lock', 'change', '_seq'] as const;
/** Text gathered before it is sent. */
const BATCH_CHARACTERS = 500_000;
/** What the function answers for a change that became rows; one that only moved what was there; all else changed nothing. */
const INSERTED = new Set(['processed']);
const UPDATED = new Set(['updated']);

/**
 * A loader for a stream with `parent.applyWith`, on a session of its own. Its rows are `changes`, each with an
 * `external_id` for what was set aside earlier. `processed` counts as inserted, `updated` as updated, any other answer as
 * unchanged.
 */
export async function createApplyLoader(session: Session, stream: AnyStream): Promise<Loader> {
  const { applyWith, table } = stream.parent;
  if (applyWith === undefined)
    throw new TypeError(`${stream.name} names no function that applies its changes`);
  const stage = `stage_${table}`;
  await sql`drop table if exists ${sql.ref(`pg_temp.${stage}`)}`.execute(session.db);
  await sql`create temp table ${sql.ref(stage)} (external_id text not null, date date, lock text not null, change jsonb not null, _seq bigint not null)`.execute(
    session.db,
  );
  let lines: string[] = [];
  let size = 0;
  let seq = 0;

  async function send(): Promise<void> {
    if (lines.length === 0) return;
    const text = lines.join('');
    lines = [];
    size = 0;
    await session.copyFrom(`copy pg_temp."${stage}" (${COLUMNS.join(', ')}) from stdin`, text);
  }

  return {
    async clear() {
      lines = [];
      size = 0;
      seq = 0;
      await sql`truncate ${sql.ref(`pg_temp.${stage}`)}`.execute(session.db);
    },
    async add({ changes = [] }) {
      for (const { externalId, lock, change } of changes) {
        const line = encodeRow(COLUMNS, { external_id: externalId, date: null, lock, change, _seq: ++seq });
        lines.push(line);
        size += line.length;
      }
      if (size > BATCH_CHARACTERS) await send();
    },
    flush: send,
    takeForeignRows: () => Promise.resolve([]),
    async apply(trx, { runId }) {
      const { rows } = await sql<{ result: string; count: number }>`
        select result, count(*)::int as count
        from (select ${sql.ref(applyWith)}(change || jsonb_build_object('run_id', ${runId}::text)) as result from (
          select change from ${sql.ref(`pg_temp.${stage}`)} order by lock, _seq) s) applied
        group by result`.execute(trx);
      const counts = { inserted: 0, updated: 0, unchanged: 0, deleted: 0 };
      for (const { result, count } of rows)
        counts[INSERTED.has(result) ? 'inserted' : UPDATED.has(result) ? 'updated' : 'unchanged'] += count;
      return counts;
    },
  };
}

/** Deadlock, serialisation failure: somebody else (the webhook) changed the same objects at the same time. */
const CONFLICTS = new Set(['40P01', '40001']);
const TRIES = 4;

/** Does a transaction again when the database ended it because of another one. */
export async function retryConflicts<T>(transact: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await transact();
    } catch (error) {
      if (tries >= TRIES || !CONFLICTS.has(sqlState(error) ?? '')) throw error;
      await delay(Math.random() * 50 * tries);
    }
}
