/**
 * The reading of one stream of one account: what is due, a backfill, or a replay, window by window, and what follows a
 * window: the comparison with the vendor's totals, and once a day the sweep of ids.
 */
import { Temporal } from 'temporal-polyfill';

import type { Account, AnyConnector, AnyStream, Io } from './connector.ts';
import type { Session } from './db.ts';
import {
  AccountPausedError,
  LockLostError,
  OutOfTimeError,
  PipelineError,
  toPipelineError,
  WindowTooLargeError,
} from './errors.ts';
import { createLoader, type Loader } from './load.ts';
import { type Drift, reconcile } from './reconcile.ts';
import type { RunContext, Work } from './runner.ts';
import { createShapeTally, shapeError, shapeNames, type ShapeTally } from './shape.ts';
import { forget, recall, remember, type StateKey } from './state.ts';
import {
  backfillKey,
  calendarOf,
  cursorKey,
  planBackfillOf,
  type PlanInput,
  planScheduled,
} from './stream-plan.ts';
import { driftWarnings, incomparable, rejectsWarning } from './stream-warnings.ts';
import { findDifferences } from './sweep.ts';
import { addDays, dayOf, type DayWindow, halve } from './window.ts';
import { type Alongside, createWindowReader, type StreamCounts, type WindowReader } from './window-reader.ts';

/** What came of a stream, besides its rows. */
export interface StreamReading {
  readonly counts: StreamCounts;
  /** Over all windows that were read: half-open; null when none was. */
  readonly span: { from: string | null; to: string | null };
  /** What people should know although nothing failed: drift, changed fields, records set aside. */
  readonly warnings: PipelineError[];
}

interface Job extends StreamReading {
  readonly run: RunContext;
  readonly input: PlanInput & { readonly account: Account };
  readonly io: Io;
  /** Works with a window reader on a session of the pool. */
  readonly withReader: <T>(read: (reader: WindowReader, session: Session) => Promise<T>) => Promise<T>;
  /** What the comparison with the vendor's totals came to so far. */
  readonly totals: { days: number; readonly drift: Drift[]; failure?: PipelineError };
}

/** An empty reading, filled as the stream is read, so that a failure leaves what was done. */
export function createReading(): StreamReading {
  const counts = { read: 0, inserted: 0, updated: 0, unchanged: 0, deleted: 0, rejected: 0, metadata: {} };
  return { counts, span: { from: null, to: null }, warnings: [] };
}

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
  const input = { connector, stream, account, reporting: run.reporting, now: run.now() };
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
    if (work.kind === 'backfill') return readBackfill(job, work.window);
    if (work.kind === 'replay') return withReader((reader) => reader.replay());
    await readScheduled(job);
    return sweepDaily(job);
  };
  const tell = async () => {
    noteDrift(job);
    if (reading.counts.rejected > 0)
      reading.warnings.push(rejectsWarning(stream.name, reading.counts.rejected, reading.counts.read));
    if (shape && reading.counts.read > 0) await noteShape(job, shape);
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
  await readWindows(job, plan.days, {
    alongside: async (trx) => {
      if (version === 0) version = await remember(trx, key, cursor, 0);
    },
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

/** A backfill of whole days: resumes after the days that its earlier runs read, and forgets itself when it is done. */
async function readBackfill(job: Job, window: DayWindow): Promise<void> {
  const { run, input, io } = job;
  const key = backfillKey(input, window);
  const plan = await planBackfillOf(run.session.db, input, window);
  if (plan.runs.length > 0) job.counts.metadata['resumes'] = plan.runs;
  await run.write((trx) => remember(trx, key, [...plan.runs, run.ledger.runId], plan.version));
  const prepare = input.stream.prepareBackfill;
  const windows = prepare ? await prepare(input.account, plan.days, io) : plan.days;
  await readWindows(job, windows, { goOn: true });
  await run.write((trx) => forget(trx, key));
}

/** Failures of so many windows on end say that it is not the window. */
const FAILURES_ON_END = 3;
/** What fails for one window for these reasons fails for all. */
const ENDS_STREAM = new Set<string>(['auth', 'permission', 'config', 'rate_limit']);

/**
 * Reads the windows, as many at once as the pool has sessions. One that is too large for the vendor is halved. With
 * `goOn` a window that fails does not stop the others, unless it is clear that they would fail too; the first failure is
 * thrown at the end.
 */
async function readWindows(
  job: Job,
  windows: readonly DayWindow[],
  { alongside, goOn = false }: { readonly alongside?: Alongside; readonly goOn?: boolean },
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
        await job.withReader((reader) => reader.readDays(days, calendarOf(input), alongside));
        widen(job.span, days);
        await compareTotals(job, days);
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

/** Loaders are made once a session and stream: their staging tables stay. */
const loaders = new WeakMap<Session, Map<AnyStream, Promise<Loader>>>();

function loaderOf(session: Session, stream: AnyStream): Promise<Loader> {
  const known = loaders.get(session) ?? new Map<AnyStream, Promise<Loader>>();
  loaders.set(session, known);
  const loader = known.get(stream) ?? createLoader(session, stream);
  known.set(stream, loader);
  loader.catch(() => known.delete(stream));
  return loader;
}

/** Compares a window that is in with the vendor's totals. Not being able to compare is told once, and no failure. */
async function compareTotals(job: Job, window: DayWindow): Promise<void> {
  const { run, input, io, totals } = job;
  if (totals.failure !== undefined) return;
  try {
    const result = await reconcile(
      run.session.db,
      input.stream,
      input.account,
      io,
      window,
      calendarOf(input),
    );
    if (result === undefined) return;
    totals.drift.push(...result.drift);
    totals.days += result.days;
  } catch (thrown) {
    if (run.signal.aborted || thrown instanceof AccountPausedError) throw thrown;
    totals.failure = toPipelineError(thrown);
  }
}

/** Drifts kept with a result. */
const DRIFTS_KEPT = 20;

function noteDrift({ totals: { days, drift, failure }, counts, warnings, input }: Job): void {
  if (failure !== undefined) warnings.push(incomparable(input.stream.name, failure));
  if (days === 0) return;
  const kept = drift.slice(0, DRIFTS_KEPT);
  counts.metadata['reconciled_days'] = days;
  counts.metadata['drift'] = kept;
  warnings.push(...driftWarnings(input.connector.source, input.account.id, drift.length, kept));
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

/** Tells new and missing fields once, when they change. */
async function noteShape(job: Job, tally: ShapeTally): Promise<void> {
  const { run, input, counts, warnings } = job;
  const report = tally.report();
  const names = shapeNames(report);
  const key: StateKey = { ...cursorKey(input), key: 'shape' };
  const known = await recall(run.session.db, key);
  if (names.length > 0) counts.metadata['shape'] = report;
  if (JSON.stringify(known?.value ?? []) === JSON.stringify(names)) return;
  await run.write((trx) => remember(trx, key, names, known?.version ?? 0));
  warnings.push(shapeError(input.connector.source, input.stream.name, report));
}

function widen(span: StreamReading['span'], window: { readonly from: string; readonly to: string }): void {
  if (span.from === null || window.from < span.from) span.from = window.from;
  if (span.to === null || window.to > span.to) span.to = window.to;
}
