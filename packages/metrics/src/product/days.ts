/**
 * Keeps what product metrics remember of days (kinds.ts) as the events say, and tells by comparison what a change reaches:
 * the days that are another now, and the day on which a life began whose later days changed. Months of events that
 * retention took out keep what was remembered of them.
 */
import { readFile } from 'node:fs/promises';

import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day, DayWindow } from '@floyo/shared/window';

import { listGroups } from '../facts.ts';
import { DAY_KINDS, type DayKind } from './kinds.ts';

/**
 * Fills product_touched (day, facts, cause), and adds to metric_marks the days of user_days that changed.
 * Expects metric_marks and metric_ahead.
 * @param every derives every day and not only the marked ones and those of `range`.
 */
export async function refreshProductDays(
  trx: Transaction<Database>,
  { every, range }: { readonly every: boolean; readonly range: DayWindow | undefined },
): Promise<void> {
  await sql`
    create temp table product_touched (day date, facts text, cause text) on commit drop`.execute(trx);
  if (!(await openProductDays(trx, every ? { from: '-infinity', to: 'infinity' } : range, true))) return;
  for (const kind of DAY_KINDS) {
    if (!(await findChanged(trx, kind))) continue;
    await apply(trx, kind);
    // Else the planner knows nothing of a table that was just filled.
    if (every) await sql`analyze ops.${sql.ref(kind.table)}`.execute(trx);
  }
}

/** When it is not known what the marks of events reach: every day may be touched. Expects metric_marks and metric_touched. */
export async function assumeProductTouched(trx: Transaction<Database>): Promise<void> {
  await sql`
    insert into metric_touched
    select distinct s.day, g.facts, 'events'
    from metric_source_days s
    cross join unnest(${productGroups()}::text[]) as g (facts)
    where exists (
      select from metric_marks where kind = 'day' and table_name in ('events', 'event_user_days'))`.execute(
    trx,
  );
}

function productGroups(): string[] {
  return listGroups()
    .filter(({ area }) => area === 'product')
    .map(({ name }) => name);
}

/**
 * Whether what is remembered of the days is what the events say; leaves it as it is. Days with marks are due anyway and
 * left out, and what differs is marked, so that the next run puts it right.
 * @returns how many rows differ, by kind.
 */
export async function checkProductDays(
  trx: Transaction<Database>,
  range: DayWindow,
): Promise<{ table: string; day: Day; rows: number }[]> {
  if (!(await openProductDays(trx, range, false))) return [];
  const differing: { table: string; day: Day; rows: number }[] = [];
  for (const kind of DAY_KINDS) {
    if (!(await findChanged(trx, kind))) continue;
    const { rows } = await sql<{ table: string; day: Day; rows: number }>`
      select ${kind.table}::text as "table", day, count(*)::int as rows from product_changed group by day order by day`.execute(
      trx,
    );
    differing.push(...rows);
    await sql`
      insert into ops.dirty_marks (kind, table_name, day)
      select distinct 'day', ${kind.from}::text, day from product_changed`.execute(trx);
  }
  return differing;
}

/** Fills product_open (table_name, day): the days of the range, with the marked ones or without them. @returns whether any. */
async function openProductDays(
  trx: Transaction<Database>,
  range: DayWindow | undefined,
  withMarked: boolean,
): Promise<boolean> {
  // Without any event there is no first and no last day; least and greatest would take the other bound.
  const asked =
    range === undefined
      ? sql`select null::date as day where false`
      : sql`
        select g::date as day
        from (
          select least((select min(date) from public.events), (select min(date) from public.event_user_days),
              (select min(day) from ops.event_days), (select min(day) from ops.suggestion_days), (select min(day) from ops.email_days)) as first,
            greatest((select max(date) from public.events), (select max(date) from public.event_user_days),
              (select max(day) from ops.event_days), (select max(day) from ops.suggestion_days), (select max(day) from ops.email_days)) as last
        ) b
        cross join generate_series(case when b.first is not null then greatest(b.first, ${range.from}::date) end::timestamp,
          case when b.last is not null then least(b.last, ${range.to}::date - 1) end::timestamp, '1 day') g`;
  await sql`drop table if exists pg_temp.product_open`.execute(trx);
  await sql`
    create temp table product_open on commit drop as
    with marked as (
      select distinct table_name, day from metric_marks where kind = 'day' and table_name in ('events', 'event_user_days')
    ), asked as (${asked})
    select d.table_name, d.day
    from (
      select table_name, day from marked where ${withMarked}
      union
      select t.table_name, a.day from asked a cross join (values ('events'), ('event_user_days')) as t (table_name)
      where ${withMarked} or (t.table_name, a.day) not in (select table_name, day from marked)
    ) d
    where not exists (
      select from ops.retired_partitions r where r.table_name = d.table_name and d.day >= r.from_day and d.day < r.to_day)`.execute(
    trx,
  );
  await sql`analyze product_open`.execute(trx);
  const { rows } = await sql`select 1 from product_open limit 1`.execute(trx);
  return rows.length > 0;
}

/** Fills product_fresh, and product_changed: the rows that are others now, or gone. @returns whether there are any. */
async function findChanged(trx: Transaction<Database>, kind: DayKind): Promise<boolean> {
  const text = await readFile(new URL(`../sql/days/${kind.table}.sql`, import.meta.url), 'utf8');
  const columns = sql.join([...keysOf(kind), ...kind.says].map((column) => sql.ref(column)));
  await sql`drop table if exists pg_temp.product_fresh, pg_temp.product_changed`.execute(trx);
  await sql`create temp table product_fresh on commit drop as ${sql.raw(text)}`.execute(trx);
  const keys = sql.join(keysOf(kind).map((column) => sql.ref(column)));
  await sql`
    create temp table product_changed on commit drop as
    with stored as (
      select ${columns} from ops.${sql.ref(kind.table)}
      where day in (select day from product_open where table_name = ${kind.from})
    )
    select ${keys} from (select * from stored except select ${columns} from product_fresh) gone
    union
    select ${keys} from (select ${columns} from product_fresh except select * from stored) came`.execute(trx);
  await sql`analyze product_changed`.execute(trx);
  const { rows } = await sql`select 1 from product_changed limit 1`.execute(trx);
  return rows.length > 0;
}

/** Makes the stored rows the fresh ones, and touches what that reaches. */
async function apply(trx: Transaction<Database>, kind: DayKind): Promise<void> {
  const table = sql`ops.${sql.ref(kind.table)}`;
  const keys = keysOf(kind);
  const same = (left: string) =>
    sql.join(
      keys.map((column) => sql`${sql.ref(`${left}.${column}`)} = ${sql.ref(`c.${column}`)}`),
      sql` and `,
    );
  const columns = [...keys, ...kind.says];
  await rememberBeginnings(trx, kind, 'product_before');
  await sql`delete from ${table} t using product_changed c where ${same('t')}`.execute(trx);
  await sql`
    insert into ${table} (${sql.join(columns.map((column) => sql.ref(column)))})
    select ${sql.join(columns.map((column) => sql.ref(`f.${column}`)))}
    from product_fresh f join product_changed c on ${same('f')}
    order by f.day`.execute(trx);
  await rememberBeginnings(trx, kind, 'product_after');
  if (kind.table === 'user_days')
    await sql`
      insert into metric_marks (kind, table_name, day)
      select distinct 'day', 'user_days', day from product_changed`.execute(trx);
  await touchBeginnings(trx, kind);
}

/** Fills a table (key, day): when each life began of which a day changed. */
async function rememberBeginnings(trx: Transaction<Database>, kind: DayKind, name: string): Promise<void> {
  if (kind.key === undefined || kind.begins === undefined) return;
  const key = sql.ref(kind.key);
  await sql`drop table if exists ${sql.ref(`pg_temp.${name}`)}`.execute(trx);
  await sql`
    create temp table ${sql.ref(name)} on commit drop as
    select c.key, min(t.day) as day
    from (select distinct ${key} as key from product_changed) c
    join ops.${sql.ref(kind.table)} t on t.${key} = c.key and t.${sql.ref(kind.begins)}
    group by c.key`.execute(trx);
}

/**
 * A life that begins on another day touches both days, with all that is told on them; one that goes on otherwise touches
 * what came of the day it began on, where that looks as far as the change.
 */
async function touchBeginnings(trx: Transaction<Database>, kind: DayKind): Promise<void> {
  if (kind.key === undefined) return;
  await sql`
    insert into product_touched
    with moved as materialized (
      select key, b.day as before, a.day as after from product_before b full join product_after a using (key)
      where b.day is distinct from a.day
    )
    select distinct d.day, g.facts, ${kind.from}::text
    from moved m
    cross join lateral (values (m.before), (m.after)) as d (day)
    cross join (values (${kind.beginnings}::text), (${kind.outcomes}::text)) as g (facts)
    where d.day is not null
    union
    select distinct a.day, h.facts, ${kind.from}::text
    from product_changed c
    join product_after a on a.key = c.${sql.ref(kind.key)}
    join (select facts, max(within) as within from metric_ahead group by facts) h on h.facts = ${kind.outcomes}
    where c.day between a.day and a.day + h.within`.execute(trx);
}

function keysOf(kind: DayKind): string[] {
  return kind.key === undefined ? ['day'] : [kind.key, 'day'];
}
