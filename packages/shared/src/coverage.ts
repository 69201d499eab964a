/** The coverage ledger: which days of an account and stream were read whole, and when. */
import { sql } from 'kysely';

import type { Settings } from './connector.ts';
import { encodeJson } from './copy-text.ts';
import type { Database, Session, Transaction } from './db.ts';
import type { Day, DayWindow } from './window.ts';

export interface StreamKey {
  readonly source: string;
  readonly accountId: string;
  readonly stream: string;
}

export interface CoveredDay {
  readonly day: Day;
  /** The run that read it last; null when it did so with other settings than those in force. */
  readonly runId: string | null;
}

/** The covered days of the window, oldest first. */
export async function listCoverage(
  db: Session['db'],
  key: StreamKey,
  { from, to }: DayWindow,
  settings?: Settings,
): Promise<CoveredDay[]> {
  const { rows } = await sql<CoveredDay>`
    select day, case when ${areOther(settings)} then null else run_id end as "runId" from ops.coverage
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

/** Whether a covered day was read with other settings than these; unknown (null) where it remembers none, or none are given. */
function areOther(settings: Settings | undefined) {
  const inForce = settings === undefined ? null : encodeJson(settings);
  return sql<boolean | null>`not (${inForce}::jsonb @> settings)`;
}

/** Covered days that were read with other settings than those in force. */
export interface OtherDays {
  /** How many of them the vendor still tells, one at least; the first and the last. */
  readonly days: number;
  readonly from: Day;
  readonly to: Day;
  /** How many earlier ones it no longer tells. */
  readonly forgotten: number;
  /** What the latest of their readings was made with, and how many such settings there are in all. */
  readonly settings: Settings;
  readonly kinds: number;
}

/** The days that were read with other settings and can be read again; undefined when there are none. */
export async function findOtherDays(
  db: Session['db'],
  key: StreamKey,
  settings: Settings,
  earliestDay: Day | undefined,
): Promise<OtherDays | undefined> {
  const { rows } = await sql<OtherDays>`
    with other as (
      select day, settings, read_at, day >= ${earliestDay ?? '-infinity'}::date as is_told from ops.coverage
      where source = ${key.source} and account_id = ${key.accountId} and stream = ${key.stream} and ${areOther(settings)}
    )
    select (count(*) filter (where is_told))::int as days, min(day) filter (where is_told) as "from",
      max(day) filter (where is_told) as "to", (count(*) filter (where not is_told))::int as forgotten,
      (array_agg(settings order by read_at desc, day desc) filter (where is_told))[1] as settings,
      (count(distinct settings) filter (where is_told))::int as kinds
    from other having count(*) filter (where is_told) > 0`.execute(db);
  return rows[0];
}

/**
 * Records that the days of the window were read whole at `readAt`; an earlier reading never replaces a later one. Without
 * `settings` days keep those that they remember.
 */
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
    readonly settings?: Settings | undefined;
  },
): Promise<void> {
  const { from, to } = options.window;
  const settings = options.settings === undefined ? null : encodeJson(options.settings);
  await sql`
    insert into ops.coverage as c (source, account_id, stream, day, read_at, final_at, run_id, settings)
    select ${key.source}, ${key.accountId}, ${key.stream}, d.day, ${options.readAt},
      (d.day + ${1 + options.restatementDays}::integer)::timestamp at time zone ${options.timezone}, ${options.runId}, ${settings}::jsonb
    from (select g::date as day from generate_series(${from}::date, ${to}::date - 1, interval '1 day') g) d
    on conflict (source, account_id, stream, day) do update
    set read_at = excluded.read_at, final_at = excluded.final_at, run_id = excluded.run_id,
      settings = coalesce(excluded.settings, c.settings)
    where excluded.read_at >= c.read_at`.execute(trx);
}
