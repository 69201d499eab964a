/**
 * The reading of single events: one query a stretch of time, in pages. What is too large is asked for by fewer days (the
 * runner's doing), then by parts of the day, then by fewer rows.
 */
import type { Io } from '@floyo/shared/connector';
import { countDays, type DayWindow, type InstantWindow, toInstants } from '@floyo/shared/window';

import type { Row } from './client.ts';
import { QueryTooLargeError } from './errors.ts';
import { DAY, IDENTIFIED, isBetween, isEvent, textOf } from './hogql.ts';
import { readPages, refuseOtherDays } from './read-pages.ts';
import type { PostHogSession } from './session.ts';

const COLUMNS = ['day', 'occurred_at', 'id', 'event', 'distinct_id', 'identified', 'kept', 'arrived_at'];
/**
 * The order of pages. What follows the uuid tells apart what shares one, and versions of an event that PostHog has not
 * merged yet.
 */
const KEY = 'timestamp, uuid, event, distinct_id, created_at';
/** Shorter stretches are not halved: then it is the rows. */
const LEAST_MS = 3_600_000;

/** Every chosen event of whole days, a page at a time, with the properties of the allow-list and no others. */
export async function* pullEvents(
  session: PostHogSession,
  window: DayWindow,
  io: Io,
): AsyncGenerator<unknown[]> {
  const range = toInstants(window, io.reporting.timezone);
  const stretches =
    countDays(window) === 1 ? pullParts(session, range, io) : pullStretch(session, range, io, false);
  for await (const page of stretches) {
    refuseOtherDays(page, window);
    yield page.map((row) => toRecord(row, session.properties));
  }
}

/** A stretch that is too large as two, in order, down to an hour. */
async function* pullParts(session: PostHogSession, range: InstantWindow, io: Io): AsyncGenerator<Row[]> {
  const halves = halve(range);
  if (halves === null) {
    yield* pullStretch(session, range, io, true);
    return;
  }
  let begun = false;
  try {
    for await (const page of pullStretch(session, range, io, false)) {
      begun = true;
      yield page;
    }
  } catch (error) {
    // Later pages ask for less than the first one did: what stops them is not the stretch.
    if (begun || !(error instanceof QueryTooLargeError)) throw error;
    for (const half of halves) yield* pullParts(session, half, io);
  }
}

function pullStretch(
  { client, properties, rawEvents }: PostHogSession,
  range: InstantWindow,
  io: Io,
  fewerRows: boolean,
): AsyncGenerator<Row[]> {
  const between = isBetween(range, io.reporting.timezone);
  const chosen = isEvent(rawEvents);
  const kept = properties.map((_name, index) => `JSONExtractRaw(properties, {p${index}})`);
  return readPages(client, io, {
    name: 'floyo events pull',
    columns: COLUMNS,
    values: {
      ...between.values,
      ...chosen.values,
      ...Object.fromEntries(properties.map((name, index) => [`p${index}`, name])),
    },
    sql: (
      after,
    ) => `SELECT ${DAY} AS day, ${textOf('timestamp')} AS occurred_at, toString(uuid) AS id, event, distinct_id,
  ${IDENTIFIED} AS identified, [${kept.join(', ')}] AS kept, ${textOf('created_at')} AS arrived_at
FROM events
WHERE ${between.sql} AND ${chosen.sql}${after}
ORDER BY ${KEY}`,
    after: (last) => ({
      sql: ` AND (${KEY}) > (toDateTime64({after_time}, 6, 'UTC'), toUUID({after_id}), {after_event}, {after_person}, toDateTime64({after_arrival}, 6, 'UTC'))`,
      values: {
        after_time: String(last['occurred_at']),
        after_id: String(last['id']),
        after_event: String(last['event']),
        after_person: String(last['distinct_id']),
        after_arrival: String(last['arrived_at']),
      },
    }),
    // Within an instant PostHog's order is its own.
    compare: (left, right) => (String(left['occurred_at']) > String(right['occurred_at']) ? 1 : -1),
    halves: (error) => error instanceof QueryTooLargeError && fewerRows,
  });
}

function halve({ from, to }: InstantWindow): [InstantWindow, InstantWindow] | null {
  const [begin, end] = [Date.parse(from), Date.parse(to)];
  if (end - begin <= LEAST_MS) return null;
  const middle = new Date((begin + end) / 2).toISOString();
  return [
    { from, to: middle },
    { from: middle, to },
  ];
}

/** With what was kept of its properties by name; a property that is no JSON stays out and makes the record invalid. */
function toRecord(row: Row, names: readonly string[]): unknown {
  const { kept, ...rest } = row;
  return { ...rest, properties: readProperties(kept, names) };
}

function readProperties(kept: unknown, names: readonly string[]): Record<string, unknown> | undefined {
  if (!Array.isArray(kept) || kept.length !== names.length) return undefined;
  const properties: Record<string, unknown> = {};
  for (const [index, name] of names.entries()) {
    const text: unknown = kept[index];
    if (typeof text !== 'string') return undefined;
    if (text === '' || text === 'null') continue;
    try {
      properties[name] = JSON.parse(text);
    } catch {
      return undefined;
    }
  }
  return properties;
}
