/**
 * How a window is read, from the cheapest way to the surest:
 * one call; when it takes too long an asynchronous report of the same; when it is too much, fewer days (the runner
 * halves them); a single day as a report, then by campaign, ad set and ad, and in the end an ad's fields in groups.
 * Every rung reads all of it or throws: nothing is left out.
 */
import type { Io } from '@floyo/shared/connector';
import { WindowTooLargeError } from '@floyo/shared/errors';
import { countDays, type DayWindow } from '@floyo/shared/window';

import type { MetaClient, Parameters } from './client.ts';
import { CallTimedOutError } from './errors.ts';
import { insightsParameters } from './query.ts';
import { readReport } from './report.ts';
import { readDayInParts } from './split-day.ts';

/** Reads what a query brings. `hasParts` says that too much for one call is better asked for in parts than as a report. */
export type ReadQuery = (parameters: Parameters, hasParts: boolean) => AsyncGenerator<readonly unknown[]>;

export interface WindowReader {
  /** Pages of the window's records, each record once. Throws WindowTooLargeError when fewer days are needed. */
  read(io: Io, window: DayWindow): AsyncGenerator<readonly unknown[]>;
  /** Pages of any query of these days. */
  readQuery(io: Io, window: DayWindow): ReadQuery;
}

export function createWindowReader(client: MetaClient): WindowReader {
  /** Windows of so many days take too long for one call, as one has: another one is not kept waiting. */
  let slowFromDays = Infinity;

  function readQuery(io: Io, window: DayWindow): ReadQuery {
    return async function* (parameters, hasParts) {
      const days = countDays(window);
      if (days < slowFromDays) {
        try {
          yield* client.readPages(io, `act_${client.accountId}/insights`, parameters);
          return;
        } catch (error) {
          if (!(error instanceof WindowTooLargeError)) throw error;
          const isSlow = error instanceof CallTimedOutError;
          if (!isSlow && hasParts) throw error;
          // A single day can have parts that are quick.
          if (isSlow && days > 1) slowFromDays = days;
          io.log.info({ window, reason: error.message }, 'asked for as an asynchronous report');
        }
      }
      yield* readReport(client, io, parameters);
    };
  }

  async function* readAll(io: Io, window: DayWindow): AsyncGenerator<readonly unknown[]> {
    const isDay = countDays(window) === 1;
    const read = readQuery(io, window);
    try {
      yield* read(insightsParameters(window), !isDay);
    } catch (error) {
      if (!isDay || !(error instanceof WindowTooLargeError)) throw error;
      io.log.info({ window, reason: error.message }, 'a day is too much at once: read by campaign');
      yield* readDayInParts(window, read);
    }
  }

  return {
    readQuery,
    async *read(io, window) {
      const seen = new Set<string>();
      for await (const page of readAll(io, window)) {
        const fresh = page.filter((record) => {
          const key = keyOf(record);
          if (key === undefined) return true;
          const isFresh = !seen.has(key);
          seen.add(key);
          return isFresh;
        });
        if (fresh.length > 0) yield fresh;
      }
    },
  };
}

/** The ad and day of a record; undefined when it can't be told, and whoever validates the record sees to it. */
function keyOf(record: unknown): string | undefined {
  if (record === null || typeof record !== 'object') return undefined;
  const ad = 'ad_id' in record ? record.ad_id : undefined;
  const day = 'date_start' in record ? record.date_start : undefined;
  return typeof ad === 'string' && typeof day === 'string' ? `${ad} ${day}` : undefined;
}
