/**
 * Compares what is stored with the vendor's own totals, per day. A drift is told and kept with the result; it is no
 * failure, because both figures are the vendor's and one of them may be the late one.
 */
import { Decimal } from 'decimal.js';
import { sql } from 'kysely';

import type { Account, AnyStream, Io } from './connector.ts';
import type { Session } from './db.ts';
import { scopeCondition } from './sql-parts.ts';
import { type Day, dayOf, type DayWindow, listDays } from './window.ts';

/** One day and measure on which both figures differ by more than 0.1 %. */
export interface Drift {
  readonly day: Day;
  readonly measure: string;
  readonly ours: string;
  readonly theirs: string;
}

export interface Reconciliation {
  readonly days: number;
  readonly drift: readonly Drift[];
}

/** Differences up to this share are the vendor's own rounding and timing. */
const TOLERANCE = new Decimal('0.001');

/** Compares the days of the window that have ended; today is still growing. Undefined when there is nothing to compare. */
export async function reconcile(
  db: Session['db'],
  stream: AnyStream,
  account: Account,
  io: Io,
  window: DayWindow,
  calendar: string,
): Promise<Reconciliation | undefined> {
  const today = dayOf(io.now(), calendar);
  const ended = { from: window.from, to: window.to < today ? window.to : today };
  if (stream.totals === undefined || ended.from >= ended.to) return undefined;
  const { measures } = stream.totals;
  const theirs = await stream.totals.read(account, ended, io);
  const ours = await sumStored(db, stream, account, ended, measures);
  const drift = listDays(ended).flatMap((day) =>
    measures.flatMap((measure): Drift[] => {
      const told = theirs.get(day);
      // A measure that the vendor does not tell for a day it does list can't be compared.
      if (told !== undefined && told[measure] === undefined) return [];
      const a = new Decimal(ours.get(day)?.[measure] ?? 0);
      const b = new Decimal(told?.[measure] ?? 0);
      const limit = Decimal.max(a.abs(), b.abs()).times(TOLERANCE);
      return a.minus(b).abs().gt(limit) ? [{ day, measure, ours: a.toFixed(), theirs: b.toFixed() }] : [];
    }),
  );
  return { days: listDays(ended).length, drift };
}

async function sumStored(
  db: Session['db'],
  { parent }: AnyStream,
  account: Account,
  window: DayWindow,
  measures: readonly string[],
): Promise<ReadonlyMap<Day, Readonly<Record<string, string>>>> {
  const sums = measures.map((measure) =>
    measure === 'rows'
      ? sql`count(*)::text as rows`
      : sql`coalesce(sum(${sql.ref(measure)}), 0)::text as ${sql.ref(measure)}`,
  );
  const { rows } = await sql<{ day: Day } & Record<string, string>>`
    select t.date as day, ${sql.join(sums)} from ${sql.table(parent.table)} t
    where ${scopeCondition(parent.scope(account.id), 't')} and t.date >= ${window.from}::date and t.date < ${window.to}::date
    group by t.date`.execute(db);
  return new Map(rows.map((row) => [row.day, row]));
}
