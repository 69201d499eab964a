/**
 * Loading: pages of rows go through COPY into staging tables, then into place in one transaction of the caller's. Owns the
 * order of that and nothing else: no vendor, no window planning, no transaction of its own.
 */
import { setImmediate as yieldToOthers } from 'node:timers/promises';

import { sql } from 'kysely';

import type { AnyStream, ChildTable, LoadRows, LoadTable } from './connector.ts';
import type { Database, Session, Transaction } from './db.ts';
import {
  deleteUnstaged,
  deleteVanishedChildren,
  ensurePartitions,
  hasStored,
  insertStage,
  mergeStage,
  vanishedFrom,
} from './merge.ts';
import { refs, sameKey, scopeCondition } from './sql-parts.ts';
import { openStage, type Stage } from './stage.ts';
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
  /** Sends the rest. */
  flush(): Promise<void>;
  /** Takes rows out of the stage whose id another account holds, and returns them. */
  takeForeignRows(trx: Transaction<Database>, scope: Readonly<Record<string, string>>): Promise<ForeignRow[]>;
  /** Moves the staged rows into place, children with their parents. With `replace`, rows of these days that are
   * not staged go, except those to keep; with `gone`, these records unless they are staged. */
  apply(
    trx: Transaction<Database>,
    options: {
      readonly scope: Readonly<Record<string, string>>;
      readonly runId: string;
      readonly replace?: { readonly window: DayWindow; readonly keep: readonly RecordKey[] | 'all' };
      readonly gone?: readonly string[];
    },
  ): Promise<LoadCounts>;
}

/** Records after which input and output get their turn, so that the batch that is under way goes on: a millisecond's work. */
const YIELD_EVERY = 128;
const ADDED = Promise.resolve();

/** A loader for one stream's tables, on a session of its own. */
export async function createLoader(session: Session, stream: AnyStream): Promise<Loader> {
  const tables: readonly LoadTable[] = [
    stream.parent.table,
    ...stream.children.map((child: ChildTable) => child.table),
  ];
  const stages: { readonly table: LoadTable; readonly stage: Stage }[] = [];
  for (const table of tables) stages.push({ table, stage: await openStage(session, table) });
  const parentStage = `stage_${stream.parent.table}`;
  let seq = 0;

  async function sendBatches(): Promise<void> {
    for (const { stage } of stages) await stage.sendWhenFull();
  }

  /** What joins go by: the statistics of wide columns would take longer than the copy and help nothing. */
  async function tellPlanner(trx: Transaction<Database>): Promise<void> {
    for (const { table, key } of [stream.parent, ...stream.children])
      await sql`analyze ${sql.ref(`stage_${table}`)} (${refs(key)})`.execute(trx);
  }

  /**
   * The usual case of a first run and of a backfill: nothing of these days is stored, so that nothing has to be compared.
   * Undefined when that is not so.
   */
  async function insertNewDays(
    trx: Transaction<Database>,
    scope: Readonly<Record<string, string>>,
    window: DayWindow,
    runId: string,
  ): Promise<number | undefined> {
    if (stream.children.length > 0 || (await hasStored(trx, stream, scope, window))) return undefined;
    return insertStage(trx, { stage: parentStage, table: stream.parent.table, runId });
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
      for (const { stage } of stages) await stage.clear();
    },

    add(rows) {
      seq++;
      let isFull = false;
      for (const { table, stage } of stages) {
        const staged = rows[table];
        if (staged !== undefined) for (const row of staged) isFull = stage.add(row, seq) || isFull;
      }
      // A promise of its own for each record would cost as much as encoding it.
      if (isFull) return sendBatches();
      return seq % YIELD_EVERY === 0 ? yieldToOthers() : ADDED;
    },

    async flush() {
      for (const { stage } of stages) await stage.flush();
    },

    async takeForeignRows(trx, scope) {
      const columns = Object.keys(scope);
      // An id begins with its source: nobody else of the source, nobody else at all.
      if (columns.every((column) => column === 'source')) return [];
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
      await ensurePartitions(trx, stream.parent.table, parentStage);
      const counts: LoadCounts = { inserted: 0, updated: 0, unchanged: 0, deleted: 0 };
      if (replace !== undefined && gone.length === 0) {
        const inserted = await insertNewDays(trx, scope, replace.window, runId);
        if (inserted !== undefined) return { ...counts, inserted };
      }
      await tellPlanner(trx);
      await dropSupersededVersions(trx);
      if (replace !== undefined && replace.keep !== 'all')
        counts.deleted += await deleteUnstaged(
          trx,
          stream,
          scope,
          vanishedFrom(replace.window, replace.keep),
        );
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
        const window = table === stream.parent.table && key.includes('date') ? replace?.window : undefined;
        const merged = await mergeStage(trx, {
          stage: `stage_${table}`,
          table,
          key,
          runId,
          ...(window === undefined ? {} : { window }),
        });
        counts.inserted += merged.inserted;
        counts.updated += merged.updated;
        counts.unchanged += merged.unchanged;
      }
      return counts;
    },
  };
}
