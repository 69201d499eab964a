/** The days of an experiment: how many users and conversions each variant had by the end of each, and when it ends. Pure. */
import { addDays, type Day, listDays } from '@floyo/shared/window';

import type { ExperimentStatus } from './verdict.ts';

/** Users who saw the variant first on that day, another one on a second day, and converted on a third. */
export interface UserGroup {
  readonly variant: string;
  readonly first_day: Day;
  readonly second_day: Day | null;
  readonly conversion_day: Day | null;
  readonly users: number;
}

export interface Plan {
  readonly firstDay: Day;
  readonly windowDays: number;
  readonly plannedN: number | null;
  /** The last day on which users are taken in. */
  readonly plannedEnd: Day | null;
  readonly stoppedDay: Day | null;
}

export interface DayCounts {
  readonly day: Day;
  readonly phase: Exclude<ExperimentStatus, 'invalid_srm'>;
  /** No more users are taken in after the day. */
  readonly isClosed: boolean;
  /** Users of two variants, who are left out. */
  readonly excluded: number;
  readonly arms: ReadonlyMap<string, { readonly users: number; readonly conversions: number }>;
}

interface Moves {
  users: number;
  conversions: number;
}

/**
 * Counts up to the end of every day from the first to `today`, or to the day on which the last user's window is over.
 * @param isWhole whether all days from the first to this one were read: else it can't be finished yet.
 * @returns the days, and the day on which the last user's window is over when that is known.
 */
export function countDays(
  groups: readonly UserGroup[],
  plan: Plan,
  options: { readonly today: Day; readonly isWhole: (day: Day) => boolean },
): { readonly days: DayCounts[]; readonly endsOn: Day | null } {
  const { today } = options;
  const closing = findClosing(groups, plan, today);
  const endsOn = closing.day === null ? null : addDays(closing.day, plan.windowDays);
  const last = endsOn !== null && endsOn < today ? endsOn : today;
  const taken = groups.filter(({ first_day }) => closing.day === null || first_day <= closing.day);
  const moves = new Map<Day, { excluded: number; arms: Map<string, Moves> }>();
  const move = (day: Day, variant: string, users: number, conversions: number, excluded: number) => {
    const at = moves.get(day) ?? { excluded: 0, arms: new Map<string, Moves>() };
    const arm = at.arms.get(variant) ?? { users: 0, conversions: 0 };
    at.arms.set(variant, { users: arm.users + users, conversions: arm.conversions + conversions });
    moves.set(day, { ...at, excluded: at.excluded + excluded });
  };
  for (const { variant, first_day: first, second_day, conversion_day: converted, users } of taken) {
    const second =
      closing.day !== null && second_day !== null && second_day > closing.day ? null : second_day;
    move(first, variant, users, 0, 0);
    if (converted !== null) move(converted, variant, 0, users, 0);
    if (second === null) continue;
    move(second, variant, -users, 0, users);
    if (converted !== null) move(converted > second ? converted : second, variant, 0, -users, 0);
  }
  const totals = new Map<string, Moves>();
  let excluded = 0;
  const days = listDays({ from: plan.firstDay, to: addDays(last, 1) }).map((day): DayCounts => {
    const at = moves.get(day);
    excluded += at?.excluded ?? 0;
    for (const [variant, { users, conversions }] of at?.arms ?? []) {
      const arm = totals.get(variant) ?? { users: 0, conversions: 0 };
      totals.set(variant, { users: arm.users + users, conversions: arm.conversions + conversions });
    }
    const isOver = day === endsOn && day < today && options.isWhole(day);
    return {
      day,
      phase:
        closing.isEarly && closing.day !== null && day >= closing.day
          ? 'stopped'
          : isOver
            ? 'finished'
            : 'running',
      isClosed: closing.day !== null && day >= closing.day,
      excluded,
      arms: new Map([...totals].map(([variant, arm]) => [variant, { ...arm }])),
    };
  });
  return { days, endsOn };
}

/** The last day on which users are taken in, and whether it came before the plan was met. */
function findClosing(
  groups: readonly UserGroup[],
  { plannedN, plannedEnd, stoppedDay }: Plan,
  today: Day,
): { readonly day: Day | null; readonly isEarly: boolean } {
  const full = plannedN === null ? null : dayOfUsers(groups, plannedN);
  const met = [full, plannedEnd].filter((day) => day !== null && day <= today).sort()[0] ?? null;
  const isEarly = stoppedDay !== null && stoppedDay <= today && (met === null || stoppedDay < met);
  return { day: isEarly ? stoppedDay : met, isEarly };
}

/** The first day at whose end there are so many users who saw one variant alone. */
function dayOfUsers(groups: readonly UserGroup[], wanted: number): Day | null {
  const changes = new Map<Day, number>();
  const change = (day: Day, by: number) => changes.set(day, (changes.get(day) ?? 0) + by);
  for (const { first_day, second_day, users } of groups) {
    change(first_day, users);
    if (second_day !== null) change(second_day, -users);
  }
  let users = 0;
  for (const [day, by] of [...changes].sort(([left], [right]) => (left < right ? -1 : 1))) {
    users += by;
    if (users >= wanted) return day;
  }
  return null;
}
