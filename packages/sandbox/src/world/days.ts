/**
 * Calendar days as whole numbers (days since 1970-01-01), so that the world can count with them cheaply,
 * and the one place that turns the clock into an account's local day.
 */
import { Temporal } from 'temporal-polyfill';

const dayMs = 86_400_000;

/** '2026-11-21' as days since 1970-01-01; throws a RangeError when it is no calendar day. */
export function dayNumber(day: string): number {
  const date = Temporal.PlainDate.from(day, { overflow: 'reject' });
  return Math.round(Date.UTC(date.year, date.month - 1, date.day) / dayMs);
}

/** Some thousand days are written again and again, on every row. */
const texts = new Map<number, string>();

/** Days since 1970-01-01 as 'YYYY-MM-DD'. */
export function dayText(day: number): string {
  const known = texts.get(day);
  if (known !== undefined) return known;
  const text = new Date(day * dayMs).toISOString().slice(0, 10);
  texts.set(day, text);
  return text;
}

/** 0 is Sunday. */
export function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** The day that `text` names, or undefined unless it is a calendar day written YYYY-MM-DD. */
export function parseDay(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(ms) || dayText(ms / dayMs) !== text) return undefined;
  return ms / dayMs;
}

/** Today in a time zone, and how much of it has passed (0..1; a day has 23 or 25 hours when the clocks change). */
export function localDay(now: Temporal.Instant, timezone: string): { day: number; elapsed: number } {
  const local = now.toZonedDateTimeISO(timezone);
  const start = local.startOfDay();
  const end = start.add({ days: 1 }).startOfDay();
  const length = end.epochMilliseconds - start.epochMilliseconds;
  const passed = now.epochMilliseconds - start.epochMilliseconds;
  return { day: dayNumber(local.toPlainDate().toString()), elapsed: passed / length };
}
