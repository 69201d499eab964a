/**
 * Which days of a stream are due. Follows from the ledger alone, never from what triggered the run, so that a missed
 * tick is healed by the next one. Pure.
 */
import type { CoveredDay } from './coverage.ts';
import { addDays, type Day, type DayWindow, joinDays, listDays, splitNewestFirst } from './window.ts';

export interface DayPlan {
  /** Today in the stream's calendar; it is read too. */
  readonly today: Day;
  /** The first day that scheduled runs answer for: where the first run began. */
  readonly since: Day;
  readonly restatementDays: number;
  readonly maxWindowDays: number;
  readonly coverage: readonly CoveredDay[];
}

/**
 * The windows of a scheduled run, newest first: the days that may still be restated, days since the first run that were
 * never read (an outage, an interrupted first run), and days whose last reading was before they were final.
 */
export function planDays(plan: DayPlan): DayWindow[] {
  const covered = new Set(plan.coverage.map(({ day }) => day));
  const end = addDays(plan.today, 1);
  const restating = listDays({
    from: later(addDays(plan.today, -plan.restatementDays), plan.since),
    to: end,
  });
  const missing = listDays({ from: plan.since, to: end }).filter((day) => !covered.has(day));
  const notFinal = plan.coverage.filter(({ day, final }) => !final && day < end).map(({ day }) => day);
  return toWindows([...restating, ...missing, ...notFinal], plan.maxWindowDays);
}

/** The windows of the days of `[from, to]` that were never read, newest first. */
export function planGaps(plan: {
  readonly since: Day;
  readonly until: Day;
  readonly maxWindowDays: number;
  readonly coverage: readonly CoveredDay[];
}): DayWindow[] {
  const covered = new Set(plan.coverage.map(({ day }) => day));
  const days = listDays({ from: plan.since, to: addDays(plan.until, 1) }).filter((day) => !covered.has(day));
  return toWindows(days, plan.maxWindowDays);
}

/** The windows of a backfill, newest first, without the days that its earlier runs read. */
export function planBackfill(plan: {
  readonly window: DayWindow;
  /** The runs of this backfill so far: a day that one of them was the last to read is done. */
  readonly runs: readonly string[];
  readonly maxWindowDays: number;
  readonly coverage: readonly CoveredDay[];
}): DayWindow[] {
  const done = new Set(
    plan.coverage.filter(({ runId }) => runId !== null && plan.runs.includes(runId)).map(({ day }) => day),
  );
  return toWindows(
    listDays(plan.window).filter((day) => !done.has(day)),
    plan.maxWindowDays,
  );
}

function toWindows(days: readonly Day[], maxWindowDays: number): DayWindow[] {
  return joinDays(days)
    .reverse()
    .flatMap((window) => splitNewestFirst(window, maxWindowDays));
}

function later(a: Day, b: Day): Day {
  return a > b ? a : b;
}
