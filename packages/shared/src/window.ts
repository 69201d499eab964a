/**
 * Days, instants and half-open windows `[from, to)`. A day is a calendar date in some time zone and never becomes an
 * instant without one; days of 23 and 25 hours exist.
 */
import { Temporal } from 'temporal-polyfill';

/** A calendar day, `YYYY-MM-DD`. */
export type Day = string;

/** Whole days of a calendar: `from` included, `to` not. */
export interface DayWindow {
  readonly from: Day;
  readonly to: Day;
}

/** A stretch of time: ISO instants, `from` included, `to` not. */
export interface InstantWindow {
  readonly from: string;
  readonly to: string;
}

// Days are counted in UTC, where each has 24 hours: a plan goes over some 10,000 of them, and Temporal takes 10 µs each.
const DAY_MS = 86_400_000;

/** The instant at which the day begins in UTC, in epoch milliseconds. Throws RangeError for what is no day. */
function toUtc(day: Day): number {
  const at = Date.parse(`${day}T00:00:00Z`);
  // 30 February would become 2 March.
  if (Number.isNaN(at) || fromUtc(at) !== day) throw new RangeError(`${day} is not a day`);
  return at;
}

function fromUtc(at: number): Day {
  return new Date(at).toISOString().slice(0, 10);
}

/** The day after (or, negative, before) `day` by `count`. */
export function addDays(day: Day, count: number): Day {
  return fromUtc(toUtc(day) + count * DAY_MS);
}

/** How many days lie in the window. */
export function countDays({ from, to }: DayWindow): number {
  return (toUtc(to) - toUtc(from)) / DAY_MS;
}

/** The days of the window, oldest first. */
export function listDays({ from, to }: DayWindow): Day[] {
  const days: Day[] = [];
  const end = toUtc(to);
  for (let at = toUtc(from); at < end; at += DAY_MS) days.push(fromUtc(at));
  return days;
}

/** The calendar day of an instant in a time zone (an IANA name). */
export function dayOf(instant: Temporal.Instant | string, timezone: string): Day {
  const at = typeof instant === 'string' ? Temporal.Instant.from(instant) : instant;
  return at.toZonedDateTimeISO(timezone).toPlainDate().toString();
}

/** The instant at which `day` begins in a time zone. */
export function startOfDay(day: Day, timezone: string): Temporal.Instant {
  return Temporal.PlainDate.from(day).toZonedDateTime(timezone).toInstant();
}

/** The instants that whole days cover in a time zone. */
export function toInstants({ from, to }: DayWindow, timezone: string): InstantWindow {
  return { from: startOfDay(from, timezone).toString(), to: startOfDay(to, timezone).toString() };
}

/** Cuts a window into pieces of at most `size` days, newest first. */
export function splitNewestFirst({ from, to }: DayWindow, size: number): DayWindow[] {
  const pieces: DayWindow[] = [];
  for (let end = to; end > from;) {
    const start = addDays(end, -size) > from ? addDays(end, -size) : from;
    pieces.push({ from: start, to: end });
    end = start;
  }
  return pieces;
}

/** The two halves of a window, newest first, or null when it is a single day. */
export function halve(window: DayWindow): [DayWindow, DayWindow] | null {
  const days = countDays(window);
  if (days < 2) return null;
  const middle = addDays(window.from, Math.ceil(days / 2));
  return [
    { from: middle, to: window.to },
    { from: window.from, to: middle },
  ];
}

/** Joins neighbouring days of a list (any order) into windows, oldest first. */
export function joinDays(days: readonly Day[]): DayWindow[] {
  const windows: DayWindow[] = [];
  for (const day of [...new Set(days)].sort()) {
    const last = windows.at(-1);
    if (last?.to === day) windows[windows.length - 1] = { from: last.from, to: addDays(day, 1) };
    else windows.push({ from: day, to: addDays(day, 1) });
  }
  return windows;
}

/** Whether a text is a day that exists. */
export function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  // Asked of every record that is read: a text out of a date would take ten times as long. 30 February becomes 2 March.
  const at = new Date(`${text}T00:00:00Z`);
  return at.getUTCDate() === Number(text.slice(8));
}

/**
 * Whether the runtime knows the time zone by its name, such as Europe/Berlin. An offset such as +02:00 is none: Postgres
 * would read it with the opposite sign.
 */
export function isTimezone(name: string): boolean {
  if (/^[+-]/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}
