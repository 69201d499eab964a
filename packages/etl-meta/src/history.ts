/** How far back Meta keeps insights, checked before anything is asked, so that a long backfill does not fail at its end. */
import { PipelineError } from '@floyo/shared/errors';
import { addDays, type Day, type DayWindow } from '@floyo/shared/window';

/** 37 months are at least so many days; older days are answered with error 3018. */
const HISTORY_DAYS = 1_123;
/** Meta counts from its own today, which for accounts east of UTC may be a day later: the last day is not worth a failure. */
const SLACK_DAYS = 1;

/** The first day that can be read on `today`, a day of the account. */
export function earliestDay(today: Day): Day {
  return addDays(today, SLACK_DAYS - HISTORY_DAYS);
}

/**
 * Throws a `config` error when some of the days are too old. They are not cut off in silence: a command that says it
 * has read days must have read them, and days that were not read must not count as empty.
 */
export function refuseTooOld(windows: readonly DayWindow[], today: Day): void {
  const earliest = earliestDay(today);
  const [oldest] = windows.map(({ from }) => from).sort();
  if (oldest === undefined || oldest >= earliest) return;
  throw new PipelineError({
    type: 'config',
    message: `Meta keeps 37 months of insights: ${earliest} is the earliest day that can be read, and ${oldest} was asked for`,
    advice: `Nothing was read. Run the backfill again with --from ${earliest}.`,
    context: { oldest, earliest },
  });
}
