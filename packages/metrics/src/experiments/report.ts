/** Reading experiments for people: each with its plan and what is known of it by its latest day. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

import { variantsSchema } from './results.ts';
import type { ArmResult, ExperimentStatus } from './verdict.ts';

/** A variant by the end of a day; see public.experiment_results. */
export interface VariantResult extends ArmResult {
  readonly date: Day;
  readonly status: ExperimentStatus;
  readonly is_closed: boolean;
  readonly probability_best: number | null;
  readonly excluded_users: number;
  readonly srm_p_value: number | null;
  readonly winner: string | null;
}

export interface ExperimentReport {
  readonly key: string;
  readonly hypothesis: string;
  readonly owner: string;
  readonly variants: readonly { readonly name: string; readonly weight: number }[];
  readonly exposure_event: string;
  readonly conversion_event: string;
  readonly window_days: number;
  readonly planned_n: number | null;
  readonly planned_end: Day | null;
  readonly started_at: string;
  readonly stopped_at: string | null;
  /** The day on which the last user's window is over; null while that is open. */
  readonly ends_on: Day | null;
  /** By the latest day, the control first; empty before anything was computed. */
  readonly results: readonly VariantResult[];
}

/** Experiments, the newest first; of one key when it is given. */
export async function readExperiments(db: Session['db'], key?: string): Promise<ExperimentReport[]> {
  const { rows } = await sql<Omit<ExperimentReport, 'variants' | 'results'> & { readonly variants: unknown }>`
    select e.key, e.hypothesis, e.owner, e.variants, e.exposure_event, e.conversion_event, e.window_days, e.planned_n,
      e.planned_end, e.started_at, e.stopped_at, s.ends_on
    from public.experiments e left join ops.experiment_states s on s.experiment = e.key
    where ${key === undefined} or e.key = ${key ?? ''}
    order by e.started_at desc, e.key`.execute(db);
  const { rows: results } = await sql<VariantResult & { readonly experiment: string }>`
    select r.experiment, r.date, r.variant, r.is_control, r.status, r.is_closed, r.users, r.conversions, r.rate, r.rate_low,
      r.rate_high, r.difference, r.difference_low, r.difference_high, r.z, r.p_value, r.p_adjusted, r.probability_best,
      r.excluded_users, r.srm_p_value, r.winner
    from public.experiment_results r
    where r.date = (select max(l.date) from public.experiment_results l where l.experiment = r.experiment)
      and (${key === undefined} or r.experiment = ${key ?? ''})`.execute(db);
  const latest = new Map(results.map(({ experiment, ...row }) => [`${experiment} ${row.variant}`, row]));
  return rows.map(({ variants: stored, ...experiment }) => {
    const variants = variantsSchema.parse(stored);
    return {
      ...experiment,
      variants,
      results: variants.flatMap(({ name }) => latest.get(`${experiment.key} ${name}`) ?? []),
    };
  });
}
