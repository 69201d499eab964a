/**
 * Staging: temporary tables with a target's columns, and the way of rows into them by COPY. Nothing is compared here and
 * nothing but temporary tables written.
 */
import { sql } from 'kysely';

import { encodeRow } from './copy-text.ts';
import type { Database, Session, Transaction } from './db.ts';

/** Rows on their way into a temporary table. */
export interface Stage {
  /** Takes a row of the record with that number. True when enough has gathered to be sent. */
  add(row: Readonly<Record<string, unknown>>, seq: number): boolean;
  /** Sends a full batch: it is under way while the next one gathers. A failure of it is told by the next call. */
  sendWhenFull(): Promise<void>;
  /** Sends the rest and waits for it. */
  flush(): Promise<void>;
  clear(): Promise<void>;
}

/** Text gathered before it is sent: large enough for COPY to be fast, small enough to stay out of the way. */
const BATCH_CHARACTERS = 1_000_000;

const NOT_STAGED = ['synced_at', 'run_id'];

/** An empty temporary table with the target's columns (without synced_at and run_id) and `_seq`, the record it came from. */
export async function createStage(session: Session, table: string): Promise<string> {
  const stage = `stage_${table}`;
  // What the database makes itself is not for loading; in the copy it would be a plain column that nobody fills.
  const { rows } = await sql<{ attname: string }>`
    select attname from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
      and (attgenerated <> '' or attidentity <> '' or attname = any (${NOT_STAGED}))`.execute(session.db);
  await sql`
    create temp table if not exists ${sql.ref(stage)} (like ${sql.table(table)}, _seq bigint not null default 0)`.execute(
    session.db,
  );
  if (rows.length > 0)
    await sql`
      alter table ${sql.ref(stage)} ${sql.join(rows.map(({ attname }) => sql`drop column if exists ${sql.ref(attname)}`))}`.execute(
      session.db,
    );
  await sql`truncate ${sql.ref(stage)}`.execute(session.db);
  return stage;
}

/** The columns of a stage, `_seq` left out. */
export async function stageColumns(
  db: Session['db'] | Transaction<Database>,
  stage: string,
): Promise<string[]> {
  const { rows } = await sql<{ attname: string }>`
    select attname from pg_attribute
    where attrelid = ${`pg_temp.${stage}`}::regclass and attnum > 0 and not attisdropped and attname <> '_seq'
    order by attnum`.execute(db);
  return rows.map((row) => row.attname);
}

/** Makes a stage for a table and what brings rows into it. */
export async function openStage(session: Session, table: string): Promise<Stage> {
  const name = await createStage(session, table);
  const columns = await stageColumns(session.db, name);
  const copy = `copy pg_temp."${name}" (_seq, ${columns.map((column) => `"${column}"`).join(', ')}) from stdin`;
  let lines: string[] = [];
  let size = 0;
  let sent: Promise<void> = Promise.resolve();

  async function send(): Promise<void> {
    await sent;
    if (lines.length === 0) return;
    const text = lines.join('');
    lines = [];
    size = 0;
    sent = session.copyFrom(copy, text);
    sent.catch(() => undefined);
  }

  return {
    add(row, seq) {
      const line = `${seq}\t${encodeRow(columns, row)}`;
      lines.push(line);
      size += line.length;
      return size > BATCH_CHARACTERS;
    },
    async sendWhenFull() {
      if (size > BATCH_CHARACTERS) await send();
    },
    async flush() {
      await send();
      await sent;
    },
    async clear() {
      await sent.catch(() => undefined);
      sent = Promise.resolve();
      lines = [];
      size = 0;
      await sql`truncate ${sql.ref(name)}`.execute(session.db);
    },
  };
}
