/** The pieces of HogQL that queries share: instants, business days, which events, who is identified. */
import { type DayWindow, type InstantWindow, toInstants } from '@floyo/shared/window';

import type { Values } from './client.ts';

/** The business day of an event in the zone `{time_zone}`. */
export const DAY = 'toString(toDate(toTimeZone(timestamp, {time_zone})))';

/** An instant as text in UTC with its microseconds, which numbers and JSON dates would lose. */
export function textOf(instant: string): string {
  return `toString(toTimeZone(${instant}, 'UTC'))`;
}

/**
 * Whether the distinct_id is a person's and not the device's: posthog-js sends the anonymous id as `$device_id` and goes
 * by it until somebody is identified; servers send none. Asked by name, PostHog may read it from a column of its own
 * instead of every event's properties.
 */
export const IDENTIFIED = "ifNull(properties.$device_id, '') != distinct_id";

/** A stretch of time: two conditions on `timestamp`, their values, and the zone of business days. */
export function isBetween(
  { from, to }: InstantWindow,
  timezone: string,
): { readonly sql: string; readonly values: Values } {
  return {
    sql: "timestamp >= toDateTime64({range_from}, 6, 'UTC') AND timestamp < toDateTime64({range_to}, 6, 'UTC')",
    values: { range_from: toSqlInstant(from), range_to: toSqlInstant(to), time_zone: timezone },
  };
}

/** The same for whole business days. */
export function inDays(
  window: DayWindow,
  timezone: string,
): { readonly sql: string; readonly values: Values } {
  return isBetween(toInstants(window, timezone), timezone);
}

/** `2026-01-02T03:04:05Z` as ClickHouse reads it: `2026-01-02 03:04:05.000000`. */
export function toSqlInstant(instant: string): string {
  const [, day = '', time = '', fraction = ''] = /^(\S+)T([\d:]+)(?:\.(\d+))?Z$/.exec(instant) ?? [];
  return `${day} ${time}.${fraction.padEnd(6, '0').slice(0, 6)}`;
}

/** `2026-01-02 03:04:05.000006` as ISO. */
export function toIsoInstant(text: string): string {
  return `${text.replace(' ', 'T')}Z`;
}

/** The condition that an event is one of these names, in which `*` stands for any text. */
export function isEvent(names: readonly string[]): { readonly sql: string; readonly values: Values } {
  const exact = names.filter((name) => !name.includes('*'));
  const patterns = names.filter((name) => name.includes('*'));
  const parts = [
    ...(exact.length > 0 ? ['event IN {event_names}'] : []),
    ...patterns.map((_pattern, index) => `event LIKE {pattern${index}}`),
  ];
  return {
    sql: `(${parts.join(' OR ')})`,
    values: {
      ...(exact.length > 0 ? { event_names: exact } : {}),
      ...Object.fromEntries(patterns.map((pattern, index) => [`pattern${index}`, toLike(pattern)])),
    },
  };
}

/** The same condition here. */
export function eventMatcher(names: readonly string[]): (event: string) => boolean {
  const exact = new Set(names);
  const patterns = names
    .filter((name) => name.includes('*'))
    .map((name) => new RegExp(`^${name.split('*').map(RegExp.escape).join('[\\s\\S]*')}$`));
  return (event) => exact.has(event) || patterns.some((pattern) => pattern.test(event));
}

function toLike(pattern: string): string {
  return pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%');
}
