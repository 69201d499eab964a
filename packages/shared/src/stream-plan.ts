/**
 * What one stream of one account is due to read, from the ledger: its cursor, its coverage, and the clock.
 * Reads the database and writes nothing, so that a dry run shows what a run does.
 */
import { Temporal } from 'temporal-polyfill';

import { type Backfill, backfillName, listBackfillRuns } from './backfills.ts';
import type { AnyConnector, AnyStream, Reporting, Settings } from './connector.ts';
import { listCoverage, listOpenDays } from './coverage.ts';
import type { Session } from './db.ts';
import { planBackfill, planDays, toWindows } from './plan.ts';
import { recall, type StateKey } from './state.ts';
import { addDays, type Day, dayOf, type DayWindow, type InstantWindow, listDays } from './window.ts';

/** Where the scheduled runs of an account and stream stand; remembered in `ops.agent_state`. */
export interface Cursor {
  /** The first day that scheduled runs answer for. */
  readonly since: Day;
  /** Changes before this instant have been read (streams with `changes`). */
  readonly synced_to?: string;
  /** Up to here days are covered by changes; behind `synced_to` while catching up. */
  readonly covered_to?: string;
}

export interface PlanInput {
  readonly connector: AnyConnector;
  readonly stream: AnyStream;
  readonly account: { readonly id: string; readonly timezone: string };
  readonly reporting: Reporting;
  readonly now: Temporal.Instant;
  /** Those that the stream's rows are made with, once its account is opened. */
  readonly settings?: Settings | undefined;
}

export interface ScheduledPlan {
  readonly cursor: Cursor;
  /** Of the remembered cursor; 0 when this is the first run. */
  readonly version: number;
  /** Whole days to read, newest first. */
  readonly days: readonly DayWindow[];
  /** Changes to read after them, oldest first; each one's overlap is the reader's to add. */
  readonly changes: readonly InstantWindow[];
  /** Changes that the vendor has forgotten before they were read: the days since are read whole again. */
  readonly forgotten?: InstantWindow;
}

export interface BackfillPlan {
  /** The earlier runs of this backfill, known until it is done; the days they read, with the settings in force, are not read again. */
  readonly runs: readonly string[];
  readonly days: readonly DayWindow[];
}

/** Whose calendar the stream's days are. */
export function calendarOf({
  stream,
  account,
  reporting,
}: Pick<PlanInput, 'stream' | 'account' | 'reporting'>): string {
  return stream.calendar === 'account' ? account.timezone : reporting.timezone;
}

/** Under which key the cursor is remembered. */
export function cursorKey({
  connector,
  stream,
  account,
}: Pick<PlanInput, 'connector' | 'stream' | 'account'>): StateKey {
  return { agent: connector.agent, scope: `${account.id}/${stream.name}`, key: 'cursor' };
}

/** The stream's key in the coverage ledger. */
export function coverageKey({
  connector,
  stream,
  account,
}: Pick<PlanInput, 'connector' | 'stream' | 'account'>) {
  return { source: connector.source, accountId: account.id, stream: stream.coversAs ?? stream.name };
}

/** What a scheduled run reads. */
export async function planScheduled(db: Session['db'], input: PlanInput): Promise<ScheduledPlan> {
  const { stream, now } = input;
  const calendar = calendarOf(input);
  const today = dayOf(now, calendar);
  const known = await recall(db, cursorKey(input));
  const cursor = (known?.value as Cursor | undefined) ?? firstCursor(stream, today, now);
  const { since } = cursor;
  const { maxWindowDays, restatementDays } = stream;
  const version = known?.version ?? 0;
  const openUntil = (to: Day) => listOpenDays(db, coverageKey(input), { from: since, to });
  if (stream.changes === undefined) {
    const open = await openUntil(addDays(today, 1));
    return {
      cursor,
      version,
      days: planDays({ today, since, restatementDays, maxWindowDays, open }),
      changes: [],
    };
  }
  const until = dayOf(cursor.covered_to ?? now, calendar);
  const end = now.subtract({ milliseconds: stream.changes.lagMs });
  const from = Temporal.Instant.from(cursor.synced_to ?? now.toString());
  const reach = reachOf(stream, now);
  if (reach !== undefined && Temporal.Instant.compare(from, reach) < 0) {
    const { missing } = await openUntil(until);
    const unknown = listDays({ from: until, to: addDays(today, 1) });
    return {
      cursor: { since, synced_to: reach.toString(), covered_to: now.toString() },
      version,
      days: toWindows([...missing, ...unknown], maxWindowDays),
      changes: planChanges(reach, end, stream.changes.maxWindowMs),
      forgotten: { from: from.toString(), to: reach.toString() },
    };
  }
  const { missing } = await openUntil(addDays(until, 1));
  return {
    cursor,
    version,
    days: toWindows(missing, maxWindowDays),
    changes: planChanges(from, end, stream.changes.maxWindowMs),
  };
}

/** The earliest change that the vendor still tells, undefined where it tells all. */
function reachOf({ changes }: AnyStream, now: Temporal.Instant): Temporal.Instant | undefined {
  return changes?.reachMs === undefined ? undefined : now.subtract({ milliseconds: changes.reachMs });
}

/** What a backfill reads; `runId` is the run that is to read it, if there is one yet. */
export async function planBackfillOf(
  db: Session['db'],
  input: PlanInput,
  backfill: Backfill,
  runId?: string,
): Promise<BackfillPlan> {
  const { window } = backfill;
  const end = addDays(dayOf(input.now, calendarOf(input)), 1);
  const name = backfillName(input.connector.source, backfill);
  // Another account or stream may have said already that this run is one of them.
  const runs = (await listBackfillRuns(db, name)).filter((id) => id !== runId);
  const open = { from: window.from, to: window.to < end ? window.to : end };
  return {
    runs,
    days: planBackfill({
      window: open,
      runs,
      maxWindowDays: input.stream.maxWindowDays,
      coverage: await listCoverage(db, coverageKey(input), open, input.settings),
    }),
  };
}

function firstCursor(stream: AnyStream, today: Day, now: Temporal.Instant): Cursor {
  const since =
    'since' in stream.firstRun ? stream.firstRun.since : addDays(today, -stream.firstRun.daysBack);
  return stream.changes === undefined
    ? { since }
    : { since, synced_to: (reachOf(stream, now) ?? now).toString(), covered_to: now.toString() };
}

function planChanges(from: Temporal.Instant, end: Temporal.Instant, maxWindowMs: number): InstantWindow[] {
  const windows: InstantWindow[] = [];
  for (let start = from; Temporal.Instant.compare(start, end) < 0;) {
    const limit = start.add({ milliseconds: maxWindowMs });
    const to = Temporal.Instant.compare(limit, end) < 0 ? limit : end;
    windows.push({ from: start.toString(), to: to.toString() });
    start = to;
  }
  return windows;
}
