/** The reading of many windows: several at once, halved when they are too large, and what a failure stops. */
import { LockLostError, OutOfTimeError, PipelineError, WindowTooLargeError } from './errors.ts';
import type { RunContext } from './runner.ts';
import { type Job, widen } from './stream-job.ts';
import { calendarOf } from './stream-plan.ts';
import { type DayWindow, halve } from './window.ts';
import type { Alongside } from './window-reader.ts';

/** Failures of so many windows on end say that it is not the window. */
const FAILURES_ON_END = 3;
/** What fails for one window for these reasons fails for all. */
const ENDS_STREAM = new Set<string>(['auth', 'permission', 'config', 'rate_limit']);

export interface WindowsOptions {
  /** What commits with a window; asked before its rows are read, so that it can't be newer than they are. */
  readonly alongside?: (window: DayWindow) => Promise<Alongside>;
  /** Called once a window is in. */
  readonly after?: (window: DayWindow) => Promise<void>;
  readonly goOn?: boolean;
}

/**
 * Reads the windows, as many at once as the pool has sessions. One that is too large for the vendor is halved. With
 * `goOn` a window that fails does not stop the others, unless it is clear that they would fail too; the first failure is
 * thrown at the end.
 */
export async function readWindows(
  job: Job,
  windows: readonly DayWindow[],
  { alongside, after, goOn = false }: WindowsOptions,
): Promise<void> {
  const { run, input } = job;
  const queue = [...windows];
  const failures: unknown[] = [];
  let onEnd = 0;
  const readNext = async () => {
    for (let window = queue.shift(); window !== undefined; window = queue.shift()) {
      const days = window;
      try {
        refuseWhenOutOfTime(run);
        await job.withReader(async (reader) =>
          reader.readDays(days, calendarOf(input), await alongside?.(days)),
        );
        widen(job.span, days);
        await after?.(days);
        onEnd = 0;
      } catch (error) {
        const halves = error instanceof WindowTooLargeError ? halve(days) : null;
        if (halves !== null) {
          run.log.info({ stream: input.stream.name, window }, 'too much for one request, split by date');
          queue.unshift(...halves);
          continue;
        }
        failures.push(error);
        if (!goOn || endsStream(run, error) || ++onEnd >= FAILURES_ON_END) queue.length = 0;
      }
    }
  };
  await settleAll(Array.from({ length: run.pool.size }, () => readNext()));
  if (failures.length > 0) throw failures[0];
}

function endsStream(run: RunContext, error: unknown): boolean {
  if (run.signal.aborted || run.session.lost.aborted) return true;
  if (!(error instanceof PipelineError)) return true;
  return error instanceof LockLostError || error instanceof OutOfTimeError || ENDS_STREAM.has(error.type);
}

function refuseWhenOutOfTime({ deadline }: RunContext): void {
  if (deadline !== undefined && Date.now() >= deadline)
    throw new OutOfTimeError(
      'The windows that were read are in. Give the same command again: it goes on with the rest.',
    );
}

/** Waits for all, then throws the first error if there was one: nothing goes on behind the caller's back. */
export async function settleAll<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
