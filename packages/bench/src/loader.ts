/** `loader`: new rows through our loader, against a bare COPY and a multi-row upsert of the same rows. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import { type Benchmark, figuresOf, ratios, secondsOf } from './figure.ts';
import { spendRows } from './spend-rows.ts';
import { copyBare, createOurWay, encodeRows, upsertMultiRow } from './ways-to-load.ts';

const ROWS = 100_000;
const ROUNDS = 5;
const BATCH = 1_000;

export const measureLoader: Benchmark = async (bench, { quick }) => {
  const rows = spendRows(quick ? ROWS / 10 : ROWS);
  await using database = await bench.createDatabase();
  const { session } = database;
  const load = await createOurWay(session);
  const ways = {
    ours: () => load(rows),
    copy: () => copyBare(session, encodeRows(rows)),
    copyWithoutTriggers: () => withoutTriggers(session, () => copyBare(session, encodeRows(rows))),
    upsert: () => upsertMultiRow(session, rows, BATCH),
  };
  const seconds: Record<keyof typeof ways, number[]> = {
    ours: [],
    copy: [],
    copyWithoutTriggers: [],
    upsert: [],
  };
  // One round is not counted: the code and the catalogue are cold in it.
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 0; round <= rounds; round++) {
    bench.say(`loader: round ${round} of ${rounds}`);
    for (const way of ['copy', 'ours', 'copyWithoutTriggers', 'upsert'] as const) {
      await empty(session);
      const took = await secondsOf(ways[way]);
      if (round > 0) seconds[way].push(took);
    }
  }
  const figure = figuresOf('loader');
  const speed = (took: readonly number[]) => took.map((value) => rows.length / value);
  return [
    figure('our loader', 'rows/s', speed(seconds.ours)),
    figure('bare COPY, triggers on', 'rows/s', speed(seconds.copy)),
    figure('bare COPY, triggers off', 'rows/s', speed(seconds.copyWithoutTriggers)),
    figure('upserts of 1,000 rows', 'rows/s', speed(seconds.upsert)),
    figure('ours to bare COPY', 'x', ratios(seconds.copy, seconds.ours), { least: 0.4 }),
    figure('ours to bare COPY without triggers', 'x', ratios(seconds.copyWithoutTriggers, seconds.ours)),
    figure('ours to upserts', 'x', ratios(seconds.upsert, seconds.ours), { least: 2 }),
  ];
};

async function empty(session: Session): Promise<void> {
  await sql`truncate spend, ops.dirty_marks`.execute(session.db);
  await sql`checkpoint`.execute(session.db);
}

async function withoutTriggers(session: Session, work: () => Promise<void>): Promise<void> {
  await sql`set session_replication_role = replica`.execute(session.db);
  await work();
  await sql`set session_replication_role = origin`.execute(session.db);
}
