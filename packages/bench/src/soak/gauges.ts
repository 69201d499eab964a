/** What is measured while days pass, and what of it must not grow. */
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';

import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

export interface Reading {
  readonly day: number;
  /** Live heap after a collection, in MB. */
  readonly heap_mb: number;
  readonly rss_mb: number;
  /** Sessions of the database, the one that measures left out. */
  readonly connections: number;
  /** Entries of the temporary folder, which is the soak's own. */
  readonly temp_files: number;
  /** Temporary tables of the database. */
  readonly temp_tables: number;
  /** The catalogue that temporary tables go through, with its indexes, after a vacuum, in MB. */
  readonly catalogue_mb: number;
  /** Rows that a vacuum left dead. */
  readonly dead_rows: number;
  /** Bytes a row of the tables that are rewritten again and again, after a vacuum. */
  readonly bytes_per_row: number;
  /** Rows of the ledger. */
  readonly runs: number;
}

const CATALOGUE = ['pg_attribute', 'pg_class', 'pg_type', 'pg_depend', 'pg_statistic'];
const REWRITTEN = ['public.spend', 'public.daily_metrics', 'ops.coverage'];
const MEGABYTE = 1_024 ** 2;

/** Takes a reading; vacuums first, as a database in use does by itself. */
export async function takeReading(
  { db }: Session,
  { day, collectGarbage }: { readonly day: number; readonly collectGarbage: () => void },
): Promise<Reading> {
  await sql`vacuum analyze`.execute(db);
  const { rows } = await sql<Omit<Reading, 'day' | 'heap_mb' | 'rss_mb' | 'temp_files'>>`
    select
      (select count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend') as connections,
      (select count(*)::int from pg_class where relpersistence = 't' and relkind = 'r') as temp_tables,
      (select sum(pg_total_relation_size(c))::float8 / ${MEGABYTE} from unnest(${CATALOGUE}::regclass[]) c) as catalogue_mb,
      (select coalesce(sum(n_dead_tup), 0)::int from pg_stat_all_tables where schemaname in ('public', 'ops', 'pg_catalog')) as dead_rows,
      (select sum(pg_total_relation_size(c.oid))::float8 / greatest(sum(c.reltuples), 1) from pg_class c
        where c.oid = any (${REWRITTEN}::regclass[])) as bytes_per_row,
      (select count(*)::int from ops.runs) as runs`.execute(db);
  const [fromDatabase] = rows;
  if (fromDatabase === undefined) throw new Error('The database told nothing');
  collectGarbage();
  const memory = process.memoryUsage();
  return {
    day,
    heap_mb: (memory.heapUsed + memory.external) / MEGABYTE,
    rss_mb: memory.rss / MEGABYTE,
    temp_files: (await readdir(tmpdir())).length,
    ...fromDatabase,
  };
}

/** How much more the last reading may be than the settled one, of what must not grow. */
const ALLOWED: readonly {
  readonly gauge: keyof Reading;
  readonly most: (settled: number) => number;
}[] = [
  { gauge: 'heap_mb', most: (settled) => settled + 10 },
  { gauge: 'rss_mb', most: (settled) => settled + 50 },
  { gauge: 'connections', most: (settled) => settled },
  { gauge: 'temp_files', most: (settled) => settled },
  { gauge: 'temp_tables', most: (settled) => settled },
  { gauge: 'catalogue_mb', most: (settled) => settled * 1.1 },
  { gauge: 'dead_rows', most: (settled) => settled * 1.5 + 200 },
  { gauge: 'bytes_per_row', most: (settled) => settled * 1.1 },
];

/** What grew from the settled reading to the last one, in words; empty when nothing did. */
export function findGrowth(settled: Reading, last: Reading): string[] {
  return ALLOWED.filter(({ gauge, most }) => last[gauge] > most(settled[gauge])).map(
    ({ gauge }) =>
      `${gauge} grew from ${format(settled[gauge])} on day ${settled.day} to ${format(last[gauge])} on day ${last.day}`,
  );
}

/** A table of the readings. */
export function formatReadings(readings: readonly Reading[]): string {
  const [first] = readings;
  if (first === undefined) return '';
  const lines = [
    Object.keys(first),
    ...readings.map((reading) => Object.values<number>({ ...reading }).map(format)),
  ];
  const widths = Object.keys(first).map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0)),
  );
  return lines
    .map((line) => line.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  '))
    .join('\n');
}

function format(value: number): string {
  return Number.isInteger(value) ? `${value}` : value.toFixed(1);
}
