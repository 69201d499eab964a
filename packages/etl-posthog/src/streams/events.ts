/** Single events, for what needs their row: order in time and properties. One record is one event as PostHog has it. */
import { createHash } from 'node:crypto';

import { z } from 'zod';

import { defineStream, type LoadRows } from '@floyo/shared/connector';
import { dayText } from '@floyo/shared/schemas';

import { readTotals, toDayFigures } from '../figures.ts';
import { eventMatcher, toIsoInstant } from '../hogql.ts';
import { pullEvents } from '../pull-events.ts';
import type { PostHogSession } from '../session.ts';
import { flag, instantText, nameText, RESTATEMENT_DAYS } from './shape.ts';

const NAME = 'events';

const eventSchema = z.object({
  day: dayText,
  occurred_at: instantText,
  id: z.guid(),
  event: nameText,
  distinct_id: nameText,
  identified: flag,
  /** Those of the allow-list that the event has. */
  properties: z.record(z.string(), z.unknown()),
});
export type EventRecord = z.infer<typeof eventSchema>;

export const events = defineStream<PostHogSession, EventRecord>({
  name: NAME,
  parent: {
    table: 'events',
    key: ['external_id', 'date'],
    // One project is the source: its ids are unique without it.
    scope: () => ({ source: 'posthog' }),
  },
  children: [],
  calendar: 'reporting',
  firstRun: { daysBack: RESTATEMENT_DAYS },
  restatementDays: RESTATEMENT_DAYS,
  maxWindowDays: 7,
  schema: eventSchema,
  identify: identifyRecord,
  readDays: pullEvents,
  figures: {
    // Another allow-list is another content of the same rows.
    read: async ({ figures, rawEvents, properties }, window, io) =>
      toDayFigures(await figures.ask(io, window, NAME), eventMatcher(rawEvents), properties.join()),
  },
  totals: {
    measures: ['rows'],
    read: ({ figures, rawEvents }, window, io) =>
      readTotals(figures, io, window, { stream: NAME, measure: 'rows', holds: eventMatcher(rawEvents) }),
  },
  toRows,
});

function identifyRecord(record: unknown): { externalId: string; date: string } | undefined {
  const known = eventSchema.pick({ day: true, id: true, event: true, distinct_id: true }).safeParse(record);
  return known.success ? { externalId: externalIdOf(known.data), date: known.data.day } : undefined;
}

/** PostHog's uuid alone is not unique: it tells events apart by event, distinct_id and day, too. */
function externalIdOf({ id, event, distinct_id }: Pick<EventRecord, 'id' | 'event' | 'distinct_id'>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([event, distinct_id]))
    .digest('hex')
    .slice(0, 8);
  return `posthog:${id.toLowerCase()}:${hash}`;
}

function toRows(record: EventRecord): LoadRows {
  return {
    events: [
      {
        external_id: externalIdOf(record),
        date: record.day,
        source: 'posthog',
        event: record.event,
        distinct_id: record.distinct_id,
        user_id: record.identified ? record.distinct_id : null,
        occurred_at: toIsoInstant(record.occurred_at),
        properties: record.properties,
      },
    ],
  };
}
