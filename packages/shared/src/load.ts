/**
 * Loading: pages of rows go through COPY into temporary staging tables, then one statement per table moves what is new
 * or different into place. Unchanged rows are filtered out by an anti-join before the upsert: no lock, no WAL.
 * Owns the SQL of loading and nothing else: no vendor, no window planning, no transaction of its own.
 */
import { setImmediate as yieldToOthers } from 'node:timers/promises';

import { type RawBuilder, sql } from 'kysely';

import type { AnyStream, ChildTable, LoadRows, LoadTable } from './connector.ts';
import { encodeJson, encodeRow } from './copy-text.ts';
import type { Database, Session, Transaction } from './db.ts';
import type { DayWindow } from './window.ts';

export interface LoadCounts {
  inserted: number;
  updated: number;
  unchanged: number;
  deleted: number;
}

/** A staged row that may not be loaded, because another account holds its id. */
export interface ForeignRow {
  readonly externalId: string;
  readonly row: unknown;
}

/** The grain of one record in the target, for records that were rejected but exist at the vendor. */
export interface RecordKey {
  readonly externalId: string;
  readonly date?: string;
}

export interface Loader {
  /** Forgets what is staged. */
  clear(): Promise<void>;
  /** Stages what one record became. Sends a batch to the server when enough has gathered. */
  add(rows: LoadRows): Promise<void>;
  /** Sends the rest and lets the planner know the sizes. */
  flush(): Promise<void>;
  /** Takes rows out of the stage whose id another account holds, and returns them. */
  takeForeignRows(trx: Transaction<Database>, scope: Readonly<Record<string, string>>): Promise<ForeignRow[]>;
  /** Moves the staged rows into place, children with their parents. With `replace`, rows of these days that are
   * not staged go; with `gone`, these records unless they are staged. */
  apply(
    trx: Transaction<Database>,
    options: {
      readonly scope: Readonly<Record<string, string>>;
      readonly runId: string;
      readonly replace?: { readonly window: DayWindow; readonly keep: readonly RecordKey[] };
      readonly gone?: readonly string[];
    },
  ): Promise<LoadCounts>;
}

/** Text gathered before it is sent: large enough for COPY to be fast, small enough to stay out of the way. */
const BATCH_CHARACTERS = 500_000;
/** Records after which input and output get their turn: a millisecond's work. */
const YIELD_EVERY = 128;

interface Stage {
  readonly name: string;
  /** Those of the table that are loaded, and `_seq`. */
  readonly columns: readonly string[];
  /** Encoded rows that are not sent yet, and their length together. */
  lines: string[];
  size: number;
  /** The batch that is under way, or the last one. */
  sent: Promise<void>;
}

const NOT_STAGED = new Set(['synced_at', 'run_id']);

/** A temporary table with the target's columns (without synced_at and run_id) and `_seq`, the record it came from. */
export async function createStage(session: Session, table: string): Promise<string> {
  const stage = `stage_${table}`;
  await sql`create temp table if not exists ${sql.ref(stage)} (like ${sql.table(table)})`.execute(session.db);
  const made = await sql<{ attname: string }>`
    select attname from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
      and (attgenerated <> '' or attidentity <> '')`.execute(session.db);
  // What the database makes itself is not for loading; in the copy it would be a plain column that nobody fills.
  for (const column of [...NOT_STAGED, ...made.rows.map(({ attname }) => attname)])
    await sql`alter table ${sql.ref(stage)} drop column if exists ${sql.ref(column)}`.execute(session.db);
  await sql`alter table ${sql.ref(stage)} add column if not exists _seq bigint not null default 0`.execute(
    session.db,
  );
  await sql`truncate ${sql.ref(stage)}`.execute(session.db);
  return stage;
}

/** The columns of a stage, `_seq` left out. */
async function stageColumns(db: Session['db'] | Transaction<Database>, stage: string): Promise<string[]> {
  const { rows } = await sql<{ attname: string }>`
    select attname from pg_attribute
    where attrelid = ${`pg_temp.${stage}`}::regclass and attnum > 0 and not attisdropped and attname <> '_seq'
    order by attnum`.execute(db);
  return rows.map((row) => row.attname);
}

/** A loader for one stream's tables, on a session of its own. */
export async function createLoader(session: Session, stream: AnyStream): Promise<Loader> {
  const tables: readonly LoadTable[] = [
    stream.parent.table,
    ...stream.children.map((child: ChildTable) => child.table),
  ];
  const stages = new Map<LoadTable, Stage>();
  for (const table of tables) {
    const name = await createStage(session, table);
    const columns = await stageColumns(session.db, name);
    stages.set(table, { name, columns: [...columns, '_seq'], lines: [], size: 0, sent: Promise.resolve() });
  }
  const parentStage = `stage_${stream.parent.table}`;
  let seq = 0;

  /** One batch is under way while the next is gathered; a failure of it is told with the next, or by `flush`. */
  async function send(stage: Stage): Promise<void> {
    await stage.sent;
    if (stage.lines.length === 0) return;
    const columns = stage.columns.map((column) => `"${column}"`).join(', ');
    const text = stage.lines.join('');
    stage.lines = [];
    stage.size = 0;
    stage.sent = session.copyFrom(`copy pg_temp."${stage.name}" (${columns}) from stdin`, text);
    stage.sent.catch(() => undefined);
  }

  /**
   * A record may come twice (it changed while pages were read): its newest version counts, the last one read when they
   * can't be told apart, with that version's children.
   */
  async function dropSupersededVersions(trx: Transaction<Database>): Promise<void> {
    const { key, newerThan } = stream.parent;
    const newest = newerThan === undefined ? sql`` : sql`${sql.ref(newerThan)} desc nulls last, `;
    await sql`
      delete from ${sql.ref(parentStage)} s using (
        select distinct on (${refs(key)}) ${refs(key)}, _seq from ${sql.ref(parentStage)}
        where (${refs(key)}) in (select ${refs(key)} from ${sql.ref(parentStage)} group by ${refs(key)} having count(*) > 1)
        order by ${refs(key)}, ${newest}_seq desc
      ) d where ${sameKey(key, 's', 'd')} and s._seq <> d._seq`.execute(trx);
    for (const child of stream.children)
      await sql`
        delete from ${sql.ref(`stage_${child.table}`)} c
        where not exists (select 1 from ${sql.ref(parentStage)} s
          where s.external_id = c.${sql.ref(child.parentColumn)} and s._seq = c._seq)`.execute(trx);
  }

  async function dropStagedChildrenOfMissing(trx: Transaction<Database>): Promise<void> {
    for (const child of stream.children)
      await sql`
        delete from ${sql.ref(`stage_${child.table}`)} c
        where not exists (select 1 from ${sql.ref(parentStage)} s where s.external_id = c.${sql.ref(child.parentColumn)})`.execute(
        trx,
      );
  }

  return {
    async clear() {
      seq = 0;
      for (const stage of stages.values()) {
        await stage.sent.catch(() => undefined);
        stage.sent = Promise.resolve();
        stage.lines = [];
        stage.size = 0;
        await sql`truncate ${sql.ref(stage.name)}`.execute(session.db);
      }
    },

    async add(rows) {
      seq++;
      for (const [table, stage] of stages) {
        for (const row of rows[table] ?? []) {
          const line = encodeRow(stage.columns, { ...row, _seq: seq });
          stage.lines.push(line);
          stage.size += line.length;
        }
        if (stage.size > BATCH_CHARACTERS) await send(stage);
      }
      // Encoding would otherwise keep the batch that is under way from going on.
      if (seq % YIELD_EVERY === 0) await yieldToOthers();
    },

    async flush() {
      for (const { table, key } of [stream.parent, ...stream.children]) {
        const stage = stages.get(table);
        if (stage === undefined) continue;
        await send(stage);
        await stage.sent;
        // What joins go by: the statistics of wide columns take longer than the copy and help nothing.
        await sql`analyze ${sql.ref(stage.name)} (${refs(key)})`.execute(session.db);
      }
    },

    async takeForeignRows(trx, scope) {
      const columns = Object.keys(scope);
      if (columns.length === 0) return [];
      // An id has one holder, so that one of its stored rows tells: `limit` makes it an index lookup for each id, where
      // a join would read the whole table.
      const { rows } = await sql<{ external_id: string; row: unknown }>`
        with held as materialized (
          select ids.external_id from (select distinct external_id from ${sql.ref(parentStage)}) ids
          cross join lateral (
            select (${scopeCondition(scope, 't')}) as own from ${sql.table(stream.parent.table)} t
            where t.external_id = ids.external_id order by t.date desc limit 1) holder
          where not holder.own
        )
        delete from ${sql.ref(parentStage)} s where s.external_id in (select external_id from held)
        returning s.external_id, to_jsonb(s) - '_seq' as row`.execute(trx);
      if (rows.length > 0) await dropStagedChildrenOfMissing(trx);
      return rows.map((row) => ({ externalId: row.external_id, row: row.row }));
    },

    async apply(trx, { scope, runId, replace, gone = [] }) {
      await dropSupersededVersions(trx);
      const counts: LoadCounts = { inserted: 0, updated: 0, unchanged: 0, deleted: 0 };
      if (replace !== undefined)
        counts.deleted += await deleteUnstaged(trx, stream, scope, vanishedFrom(replace));
      if (gone.length > 0)
        counts.deleted += await deleteUnstaged(trx, stream, scope, sql`t.external_id = any (${gone})`);
      if (stream.parent.newerThan !== undefined) {
        const newer = sql.ref(stream.parent.newerThan);
        const { rows } = await sql`
          delete from ${sql.ref(parentStage)} s using ${sql.table(stream.parent.table)} t
          where ${sameKey(stream.parent.key, 's', 't')} and t.${newer} > s.${newer} returning 1`.execute(trx);
        counts.unchanged += rows.length;
        if (rows.length > 0) await dropStagedChildrenOfMissing(trx);
      }
      for (const child of stream.children)
        counts.deleted += await deleteVanishedChildren(trx, child, parentStage);
      for (const { table, key } of [stream.parent, ...stream.children]) {
        const merged = await mergeStage(trx, { stage: `stage_${table}`, table, key, runId });
        counts.inserted += merged.inserted;
        counts.updated += merged.updated;
        counts.unchanged += merged.unchanged;
      }
      return counts;
    },
  };
}

/** The stored rows of the window, less those whose record was rejected: it exists at the vendor. */
function vanishedFrom({
  window,
  keep,
}: {
  readonly window: DayWindow;
  readonly keep: readonly RecordKey[];
}): RawBuilder<unknown> {
  const kept = encodeJson(
    keep.map(({ externalId, date }) => ({ external_id: externalId, date: date ?? null })),
  );
  return sql`t.date >= ${window.from}::date and t.date < ${window.to}::date
    and not exists (select 1 from jsonb_to_recordset(${kept}::jsonb) as k (external_id text, date date)
      where k.external_id = t.external_id and coalesce(k.date, t.date) = t.date)`;
}

/** Deletes the account's rows that meet the condition and are not staged, with their children; returns how many went. */
async function deleteUnstaged(
  trx: Transaction<Database>,
  stream: AnyStream,
  scope: Readonly<Record<string, string>>,
  condition: RawBuilder<unknown>,
): Promise<number> {
  const { table, key } = stream.parent;
  const children = stream.children.map(
    (child: ChildTable, index: number) =>
      sql`, ${sql.ref(`child_${index}`)} as (delete from ${sql.table(child.table)}
        where ${sql.ref(child.parentColumn)} in (select external_id from gone) returning 1)`,
  );
  const childCounts = stream.children.map(
    (_child: ChildTable, index: number) => sql` + (select count(*) from ${sql.ref(`child_${index}`)})`,
  );
  const { rows } = await sql<{ count: number }>`
    with gone as (
      delete from ${sql.table(table)} t
      where ${scopeCondition(scope, 't')} and ${condition}
        and not exists (select 1 from ${sql.ref(`stage_${table}`)} s where ${sameKey(key, 's', 't')})
      returning t.external_id
    )${sql.join(children, sql``)}
    select ((select count(*) from gone)${sql.join(childCounts, sql``)})::int as count`.execute(trx);
  return rows[0]?.count ?? 0;
}

/** Deletes stored children of staged parents that are not staged themselves. */
async function deleteVanishedChildren(
  trx: Transaction<Database>,
  child: ChildTable,
  parentStage: string,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    with gone as (
      delete from ${sql.table(child.table)} t
      using ${sql.ref(parentStage)} p
      where t.${sql.ref(child.parentColumn)} = p.external_id
        and not exists (select 1 from ${sql.ref(`stage_${child.table}`)} s where ${sameKey(child.key, 's', 't')})
      returning 1
    ) select count(*)::int as count from gone`.execute(trx);
  return rows[0]?.count ?? 0;
}

/**
 * Moves what is new or different from a stage into its target: duplicates inside the batch dropped (the last `_seq`
 * wins), unchanged rows left untouched, the rest upserted in key order. `synced_at`, `run_id` and `ignore` say nothing
 * about whether a row changed.
 */
export async function mergeStage(
  trx: Transaction<Database>,
  options: {
    readonly stage: string;
    readonly table: string;
    readonly key: readonly string[];
    readonly runId: string;
    readonly ignore?: readonly string[];
  },
): Promise<{ inserted: number; updated: number; unchanged: number }> {
  const { stage, table, key, runId, ignore = [] } = options;
  const columns = await stageColumns(trx, stage);
  const values = columns.filter((column) => !key.includes(column));
  const compared = values.filter((column) => !ignore.includes(column));
  const list = (alias: string, names: readonly string[]) =>
    sql.join(names.map((name) => sql.ref(`${alias}.${name}`)));
  const { rows } = await sql<{ total: number; inserted: number; updated: number }>`
    with fresh as materialized (
      select distinct on (${refs(key)}) ${refs(columns)} from ${sql.ref(stage)} order by ${refs(key)}, _seq desc
    ), delta as (
      select ${list('s', columns)} from fresh s left join ${sql.table(table)} t on ${sameKey(key, 's', 't')}
      where t.external_id is null or (${list('s', compared)}) is distinct from (${list('t', compared)})
    ), merged as (
      insert into ${sql.table(table)} as t (${refs(columns)}, synced_at, run_id)
      select ${refs(columns)}, clock_timestamp(), ${runId}::uuid from delta order by ${refs(key)}
      on conflict (${refs(key)}) do update
      set ${sql.join([...values.map((name) => sql`${sql.ref(name)} = ${sql.ref(`excluded.${name}`)}`), sql`synced_at = excluded.synced_at`, sql`run_id = excluded.run_id`])}
      where (${list('t', compared)}) is distinct from (${list('excluded', compared)})
      returning (t.xmax = 0) as inserted
    )
    select (select count(*) from fresh)::int as total,
      count(*) filter (where inserted)::int as inserted, count(*) filter (where not inserted)::int as updated
    from merged`.execute(trx);
  const { total = 0, inserted = 0, updated = 0 } = rows[0] ?? {};
  return { inserted, updated, unchanged: total - inserted - updated };
}

function refs(columns: readonly string[]): RawBuilder<unknown> {
  return sql.join(columns.map((column) => sql.ref(column)));
}

function sameKey(key: readonly string[], left: string, right: string): RawBuilder<unknown> {
  return sql.join(
    key.map((column) => sql`${sql.ref(`${left}.${column}`)} = ${sql.ref(`${right}.${column}`)}`),
    sql` and `,
  );
}

/** Whose rows these are, as a condition on the table called `alias`. */
export function scopeCondition(scope: Readonly<Record<string, string>>, alias: string): RawBuilder<unknown> {
  const conditions = Object.entries(scope).map(
    ([column, value]) => sql`${sql.ref(`${alias}.${column}`)} = ${value}`,
  );
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
}
