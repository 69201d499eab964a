/**
 * The results of experiments in a metrics run, in its transaction: of those whose plan, events, coverage or day changed
 * since they were last computed, whole and from the events. Owns public.experiment_results and ops.experiment_states.
 */
import { readFile } from 'node:fs/promises';

import { sql } from 'kysely';
import { z } from 'zod';

import type { Database, Transaction } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

import { countDays, type DayCounts, type Plan, type UserGroup } from './counts.ts';
import { chancesToBeBest } from './inference.ts';
import { type Arm, judge } from './verdict.ts';

export const variantsSchema = z
  .array(z.object({ name: z.string().min(1), weight: z.number().positive() }))
  .min(2);

interface DueExperiment {
  readonly key: string;
  readonly variants: unknown;
  readonly first_day: Day;
  readonly last_day: Day;
  readonly window_days: number;
  readonly planned_n: number | null;
  readonly planned_end: Day | null;
  readonly stopped_day: Day | null;
  readonly digest: string;
}

/**
 * Computes what is due. Expects metric_marks and metric_source_days.
 * @param options.full every experiment, but those whose events retention took out.
 * @returns how many were computed.
 */
export async function computeExperiments(
  trx: Transaction<Database>,
  options: {
    readonly today: Day;
    readonly now: string;
    readonly timezone: string;
    readonly runId: string;
    readonly full: boolean;
  },
): Promise<number> {
  await sql`
    delete from public.experiment_results r where r.experiment not in (select key from public.experiments)`.execute(
    trx,
  );
  await sql`delete from ops.experiment_states where experiment not in (select key from public.experiments)`.execute(
    trx,
  );
  const due = await findDue(trx, options);
  if (due.length === 0) return 0;
  const finding = await readStatement('experiment_users');
  const counting = await readStatement('experiment_counts');
  const whole = await readWholeDays(trx);
  for (const experiment of due) {
    await planOne(trx, experiment.key, options);
    await sql`drop table if exists pg_temp.experiment_users`.execute(trx);
    await sql`create temp table experiment_users on commit drop as ${sql.raw(finding)}`.execute(trx);
    await sql`analyze experiment_users`.execute(trx);
    const { rows: groups } = await sql.raw<UserGroup>(counting).execute(trx);
    const variants = variantsSchema.parse(experiment.variants);
    const plan: Plan = {
      firstDay: experiment.first_day,
      windowDays: experiment.window_days,
      plannedN: experiment.planned_n,
      plannedEnd: experiment.planned_end,
      stoppedDay: experiment.stopped_day,
    };
    const { days, endsOn } = countDays(groups, plan, {
      today: options.today,
      isWhole: (day) => whole.isWhole(experiment.first_day, day),
    });
    const rows = days.flatMap((counts) => toRows(experiment.key, variants, counts));
    await storeRows(trx, experiment.key, rows, options);
    await sql`
      insert into ops.experiment_states as s (experiment, digest, ends_on, computed_at)
      values (${experiment.key}, ${experiment.digest}, ${endsOn}::date, ${options.now}::timestamptz)
      on conflict (experiment) do update set digest = excluded.digest, ends_on = excluded.ends_on, computed_at = excluded.computed_at`.execute(
      trx,
    );
  }
  return due.length;
}

/** Experiments of which something changed: the digest, or an event of their days. */
async function findDue(
  trx: Transaction<Database>,
  { today, timezone, full }: { readonly today: Day; readonly timezone: string; readonly full: boolean },
): Promise<DueExperiment[]> {
  const { rows } = await sql<DueExperiment>`
    with days as (
      select e.*, s.ends_on, s.digest as known,
        (e.started_at at time zone ${timezone})::date as first_day,
        (e.stopped_at at time zone ${timezone})::date as stopped_day,
        -- The day after the end is the one on which it is over.
        least(${today}::date, s.ends_on + 1) as last_day
      from public.experiments e
      left join ops.experiment_states s on s.experiment = e.key
    ), digests as (
      select d.*, md5(concat_ws('/', ${timezone}::text, d.last_day, d.variants, d.exposure_event, d.experiment_property, d.variant_property,
        d.conversion_event, d.window_days, coalesce(d.planned_n::text, '-'), coalesce(d.planned_end::text, '-'), d.started_at,
        coalesce(d.stopped_at::text, '-'), (
          select string_agg(concat(c.day, c.covered, c.lacking), ',' order by c.day) from metric_source_days c
          where c.area = 'product' and c.source = '' and c.within = 0 and c.back = 0
            and c.day between d.first_day and d.last_day
        ))) as digest
      from days d
    )
    select d.key, d.variants, d.first_day, d.last_day, d.window_days, d.planned_n, d.planned_end, d.stopped_day, d.digest
    from digests d
    where (${full} or d.digest is distinct from d.known or exists (
        select from metric_marks m
        where m.kind = 'day' and m.table_name in ('events', 'event_user_days') and m.day between d.first_day and d.last_day))
      and not exists (
        select from ops.retired_partitions r where r.from_day <= d.last_day and r.to_day > d.first_day)
    order by d.key`.execute(trx);
  return rows;
}

/** Which days were read whole. */
async function readWholeDays(trx: Transaction<Database>) {
  const { rows } = await sql<{ day: Day }>`
    select day from metric_source_days
    where area = 'product' and source = '' and within = 0 and back = 0 and covered and not lacking
    order by day`.execute(trx);
  const days = rows.map(({ day }) => day);
  const whole = new Set(days);
  return {
    /** Every day from one to the other. */
    isWhole(from: Day, to: Day): boolean {
      const wanted = (Date.parse(to) - Date.parse(from)) / 86_400_000 + 1;
      return (
        whole.has(from) && whole.has(to) && days.filter((day) => day >= from && day <= to).length === wanted
      );
    },
  };
}

/** The text of sql/<name>.sql. */
function readStatement(name: string): Promise<string> {
  return readFile(new URL(`../sql/${name}.sql`, import.meta.url), 'utf8');
}

/** Fills experiment_plan, which the statements read. */
async function planOne(
  trx: Transaction<Database>,
  key: string,
  { today, timezone }: { readonly today: Day; readonly timezone: string },
): Promise<void> {
  await sql`drop table if exists pg_temp.experiment_plan`.execute(trx);
  await sql`
    create temp table experiment_plan on commit drop as
    select e.key, e.exposure_event, e.experiment_property, e.variant_property, e.conversion_event, e.window_days,
      e.started_at, e.stopped_at, (e.started_at at time zone ${timezone})::date as first_day,
      least(${today}::date, e.planned_end, (e.stopped_at at time zone ${timezone})::date) as last_day,
      array(select v ->> 'name' from jsonb_array_elements(e.variants) v) as variants
    from public.experiments e where e.key = ${key}`.execute(trx);
  await sql`analyze experiment_plan`.execute(trx);
}

function toRows(key: string, variants: z.infer<typeof variantsSchema>, counts: DayCounts) {
  const [control, ...others] = variants.map(({ name, weight }): Arm => ({
    variant: name,
    weight,
    ...(counts.arms.get(name) ?? { users: 0, conversions: 0 }),
  }));
  if (control === undefined) throw new Error(`${key} has no variants`);
  const chances = chancesToBeBest([control, ...others]);
  const { arms, status, srm_p_value, winner } = judge([control, ...others], counts.phase);
  return arms.map((arm, index) => ({
    ...arm,
    probability_best: chances[index] ?? null,
    external_id: `${key}[variant=${arm.variant}]`,
    date: counts.day,
    experiment: key,
    status,
    is_closed: counts.isClosed,
    excluded_users: counts.excluded,
    srm_p_value,
    winner,
  }));
}

/** Makes the stored rows of the experiment these; rows that are the same stay untouched. */
async function storeRows(
  trx: Transaction<Database>,
  key: string,
  rows: readonly ReturnType<typeof toRows>[number][],
  { now, runId }: { readonly now: string; readonly runId: string },
): Promise<void> {
  const columns = Object.keys(rows[0] ?? {});
  const fresh = sql`jsonb_populate_recordset(null::public.experiment_results, ${JSON.stringify(rows)}::jsonb)`;
  await sql`
    delete from public.experiment_results r
    where r.experiment = ${key} and not exists (
      select from ${fresh} f where f.external_id = r.external_id and f.date = r.date)`.execute(trx);
  if (rows.length === 0) return;
  const of = (row: string) => sql.join(columns.map((column) => sql.ref(`${row}.${column}`)));
  await sql`
    insert into public.experiment_results as r (${sql.join(columns.map((column) => sql.ref(column)))}, computed_at, synced_at, run_id)
    select ${of('f')}, ${now}::timestamptz, now(), ${runId}::uuid from ${fresh} f
    on conflict (external_id, date) do update set
      ${sql.join(columns.map((column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`))},
      computed_at = excluded.computed_at, synced_at = excluded.synced_at, run_id = excluded.run_id
    where (${of('r')}) is distinct from (${of('excluded')})`.execute(trx);
}
