/** `repull`: the same rows again. What an unchanged re-pull writes and takes, against an upsert without a guard. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import { type Benchmark, figuresOf, ratios, secondsOf } from './figure.ts';
import { spendRows } from './spend-rows.ts';
import { createOurWay, encodeRows, upsertUnguarded } from './ways-to-load.ts';

const ROWS = 100_000;
const ROUNDS = 5;
const MEGABYTE = 1_000_000;

export const measureRepull: Benchmark = async (bench, { quick }) => {
  const rows = spendRows(quick ? ROWS / 10 : ROWS);
  await using database = await bench.createDatabase();
  const { session } = database;
  const load = await createOurWay(session);
  await load(rows);
  await sql`vacuum analyze spend`.execute(session.db);
  const ours = { seconds: [] as number[], megabytes: [] as number[] };
  const unguarded = { seconds: [] as number[], megabytes: [] as number[] };
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++) {
    bench.say(`repull: round ${round} of ${rounds}`);
    // After a checkpoint the first change of a page writes it whole: the same for both.
    for (const [measured, work] of [
      [ours, () => load(rows)],
      [unguarded, () => upsertUnguarded(session, encodeRows(rows))],
    ] as const) {
      await sql`checkpoint`.execute(session.db);
      const before = await walPosition(session);
      measured.seconds.push(await secondsOf(work));
      measured.megabytes.push((await walSince(session, before)) / MEGABYTE);
    }
    await sql`vacuum full analyze spend`.execute(session.db);
  }
  const figure = figuresOf('repull');
  const share = ratios(ours.megabytes, unguarded.megabytes).map((ratio) => ratio * 100);
  return [
    figure('our WAL', 'MB', ours.megabytes),
    figure('unguarded WAL', 'MB', unguarded.megabytes),
    figure('our WAL to unguarded', '%', share, { most: 1 }),
    figure('our time', 's', ours.seconds),
    figure('unguarded time', 's', unguarded.seconds),
  ];
};

async function walPosition({ db }: Session): Promise<string> {
  const { rows } = await sql<{ at: string }>`select pg_current_wal_insert_lsn()::text as at`.execute(db);
  return rows[0]?.at ?? '0/0';
}

async function walSince({ db }: Session, before: string): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select (pg_current_wal_insert_lsn() - ${before}::pg_lsn)::float8 as bytes`.execute(db);
  return rows[0]?.bytes ?? 0;
}
