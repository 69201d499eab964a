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
  readonly temp_files: (await readdir(tmpdir())).length,
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
  return ALLOWED.flatMap(({ gauge, most }) =>
    last[gauge] > most(settled[gauge])
      ? [
          `${gauge} grew from ${format(settled[gauge])} on day ${settled.day} to ${format(last[gauge])} on day ${last.day}`,
        ]
      : [],
  );
}

/** A table of the readings. */
export function formatReadings(readings: readonly Reading[]): string {
  const [first] = readings;
  if (first === undefined) return '';
  const columns = ['day', ...Object.keys(first).filter((name) => name !== 'day')] as (keyof Reading)[];
  const lines = [columns, ...readings.map((reading) => columns.map((column) => format(reading[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  '))
    .join('\n');
}

function format(value: number): string {
  return Number.isInteger(value) ? `${value}` : value.toFixed(1);
}
