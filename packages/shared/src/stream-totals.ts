/** The comparison with the vendor's totals after windows are in, and what is told of it. */
import { AccountPausedError, toPipelineError } from './errors.ts';
import { reconcile } from './reconcile.ts';
import type { Job } from './stream-job.ts';
import { calendarOf } from './stream-plan.ts';
import { driftWarnings, incomparable } from './stream-warnings.ts';
import type { DayWindow } from './window.ts';

/** Drifts kept with a result. */
const DRIFTS_KEPT = 20;

/** Compares a window that is in with the vendor's totals. Not being able to compare is told once, and no failure. */
export async function compareTotals(job: Job, window: DayWindow): Promise<void> {
  const { run, input, io, totals } = job;
  if (totals.failure !== undefined) return;
  try {
    const calendar = calendarOf(input);
    const result = await reconcile(run.session.db, input.stream, input.account, io, window, calendar);
    if (result === undefined) return;
    totals.drift.push(...result.drift);
    totals.days += result.days;
  } catch (thrown) {
    if (run.signal.aborted || thrown instanceof AccountPausedError) throw thrown;
    totals.failure = toPipelineError(thrown);
  }
}

/** Puts what the comparisons came to into the result's metadata and the warnings. */
export function noteDrift({ totals: { days, drift, failure }, counts, warnings, input }: Job): void {
  if (failure !== undefined) warnings.push(incomparable(input.stream.name, failure));
  if (days === 0) return;
  const kept = drift.slice(0, DRIFTS_KEPT);
  counts.metadata['reconciled_days'] = days;
  counts.metadata['drift'] = kept;
  warnings.push(...driftWarnings(input.connector.source, input.account.id, drift.length, kept));
}
