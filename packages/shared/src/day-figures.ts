/**
 * What a vendor said of each day when its rows were read (`ops.source_days`): the engine compares it with what the vendor
 * says now, so that only days that differ are read again. Owns the table, the comparison, and the halving of the question.
 */
import { sql } from 'kysely';

import type { Account, AnyStream, DayFigures, Io } from './connector.ts';
import { encodeJson } from './copy-text.ts';
import type { StreamKey } from './coverage.ts';
import type { Database, Session, Transaction } from './db.ts';
import { WindowTooLargeError } from './errors.ts';
import { scopeCondition } from './sql-parts.ts';
import { type Day, type DayWindow, halve, listDays } from './window.ts';

/** The vendor's figures by day; a day without any has no records there. */
export type FiguresByDay = ReadonlyMap<Day, DayFigures>;

/** Asks the vendor, for fewer days at once when it is too much; undefined for a stream whose vendor can't tell. */
export async function readFigures(
  stream: AnyStream,
  account: Account,
  window: DayWindow,
  io: Io,
): Promise<FiguresByDay | undefined> {
  const { figures } = stream;
  if (figures === undefined) return undefined;
  try {
    return await figures.read(account, window, io);
  } catch (error) {
    const halves = error instanceof WindowTooLargeError ? halve(window) : null;
    if (halves === null) throw error;
    const parts = new Map<Day, DayFigures>();
    for (const half of halves)
      for (const [day, told] of (await readFigures(stream, account, half, io)) ?? []) parts.set(day, told);
    return parts;
  }
}

/**
 * The days of the window on which the vendor says something else than when they were read, on which rows are missing
 * or too many here, or that were never read.
 */
export async function findChangedDays(
  db: Session['db'],
  key: StreamKey,
  stream: AnyStream,
  window: DayWindow,
  now: FiguresByDay,
): Promise<Day[]> {
  const days = listDays(window).map((day) => ({ day, figures: now.get(day) ?? {} }));
  const { rows } = await sql<{ day: Day }>`
    with stored as materialized (
      select t.date as day, count(*) as rows from ${sql.table(stream.parent.table)} t
      where ${scopeCondition(stream.parent.scope(key.accountId), 't')}
        and t.date >= ${window.from}::date and t.date < ${window.to}::date
      group by t.date
    )
    select d.day from jsonb_to_recordset(${encodeJson(days)}::jsonb) as d (day date, figures jsonb)
    left join ops.source_days k on k.day = d.day
      and k.source = ${key.source} and k.account_id = ${key.accountId} and k.stream = ${key.stream}
    left join ops.coverage c on c.day = d.day
      and c.source = ${key.source} and c.account_id = ${key.accountId} and c.stream = ${key.stream}
    left join stored s on s.day = d.day
    where c.day is null or k.figures is distinct from d.figures or k.rows <> coalesce(s.rows, 0)
    order by d.day`.execute(db);
  return rows.map(({ day }) => day);
}

/** Keeps what the vendor said of the days whose rows are loaded in the same transaction, and how many rows they are. */
export async function writeFigures(
  trx: Transaction<Database>,
  key: StreamKey,
  stream: AnyStream,
  options: {
    readonly window: DayWindow;
    readonly figures: FiguresByDay;
    readonly comparedAt: string;
    readonly runId: string;
  },
): Promise<void> {
  const { window, figures, comparedAt, runId } = options;
  const days = listDays(window).map((day) => ({ day, figures: figures.get(day) ?? {} }));
  await sql`
    insert into ops.source_days as k (source, account_id, stream, day, figures, rows, compared_at, run_id)
    select ${key.source}, ${key.accountId}, ${key.stream}, d.day, d.figures, coalesce(s.rows, 0), ${comparedAt}, ${runId}::uuid
    from jsonb_to_recordset(${encodeJson(days)}::jsonb) as d (day date, figures jsonb)
    left join (
      select t.date as day, count(*) as rows from ${sql.table(stream.parent.table)} t
      where ${scopeCondition(stream.parent.scope(key.accountId), 't')}
        and t.date >= ${window.from}::date and t.date < ${window.to}::date
      group by t.date) s on s.day = d.day
    on conflict (source, account_id, stream, day) do update
    set figures = excluded.figures, rows = excluded.rows, compared_at = excluded.compared_at, run_id = excluded.run_id`.execute(
    trx,
  );
}
