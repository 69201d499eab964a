/**
 * From the counts of a day to what may be said of an experiment. One look, at the planned end: who looks daily and stops
 * when something shows takes chance for an effect in more than a quarter of all cases, so before it no winner is named.
 */
import {
  adjustByHolm,
  compareShares,
  newcombeInterval,
  ratioMismatch,
  type Share,
  wilsonInterval,
} from './inference.ts';

/** Chance of a winner where there is none, over all variants together. */
export const ALPHA = 0.05;
/** Below this p-value the users did not come in the planned ratio: something is wrong with how they were taken in. */
export const SRM_ALPHA = 0.001;

export interface Arm extends Share {
  readonly variant: string;
  readonly weight: number;
}

export type ExperimentStatus = 'running' | 'finished' | 'stopped' | 'invalid_srm';

export interface ArmResult {
  readonly variant: string;
  readonly is_control: boolean;
  readonly users: number;
  readonly conversions: number;
  readonly rate: number | null;
  readonly rate_low: number | null;
  readonly rate_high: number | null;
  /** Against the control, as the p-values are. */
  readonly difference: number | null;
  readonly difference_low: number | null;
  readonly difference_high: number | null;
  readonly z: number | null;
  readonly p_value: number | null;
  readonly p_adjusted: number | null;
}

export interface Verdict {
  readonly status: ExperimentStatus;
  readonly srm_p_value: number | null;
  /** The control too may win. Null before the plan is met and where nothing won. */
  readonly winner: string | null;
  readonly arms: readonly ArmResult[];
}

/**
 * @param arms the control first.
 * @param phase where the experiment is by its plan.
 */
export function judge(
  arms: readonly [Arm, ...Arm[]],
  phase: Exclude<ExperimentStatus, 'invalid_srm'>,
): Verdict {
  const [control] = arms;
  const srm = ratioMismatch(arms);
  const tests = arms.map((arm) => (arm === control ? null : compareShares(control, arm)));
  const adjusted = adjustByHolm(tests.map((test) => test?.p ?? null));
  const results = arms.map((arm, index): ArmResult => {
    const interval = wilsonInterval(arm);
    const apart = arm === control ? null : newcombeInterval(control, arm);
    return {
      variant: arm.variant,
      is_control: arm === control,
      users: arm.users,
      conversions: arm.conversions,
      rate: arm.users === 0 ? null : arm.conversions / arm.users,
      rate_low: interval?.low ?? null,
      rate_high: interval?.high ?? null,
      difference: apart === null ? null : arm.conversions / arm.users - control.conversions / control.users,
      difference_low: apart?.low ?? null,
      difference_high: apart?.high ?? null,
      z: tests[index]?.z ?? null,
      p_value: tests[index]?.p ?? null,
      p_adjusted: adjusted[index] ?? null,
    };
  });
  const status = srm !== null && srm < SRM_ALPHA ? 'invalid_srm' : phase;
  return {
    status,
    srm_p_value: srm,
    winner: status === 'finished' ? findWinner(results) : null,
    arms: results,
  };
}

/** The best of those that are better than the control; the control when all others are worse. */
function findWinner(results: readonly ArmResult[]): string | null {
  const others = results.filter(({ is_control }) => !is_control);
  const isApart = ({ p_adjusted }: ArmResult) => p_adjusted !== null && p_adjusted < ALPHA;
  const [best] = others
    .filter((arm) => isApart(arm) && (arm.difference ?? 0) > 0)
    .sort((left, right) => (right.rate ?? 0) - (left.rate ?? 0));
  if (best !== undefined) return best.variant;
  return others.every((arm) => isApart(arm) && (arm.difference ?? 0) < 0)
    ? (results.find(({ is_control }) => is_control)?.variant ?? null)
    : null;
}
