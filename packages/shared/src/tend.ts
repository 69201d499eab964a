/** Lets a stream look after what is stored, once it has been read: a source that keeps state of its own (billing). */
import type { Desk } from './connector.ts';
import type { Work } from './runner.ts';
import type { Job } from './stream-job.ts';
import { calendarOf } from './stream-plan.ts';
import { dayOf } from './window.ts';

/** Does nothing for a stream that has nothing to tend. */
export async function tend(job: Job, kind: Exclude<Work['kind'], 'replay'>): Promise<void> {
  const { run, input, io, counts, warnings } = job;
  const { stream, account } = input;
  const tendStored = stream.tend;
  if (tendStored === undefined) return;
  const count: Desk['count'] = (more) => {
    for (const name of ['inserted', 'updated', 'unchanged', 'deleted'] as const)
      counts[name] += more[name] ?? 0;
  };
  const today = dayOf(run.now(), calendarOf(input));
  const tended = await run.pool.use(({ session, write }) =>
    tendStored(
      account,
      { work: kind, runId: run.ledger.runId, session, db: session.db, write, today, count },
      io,
    ),
  );
  Object.assign(counts.metadata, tended.metadata);
  warnings.push(...tended.warnings);
}
