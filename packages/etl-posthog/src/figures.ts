/**
 * What PostHog has of each business day: by event the number of distinct events and when the last one arrived. One
 * aggregate serves both streams of a run, the decision which days to read, and the comparison afterwards.
 */
import { z } from 'zod';

import type { DayFigures, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { dayText } from '@floyo/shared/schemas';
import { type Day, type DayWindow, listDays } from '@floyo/shared/window';

import { MAX_LIMIT, type PostHogClient } from './client.ts';
import { tooLarge } from './errors.ts';
import { DAY, inDays, textOf } from './hogql.ts';

export interface EventFigures {
  /** Distinct events: what PostHog keeps twice for a while counts once. */
  readonly count: number;
  /** When PostHog took in the last of them, UTC with microseconds. */
  readonly lastArrival: string;
}
export type FiguresByEvent = ReadonlyMap<string, EventFigures>;

export interface FiguresDesk {
  /**
   * The figures of whole days, by event. Asked by the second stream, what the first was told serves it too; asked by the
   * same stream again, PostHog is asked again.
   */
  ask(io: Io, window: DayWindow, stream: string): Promise<ReadonlyMap<Day, FiguresByEvent>>;
  /** What was told last, as far as it was: for the comparison after reading. */
  told(day: Day): FiguresByEvent | undefined;
}

/** A uuid alone is not unique: some stand on several events. These four are what an event is (external_id and date). */
const SQL = `SELECT ${DAY} AS day, event, uniqExact(uuid, distinct_id) AS event_count, ${textOf('max(created_at)')} AS last_arrival
FROM events`;
/** What was told longer ago serves nobody else: the first stream may take its time. */
const FRESH_MS = 600_000;
const COLUMNS = ['day', 'event', 'event_count', 'last_arrival'];
const countSchema = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(0));
const rowSchema = z.object({
  day: dayText,
  event: z.string(),
  event_count: countSchema,
  last_arrival: z.string(),
});

export function createFiguresDesk(client: PostHogClient): FiguresDesk {
  const known = new Map<
    Day,
    { readonly figures: FiguresByEvent; readonly toldAt: number; readonly askedBy: Set<string> }
  >();

  async function read(io: Io, window: DayWindow): Promise<ReadonlyMap<Day, FiguresByEvent>> {
    const range = inDays(window, io.reporting.timezone);
    const rows = await client.query(io, {
      name: 'floyo events reconcile',
      sql: `${SQL}\nWHERE ${range.sql}\nGROUP BY day, event\nORDER BY day, event`,
      values: range.values,
      columns: COLUMNS,
      limit: MAX_LIMIT,
    });
    if (rows.length >= MAX_LIMIT) throw tooLarge('as many days and events as an answer holds', { window });
    const parsed = z.array(rowSchema).safeParse(rows);
    if (!parsed.success) throw unexpected(z.prettifyError(parsed.error));
    const days = new Map<Day, Map<string, EventFigures>>(listDays(window).map((day) => [day, new Map()]));
    for (const { day, event, event_count: count, last_arrival: lastArrival } of parsed.data) {
      const figures = days.get(day);
      if (figures === undefined)
        throw unexpected(
          `${day} is outside of ${window.from} to ${window.to}: are its time zones older than ours?`,
        );
      figures.set(event, { count, lastArrival });
    }
    return days;
  }

  return {
    async ask(io, window, stream) {
      const days = listDays(window);
      const now = io.now().epochMilliseconds;
      const serves = (day: Day): boolean => {
        const entry = known.get(day);
        return entry !== undefined && !entry.askedBy.has(stream) && now - entry.toldAt < FRESH_MS;
      };
      if (!days.every(serves))
        for (const [day, figures] of await read(io, window))
          known.set(day, { figures, toldAt: now, askedBy: new Set() });
      const answer = new Map<Day, FiguresByEvent>();
      for (const day of days) {
        const entry = known.get(day);
        if (entry === undefined) continue;
        entry.askedBy.add(stream);
        answer.set(day, entry.figures);
      }
      return answer;
    },
    told: (day) => known.get(day)?.figures,
  };
}

/**
 * As the engine keeps and compares them, for the events that a stream holds. `rest` is whatever else decides what the rows
 * are; no event has its name, the empty one.
 */
export function toDayFigures(
  days: ReadonlyMap<Day, FiguresByEvent>,
  holds: (event: string) => boolean,
  rest?: string,
): Map<Day, DayFigures> {
  return new Map(
    [...days].map(([day, figures]) => [
      day,
      {
        ...(rest === undefined ? {} : { '': rest }),
        ...Object.fromEntries(
          [...figures]
            .filter(([event]) => holds(event))
            .map(([event, { count, lastArrival }]) => [event, [count, lastArrival]]),
        ),
      },
    ]),
  );
}

/** The number of a day's events, for the comparison with what is stored. */
export async function readTotals(
  desk: FiguresDesk,
  io: Io,
  window: DayWindow,
  options: { readonly stream: string; readonly measure: string; readonly holds: (event: string) => boolean },
): Promise<Map<Day, Record<string, string>>> {
  const days = listDays(window);
  if (days.some((day) => desk.told(day) === undefined)) await desk.ask(io, window, options.stream);
  return new Map(
    days.map((day) => {
      const counts = [...(desk.told(day) ?? [])].filter(([event]) => options.holds(event));
      return [day, { [options.measure]: String(counts.reduce((sum, [, { count }]) => sum + count, 0)) }];
    }),
  );
}

function unexpected(reasons: string): PipelineError {
  return new PipelineError({
    type: 'contract',
    message: `PostHog's figures of events are not as expected: ${reasons}`,
    advice: 'The API may have changed: compare the answer with the query.',
  });
}
