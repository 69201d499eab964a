/**
 * How often everybody did what on a business day, of all events, counted in PostHog's own database: the size of a day is
 * that of its people, not of their clicks. One record is one distinct_id, event and day.
 */
import { z } from 'zod';

import { defineStream, type Io, type LoadRows } from '@floyo/shared/connector';
import { dayText } from '@floyo/shared/schemas';
import { addDays, countDays, type Day, type DayWindow, listDays } from '@floyo/shared/window';

import type { Row } from '../client.ts';
import { QueryTooLargeError } from '../errors.ts';
import { readTotals, toDayFigures } from '../figures.ts';
import { DAY, IDENTIFIED, inDays, textOf, toIsoInstant } from '../hogql.ts';
import { compareText, readPages, refuseOtherDays } from '../read-pages.ts';
import type { PostHogSession } from '../session.ts';
import { count, flag, instantText, nameText, RESTATEMENT_DAYS } from './shape.ts';

const NAME = 'event_user_days';
const COLUMNS = ['day', 'distinct_id', 'event', 'event_count', 'first_at', 'last_at', 'identified'];

const userDaySchema = z.object({
  day: dayText,
  distinct_id: nameText,
  event: nameText,
  event_count: count,
  first_at: instantText,
  last_at: instantText,
  identified: flag,
});
export type UserDay = z.infer<typeof userDaySchema>;

/** Into so many parts, by person, a day may be cut that is too large to be counted at once. */
const MOST_PARTS = 16;

const all = (): boolean => true;

export const eventUserDays = defineStream<PostHogSession, UserDay>({
  name: NAME,
  parent: {
    table: 'event_user_days',
    key: ['external_id', 'date'],
    scope: () => ({ source: 'posthog' }),
  },
  children: [],
  calendar: 'reporting',
  firstRun: { daysBack: RESTATEMENT_DAYS },
  restatementDays: RESTATEMENT_DAYS,
  maxWindowDays: 7,
  schema: userDaySchema,
  identify: identifyRecord,
  readDays,
  figures: {
    read: async ({ figures }, window, io) => toDayFigures(await figures.ask(io, window, NAME), all),
  },
  totals: {
    measures: ['count'],
    read: ({ figures }, window, io) =>
      readTotals(figures, io, window, { stream: NAME, measure: 'count', holds: all }),
  },
  toRows,
});

/** Day by day, because PostHog counts all of a query's rows before it tells the first. */
async function* readDays(session: PostHogSession, window: DayWindow, io: Io): AsyncGenerator<unknown[]> {
  const isOneDay = countDays(window) === 1;
  for (const day of listDays(window))
    for await (const page of readPart(session, day, io, { of: 1, nth: 0, most: isOneDay ? MOST_PARTS : 1 })) {
      refuseOtherDays(page, { from: day, to: addDays(day, 1) });
      yield page;
    }
}

/** The people whose id has the hash `nth` modulo `of`. */
interface Part {
  readonly of: number;
  readonly nth: number;
  /** Of several days none is cut into parts: the runner asks for fewer first. */
  readonly most: number;
}

/** A part that is too large is read as two; of the smallest parts fewer rows at once. */
async function* readPart(session: PostHogSession, day: Day, io: Io, part: Part): AsyncGenerator<Row[]> {
  let begun = false;
  try {
    for await (const page of readPartPages(session, day, io, part)) {
      begun = true;
      yield page;
    }
  } catch (error) {
    // Later pages count no more than the first one did.
    if (begun || part.of >= part.most || !(error instanceof QueryTooLargeError)) throw error;
    const of = part.of * 2;
    for (const nth of [part.nth, part.nth + part.of]) yield* readPart(session, day, io, { ...part, of, nth });
  }
}

function readPartPages({ client }: PostHogSession, day: Day, io: Io, part: Part): AsyncGenerator<Row[]> {
  const range = inDays({ from: day, to: addDays(day, 1) }, io.reporting.timezone);
  const people = part.of === 1 ? '' : ' AND modulo(cityHash64(distinct_id), {parts}) = {part}';
  return readPages(client, io, {
    name: 'floyo event user days pull',
    columns: COLUMNS,
    values: { ...range.values, ...(part.of === 1 ? {} : { parts: part.of, part: part.nth }) },
    // The rule of who is identified, asked of any of the day's events: the same people as from single events.
    sql: (after) => `SELECT ${DAY} AS day, distinct_id, event, uniqExact(uuid) AS event_count,
  ${textOf('min(timestamp)')} AS first_at, ${textOf('max(timestamp)')} AS last_at, max(${IDENTIFIED}) AS identified
FROM events
WHERE ${range.sql}${people}${after}
GROUP BY day, distinct_id, event
ORDER BY distinct_id, event`,
    after: (last) => ({
      sql: ' AND (distinct_id, event) > ({after_person}, {after_event})',
      values: { after_person: String(last['distinct_id']), after_event: String(last['event']) },
    }),
    compare: (left, right) =>
      compareText(left['distinct_id'], right['distinct_id']) ||
      compareText(left['event'], right['event']) ||
      1,
    halves: (error) => error instanceof QueryTooLargeError && part.of === MOST_PARTS,
  });
}

function identifyRecord(record: unknown): { externalId: string; date: string } | undefined {
  const known = userDaySchema.pick({ day: true, event: true, distinct_id: true }).safeParse(record);
  return known.success ? { externalId: externalIdOf(known.data), date: known.data.day } : undefined;
}

function externalIdOf({ distinct_id, event }: Pick<UserDay, 'distinct_id' | 'event'>): string {
  return `posthog:${distinct_id}:${event}`;
}

function toRows(record: UserDay): LoadRows {
  return {
    event_user_days: [
      {
        external_id: externalIdOf(record),
        date: record.day,
        source: 'posthog',
        distinct_id: record.distinct_id,
        user_id: record.identified ? record.distinct_id : null,
        event: record.event,
        count: record.event_count,
        first_at: toIsoInstant(record.first_at),
        last_at: toIsoInstant(record.last_at),
      },
    ],
  };
}
