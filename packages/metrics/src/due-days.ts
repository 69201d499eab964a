/**
 * Which days to compute, of which metrics: what marks touch, what the clock or coverage changed, what was asked for.
 * Owns the temporary tables
 *   metric_open   the days that may have to be made anew; metric_statuses is filled for them
 *   metric_due    a day and a need to make anew, with the causes
 *   metric_extra  stored rows that should not be
 *   metric_days   the days of each fact group that have to be read for it
 */
import { sql } from 'kysely';

import type { Database, Transaction } from '@floyo/shared/db';
import type { DayWindow } from '@floyo/shared/window';

import { type Deriving, findTouched } from './due-groups.ts';
import { expectedRows, type ExpectOptions, expectStatuses, readNeeds } from './expected.ts';
import { findAlteredDays } from './signatures.ts';
import { refreshSpans } from './subscriptions/refresh.ts';

export interface DueOptions extends ExpectOptions {
  /** Half-open, like every window. */
  readonly range: DayWindow | undefined;
  /** Every day, for this reason. */
  readonly full: 'full' | 'definition' | 'rezone' | 'coverage' | undefined;
  readonly derive: Deriving;
}

/** Fills the temporary tables; they end with the transaction. @returns how many days are due. */
export async function findDueDays(trx: Transaction<Database>, asked: DueOptions): Promise<number> {
  const scope = asked.derive === 'none' ? 'none' : asked.full === undefined ? 'marked' : 'all';
  await refreshSpans(trx, { scope, today: asked.today });
  await readNeeds(trx, asked);
  await findAlteredDays(trx, asked);
  const options = { ...asked, full: asked.full ?? ((await isEveryDayAltered(trx)) ? 'coverage' : undefined) };
  await findTouched(trx, {
    currency: options.currency,
    today: options.today,
    full: options.full !== undefined,
    range: options.range,
    derive: options.derive,
  });
  await openDays(trx, options);
  await expectStatuses(trx, 'metric_open', options);
  await compareStored(trx);
  await collectDue(trx, options);
  await listDaysToRead(trx, options.today);
  const { rows } = await sql<{ days: number }>`
    select count(*)::int as days from (select day from metric_due union select date from metric_extra) d`.execute(
    trx,
  );
  return rows[0]?.days ?? 0;
}

/** The first run, or another registry: then nothing has to be looked up to know what is due. */
async function isEveryDayAltered(trx: Transaction<Database>): Promise<boolean> {
  const { rows } = await sql<{ every: boolean }>`
    select not exists (select day from metric_source_days except select day from metric_altered) as every`.execute(
    trx,
  );
  return rows[0]?.every ?? false;
}

async function openDays(trx: Transaction<Database>, { range, full }: DueOptions): Promise<void> {
  await sql`
    create temp table metric_open on commit drop as
    select day from metric_altered
    union select day from metric_touched
    union
    select day from metric_source_days
    where ${full !== undefined} or (day >= ${range?.from ?? 'infinity'}::date and day < ${range?.to ?? '-infinity'}::date)`.execute(
    trx,
  );
  await sql`analyze metric_open`.execute(trx);
}

/** Of altered days: rows that are missing, are too many, whose status is another, or whose parts are known by now or no longer. */
async function compareStored(trx: Transaction<Database>): Promise<void> {
  await sql`
    create temp table metric_differing on commit drop as
    select e.day, e.needs, d.external_id, d.date
    from (${expectedRows(sql`join metric_altered a on a.day = s.day`)}) e
    full join (select * from public.daily_metrics where date in (select day from metric_altered)) d
      on d.external_id = e.external_id and d.date = e.day
    where e.status is distinct from d.status
      or e.left_known is distinct from (coalesce(d.numerator, d.value) is not null)
      or e.right_known is distinct from (d.denominator is not null)`.execute(trx);
  await sql`
    create temp table metric_extra on commit drop as
    select external_id, date from metric_differing where needs is null`.execute(trx);
}

async function collectDue(trx: Transaction<Database>, { range, full }: DueOptions): Promise<void> {
  await sql`
    create temp table metric_due on commit drop as
    with causes as (
      select t.day, g.needs, t.cause from metric_touched t join metric_need_groups g on g.facts = t.facts
      union all
      select day, needs, 'coverage' from metric_differing where needs is not null
      union all
      select day, needs, coalesce(${full ?? null}::text, 'range') from metric_statuses
      where ${full !== undefined} or (day >= ${range?.from ?? 'infinity'}::date and day < ${range?.to ?? '-infinity'}::date)
    )
    select c.day, c.needs, string_agg(distinct c.cause, ', ' order by c.cause) as cause
    from causes c
    join (select distinct day, needs from metric_statuses) s on s.day = c.day and s.needs = c.needs
    group by c.day, c.needs`.execute(trx);
  await sql`analyze metric_due`.execute(trx);
}

/** A group that only looks ahead is read for mature days alone: before, its metrics are null. */
export async function listDaysToRead(trx: Transaction<Database>, today: string): Promise<void> {
  await sql`
    create temp table metric_days on commit drop as
    select distinct g.facts, d.day
    from metric_due d
    join metric_need_groups g on g.needs = d.needs
    left join (select facts, min(within) as soonest from metric_ahead group by facts) a on a.facts = g.facts
    where a.facts is null or d.day + a.soonest < ${today}::date`.execute(trx);
  await sql`analyze metric_days`.execute(trx);
}
