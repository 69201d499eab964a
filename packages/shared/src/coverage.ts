/** The coverage ledger: which days of an account and stream were read whole, and when. */
import { sql } from 'kysely';

import type { Database, Session, Transaction } from './db.ts';
import type { Day, DayWindow } from './window.ts';

export interface StreamKey {
  readonly source: string;
  readonly accountId: string;
  readonly stream: string;
}

export interface CoveredDay {
  readonly day: Day;
  /** The run that read it last. */
  readonly runId: string | null;
}

/** The covered days of the window, oldest first. */
export async function listCoverage(
  db: Session['db'],
  key: StreamKey,
  { from, to }: DayWindow,
): Promise<CoveredDay[]> {
  const { rows } = await sql<CoveredDay>`
    select day, run_id as "runId" from ops.coverage
    where source = ${key.source} and account_id = ${key.accountId} and stream = ${key.stream}
      and day >= ${from}::date and day < ${to}::date
    order by day`.execute(db);
  return rows;
}

/** The days that a stream still has to read. */
export interface OpenDays {
  /** Days of the window that were never read, oldest first. */
  readonly missing: readonly Day[];
  /** Days before the window's end, also before its beginning, whose last reading was before they were final. */
  readonly notFinal: readonly Day[];
}

/** What coverage leaves open: found by the database, since decades of final days would take longer to send than to read. */
export async function listOpenDays(db: Session['db'], key: StreamKey, window: DayWindow): Promise<OpenDays> {
  const { rows } = await sql<{ day: Day; missing: boolean }>`
    with covered as materialized (
      select day, read_at < final_at as is_open from ops.coverage
      where source = ${key.source} and account_id = ${key.accountId} and stream = ${key.stream}
        and day < ${window.to}::date
    )
    select day, false as missing from covered where is_open
    union all
    select g.day::date, true from generate_series(${window.from}::date, ${window.to}::date - 1, interval '1 day') g (day)
    where g.day::date not in (select day from covered)
    order by day`.execute(db);
  const days = (missing: boolean) => rows.filter((row) => row.missing === missing).map(({ day }) => day);
  return { missing: days(true), notFinal: days(false) };
}

/** Records that the days of the window were read whole at `readAt`; an earlier reading never replaces a later one. */
export async function writeCoverage(
  trx: Transaction<Database>,
  key: StreamKey,
  options: {
    readonly window: DayWindow;
    readonly readAt: string;
    /** The calendar of the days, and how many days after its end a day goes on changing. */
    readonly timezone: string;
    readonly restatementDays: number;
    readonly runId: string;
  },
): Promise<void> {
  const { from, to } = options.window;
  await sql`
    insert into ops.coverage as c (source, account_id, stream, day, read_at, final_at, run_id)
    select ${key.source}, ${key.accountId}, ${key.stream}, d.day, ${options.readAt},
      (d.day + ${1 + options.restatementDays}::integer)::timestamp at time zone ${options.timezone}, ${options.runId}
    from (select g::date as day from generate_series(${from}::date, ${to}::date - 1, interval '1 day') g) d
    on conflict (source, account_id, stream, day) do update
    set read_at = excluded.read_at, final_at = excluded.final_at, run_id = excluded.run_id
    where excluded.read_at >= c.read_at`.execute(trx);
}
