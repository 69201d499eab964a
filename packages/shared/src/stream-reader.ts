/**
 * The reading of one stream of one account: what is due, a backfill, or a replay, window by window, and what follows a
 * window: the comparison with the vendor's totals, and once a day the sweep of ids.
 */
import { Temporal } from 'temporal-polyfill';

import { type Backfill, backfillName, rememberBackfill } from './backfills.ts';
import { keepFigures, readChangedDays } from './changed-days.ts';
import type { Account, AnyConnector, AnyStream, Io } from './connector.ts';
import { findOtherDays } from './coverage.ts';
import { readFigures } from './day-figures.ts';
import { LockLostError } from './errors.ts';
import { readWindows } from './read-windows.ts';
import type { RunContext, Work } from './runner.ts';
import { createShapeTally, shapeError, shapeNames, type ShapeTally } from './shape.ts';
import { recall, remember, type StateKey } from './state.ts';
import { type Job, loaderOf, type StreamReading, widen } from './stream-job.ts';
import { calendarOf, coverageKey, cursorKey, planBackfillOf, planScheduled } from './stream-plan.ts';
import { compareTotals, noteDrift } from './stream-totals.ts';
import { forgottenWarnings, rejectsWarning, settingsWarning } from './stream-warnings.ts';
import { findDifferences } from './sweep.ts';
import { tend } from './tend.ts';
import { addDays, dayOf } from './window.ts';
import { type Alongside, createWindowReader } from './window-reader.ts';

/** Reads one stream of an opened account; `reading` is filled on the way. */
export async function readStream(
  options: {
    readonly run: RunContext;
    readonly connector: AnyConnector;
    readonly stream: AnyStream;
    readonly account: Account;
    readonly io: Io;
    readonly work: Work;
  },
  reading: StreamReading,
): Promise<void> {
  const { run, connector, stream, account, io, work } = options;
  const shape = createShapeTally(stream);
  const settings = stream.settings?.(account);
  const input = { connector, stream, account, reporting: run.reporting, now: run.now(), settings };
  const withReader: Job['withReader'] = (read) =>
    run.pool.use(async (reader) => {
      const loader = await loaderOf(reader.session, stream);
      const { counts } = reading;
      return read(
        createWindowReader({
          run: { ...run, ...reader },
          connector,
          stream,
          account,
          io,
          counts,
          loader,
          shape,
        }),
        reader.session,
      );
    });
  const job: Job = { ...reading, run, input, io, withReader, totals: { days: 0, drift: [] } };
  const read = async () => {
    if (work.kind === 'replay') return withReader((reader) => reader.replay());
    if (work.kind === 'backfill') await readBackfill(job, work);
    else {
      await readScheduled(job);
      await sweepDaily(job);
    }
    return tend(job, work.kind);
  };
  const tell = async () => {
    noteDrift(job);
    if (reading.counts.rejected > 0)
      reading.warnings.push(rejectsWarning(stream.name, reading.counts.rejected, reading.counts.read));
    if (shape && reading.counts.read > 0) await noteShape(job, shape, work.kind);
    await noteSettings(job);
  };
  try {
    await read();
  } catch (error) {
    // What was noticed on the way explains the failure; a run that may no longer write tells nothing.
    if (!run.signal.aborted && !run.session.lost.aborted && !(error instanceof LockLostError)) await tell();
    throw error;
  }
  await tell();
}

/** A scheduled run: days that are due, then changes since the cursor. The cursor commits with the first window. */
async function readScheduled(job: Job): Promise<void> {
  const { run, input } = job;
  const { stream } = input;
  const key = cursorKey(input);
  const plan = await planScheduled(run.session.db, input);
  let { cursor, version } = plan;
  job.warnings.push(...forgottenWarnings(input, plan, version > 0));
  const first: Alongside = async (trx) => {
    if (version === 0) version = await remember(trx, key, cursor, 0);
  };
  if (stream.figures !== undefined) return readChangedDays(job, plan.days, first);
  await readWindows(job, plan.days, {
    alongside: () => Promise.resolve(first),
    after: (window) => compareTotals(job, window),
  });
  const calendar = calendarOf(input);
  const coveredFrom = dayOf(cursor.covered_to ?? run.now(), calendar);
  for (const [index, window] of plan.changes.entries()) {
    const caughtUp = index === plan.changes.length - 1;
    cursor = { ...cursor, synced_to: window.to, ...(caughtUp ? { covered_to: window.to } : {}) };
    const overlapMs = stream.changes?.overlapMs ?? 0;
    const from = Temporal.Instant.from(window.from).subtract({ milliseconds: overlapMs }).toString();
    const days = { from: coveredFrom, to: addDays(dayOf(window.to, calendar), 1) };
    const covers = caughtUp ? { window: days, timezone: calendar } : undefined;
    const next = cursor;
    const alongside: Alongside = async (trx) => {
      version = await remember(trx, key, next, version);
    };
    await job.withReader((reader) => reader.readChanges({ from, to: window.to }, { covers, alongside }));
    widen(job.span, { from, to: window.to });
    if (caughtUp) await compareTotals(job, days);
  }
}

/** A backfill of whole days: resumes after the days that its earlier runs read. */
async function readBackfill(job: Job, backfill: Backfill): Promise<void> {
  const { run, input, io } = job;
  const { runId } = run.ledger;
  const plan = await planBackfillOf(run.session.db, input, backfill, runId);
  if (plan.runs.length > 0) job.counts.metadata['resumes'] = plan.runs;
  if (plan.days.length === 0) return;
  const prepare = input.stream.prepareBackfill;
  const windows = prepare ? await prepare(input.account, plan.days, io) : plan.days;
  const name = backfillName(input.connector.source, backfill);
  await run.write((trx) => rememberBackfill(trx, runId, name));
  await readWindows(job, windows, {
    goOn: true,
    alongside: async (days) => {
      const comparedAt = run.now().toString();
      const figures = await readFigures(input.stream, input.account, days, io);
      return figures === undefined ? () => Promise.resolve() : keepFigures(job, days, figures, comparedAt);
    },
    after: (days) => compareTotals(job, days),
  });
}

/** Once a day, after a scheduled reading: what the vendor has against what is stored. */
async function sweepDaily(job: Job): Promise<void> {
  const { run, input, io } = job;
  const { sweep } = input.stream;
  if (sweep === undefined) return;
  const today = dayOf(run.now(), calendarOf(input));
  const key: StateKey = { ...cursorKey(input), key: 'swept' };
  const known = await recall(run.session.db, key);
  if (known?.value === today) return;
  const window = { from: addDays(today, 1 - sweep.days), to: addDays(today, 1) };
  const { again, gone, listed } = await job.withReader(async (reader, session) => {
    const found = await findDifferences(session, input.stream, input.account, window, io);
    const records = sweep.readRecords(input.account, [...new Set([...found.again, ...found.gone])], io);
    await reader.readRecords(records, window, found.gone, async (trx) => {
      await remember(trx, key, today, known?.version ?? 0);
    });
    return found;
  });
  job.counts.metadata['sweep'] = { listed, read_again: again.length, not_listed: gone.length };
}

/**
 * Tells new and missing fields once, when they change. Scheduled runs alone do: the older days of a backfill may well
 * have other fields, which is no change of what the vendor tells now.
 */
async function noteShape(job: Job, tally: ShapeTally, kind: Work['kind']): Promise<void> {
  const { run, input, counts, warnings } = job;
  const report = tally.report();
  const names = shapeNames(report);
  const key: StateKey = { ...cursorKey(input), key: 'shape' };
  if (names.length > 0) counts.metadata['shape'] = report;
  if (kind !== 'scheduled') return;
  const known = await recall(run.session.db, key);
  if (JSON.stringify(known?.value ?? []) === JSON.stringify(names)) return;
  await run.write((trx) => remember(trx, key, names, known?.version ?? 0));
  warnings.push(shapeError(input.connector.source, input.stream.name, report));
}

/** Tells of days that still mean something else than those read now, in every run until they are read again. */
async function noteSettings({ run, input, warnings }: Job): Promise<void> {
  const { settings, stream } = input;
  if (settings === undefined) return;
  const earliest = stream.earliestDay?.(dayOf(run.now(), calendarOf(input)));
  const other = await findOtherDays(run.session.db, coverageKey(input), settings, earliest);
  if (other !== undefined) warnings.push(settingsWarning(coverageKey(input), settings, other));
}
