/**
 * What a run does for the database when its work is done: old rows of the ledger go, old backfills that never got done
 * are forgotten, old months of events step aside.
 */
import { forgetOldBackfills } from '@floyo/shared/backfills';
import { LockLostError, PipelineError, toPipelineError } from '@floyo/shared/errors';
import { forgetOldRows, retireEvents } from '@floyo/shared/retention';
import type { RunContext } from '@floyo/shared/runner';

import type { PipelineConfig } from './sources.ts';

/**
 * Tidies up. What can't be done is a warning of the run and in the ledger (P2), and no failure: what the run was for is
 * done by then, and the next run tries again.
 * @throws when the run itself is over: interrupted, or without its lock or database.
 */
export async function tidyUp(run: RunContext, config: PipelineConfig): Promise<void> {
  await attempt(run, 'old rows of the ledger could not be deleted', () =>
    forgetOldRows(run.write, config.retentionDays),
  );
  await attempt(run, 'old backfills could not be forgotten', () => forgetOldBackfills(run.write));
  await attempt(run, 'old months of events could not leave their tables', () => retireOldEvents(run, config));
}

async function attempt(run: RunContext, what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    if (run.signal.aborted || thrown instanceof LockLostError || run.session.lost.aborted) throw thrown;
    const { message } = toPipelineError(thrown);
    const error = new PipelineError({
      type: 'load',
      severity: 'P2',
      message: `Tidying up: ${what} (${message})`,
      advice: 'The next run tries again. If it stays so, the database says what it objects to.',
      cause: thrown,
    });
    run.warn(error.message);
    run.log.warn(error.message);
    await run.ledger.writeError({ agent: 'pipeline', accountId: null }, error);
  }
}

/** Months of events that are older than what is to be kept leave their tables. */
async function retireOldEvents(
  { write, now, reporting, log }: RunContext,
  config: PipelineConfig,
): Promise<void> {
  if (config.eventsRetentionMonths === undefined) return;
  const month = now().toZonedDateTimeISO(reporting.timezone).toPlainDate().with({ day: 1 });
  const retired = await retireEvents(
    write,
    month.subtract({ months: config.eventsRetentionMonths }).toString(),
  );
  if (retired.length > 0) log.info({ partitions: retired }, 'months of events left their tables');
}
