/** ClickHouse's values as numbers and texts, and their order. Instants are microseconds, dates days since 1970. */
import { Temporal } from 'temporal-polyfill';

import { badQuery } from '../errors.ts';

export type Value = string | number | readonly Value[];
export type Type = 'string' | 'number' | 'datetime' | 'date' | 'uuid' | 'json' | 'array' | 'tuple';

/** The zone that the project displays: what has no zone of its own is taken to be in it. */
export const PROJECT_ZONE = 'America/Los_Angeles';

/** Of two UUIDs the second half decides, as in ClickHouse. */
function compareUuids(left: string, right: string): number {
  const turned = (uuid: string): string => `${uuid.slice(19)}${uuid.slice(0, 18)}`;
  return compareTexts(turned(left), turned(right));
}

function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** How values of these types stand to each other. */
export function comparer(types: readonly Type[]): (left: Value, right: Value) => number {
  const [only] = types;
  if (types.length === 1 && only !== undefined)
    return (left, right) => {
      if (typeof left === 'number' && typeof right === 'number') return left - right;
      if (typeof left !== 'string' || typeof right !== 'string')
        throw badQuery('Illegal types of arguments of a comparison');
      return only === 'uuid' ? compareUuids(left, right) : compareTexts(left, right);
    };
  const members = types.map((type) => comparer([type]));
  return (left, right) => {
    if (!Array.isArray(left) || !Array.isArray(right))
      throw badQuery('Illegal types of arguments of a comparison');
    for (const [index, member] of members.entries()) {
      const order = member((left as readonly Value[])[index] ?? '', (right as readonly Value[])[index] ?? '');
      if (order !== 0) return order;
    }
    return 0;
  };
}

const offsets = new Map<string, Map<number, number>>();
const QUARTER_US = 900_000_000;

/** What a zone's clocks are ahead of UTC at an instant, in microseconds. */
export function offsetAt(zone: string, micros: number): number {
  if (zone === 'UTC') return 0;
  const known = offsets.get(zone) ?? new Map<number, number>();
  offsets.set(zone, known);
  const quarter = Math.floor(micros / QUARTER_US);
  const found = known.get(quarter);
  if (found !== undefined) return found;
  const at = Temporal.Instant.fromEpochMilliseconds((quarter * QUARTER_US) / 1000);
  const offset = at.toZonedDateTimeISO(zone).offsetNanoseconds / 1000;
  known.set(quarter, offset);
  return offset;
}

export function isZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}

/** `2026-01-02 03:04:05.000006` of an instant in a zone. */
export function instantText(micros: number, zone: string): string {
  const local = micros + offsetAt(zone, micros);
  const millis = Math.floor(local / 1000);
  const iso = new Date(millis).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 23)}${String(local - millis * 1000).padStart(3, '0')}`;
}

/** Reads `2026-01-02 03:04:05[.000006]` in a zone. */
export function readInstant(text: string, zone: string): number {
  const [, day, time, fraction = ''] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (day === undefined || time === undefined) throw badQuery(`Cannot parse DateTime64 from '${text}'`);
  const local = Temporal.PlainDateTime.from(`${day}T${time}`).toZonedDateTime(zone);
  return local.epochMilliseconds * 1000 + Number(fraction.padEnd(6, '0'));
}
