/**
 * Which days of a stream are due. Follows from the ledger alone, never from what triggered the run, so that a missed
 * tick is healed by the next one. Pure.
 */
import type { CoveredDay, OpenDays } from './coverage.ts';
import { addDays, type Day, type DayWindow, joinDays, listDays, splitNewestFirst } from './window.ts';

export interface DayPlan {
  /** Today in the stream's calendar; it is read too. */
  readonly today: Day;
  /** The first day that scheduled runs answer for: where the first run began. */
  readonly since: Day;
  readonly restatementDays: number;
  readonly maxWindowDays: number;
  /** Of the days from `since` to today. */
  readonly open: OpenDays;
}

/**
 * The windows of a scheduled run, newest first: the days that may still be restated, days since the first run that were
 * never read (an outage, an interrupted first run), and days whose last reading was before they were final.
 */
export function planDays({ today, since, restatementDays, maxWindowDays, open }: DayPlan): DayWindow[] {
  const restating = listDays({
    from: later(addDays(today, -restatementDays), since),
    to: addDays(today, 1),
  });
  return toWindows([...restating, ...open.missing, ...open.notFinal], maxWindowDays);
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

/** The windows that cover these days, newest first. */
export function toWindows(days: readonly Day[], maxWindowDays: number): DayWindow[] {
  return joinDays(days)
    .reverse()
    .flatMap((window) => splitNewestFirst(window, maxWindowDays));
}

function later(a: Day, b: Day): Day {
  return a > b ? a : b;
}
