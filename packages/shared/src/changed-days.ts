/** The reading of a stream whose vendor tells what it has of each day: only days that differ are read. */
import { writeCoverage } from './coverage.ts';
import { type FiguresByDay, findChangedDays, readFigures, writeFigures } from './day-figures.ts';
import { readWindows } from './read-windows.ts';
import { type Job, widen } from './stream-job.ts';
import { calendarOf, coverageKey } from './stream-plan.ts';
import { compareTotals } from './stream-totals.ts';
import { type Day, type DayWindow, joinDays, listDays, splitNewestFirst } from './window.ts';
import type { Alongside } from './window-reader.ts';

/**
 * A scheduled run of a stream whose vendor tells what it has of a day: reads the days that differ, and covers the others,
 * which were found whole. What was told commits with the rows; it was told before they were read, so that whatever
 * arrives in between makes the next run look again.
 */
export async function readChangedDays(
  job: Job,
  planned: readonly DayWindow[],
  first: Alongside,
): Promise<void> {
  const { run, input, io } = job;
  const { stream } = input;
  const key = coverageKey(input);
  const told = new Map<Day, { readonly figures: FiguresByDay; readonly comparedAt: string }>();
  const changed: Day[] = [];
  const ranges = joinDays(planned.flatMap(listDays));
  for (const range of ranges) {
    const comparedAt = run.now().toString();
    const figures = (await readFigures(stream, input.account, range, io)) ?? new Map();
    for (const day of listDays(range)) told.set(day, { figures, comparedAt });
    const differing = await findChangedDays(run.session.db, key, stream, range, figures);
    changed.push(...differing);
    const same = listDays(range).filter((day) => !differing.includes(day));
    if (same.length > 0) await run.write((trx) => coverUnread(trx, job, same, comparedAt));
    widen(job.span, range);
  }
  job.counts.metadata['compared_days'] = told.size;
  job.counts.metadata['changed_days'] = changed.length;
  const windows = joinDays(changed)
    .reverse()
    .flatMap((window) => splitNewestFirst(window, stream.maxWindowDays));
  await readWindows(job, windows, {
    alongside: (window) => {
      const day = told.get(window.from);
      if (day === undefined) throw new TypeError(`${window.from} was not asked for`);
      const keep = keepFigures(job, window, day.figures, day.comparedAt);
      return Promise.resolve(async (trx) => {
        await first(trx);
        await keep(trx);
      });
    },
  });
  for (const range of ranges) await compareTotals(job, range);
}

/** Covers days without reading them: the vendor has of them what it had when they were read. */
async function coverUnread(
  trx: Parameters<Alongside>[0],
  { run, input }: Job,
  days: readonly Day[],
  readAt: string,
): Promise<void> {
  for (const window of joinDays(days))
    await writeCoverage(trx, coverageKey(input), {
      window,
      readAt,
      timezone: calendarOf(input),
      restatementDays: input.stream.restatementDays,
      runId: run.ledger.runId,
    });
}

/** What commits with the rows of a window: what the vendor said of its days. */
export function keepFigures(
  job: Job,
  window: DayWindow,
  figures: FiguresByDay,
  comparedAt: string,
): Alongside {
  const { run, input } = job;
  return (trx) =>
    writeFigures(trx, coverageKey(input), input.stream, {
      window,
      figures,
      comparedAt,
      runId: run.ledger.runId,
    });
}
