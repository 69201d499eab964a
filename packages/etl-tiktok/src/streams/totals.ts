/**
 * What TikTok itself says that an advertiser spent on a day: deleted ads, reservations and Branded Missions included.
 * Compared with the sum over ads after each window.
 */
import { z } from 'zod';

import { countText, dayText, decimalText } from '@floyo/shared/schemas';
import { addDays, type Day, type DayWindow, splitNewestFirst } from '@floyo/shared/window';

import type { CallIo, Parameters, TikTokClient } from '../client.ts';
import { collectReport, parseRecords } from '../read-days.ts';

/** Columns of `spend` and names of TikTok's metrics alike. */
export const TOTALS = ['spend', 'impressions', 'clicks'] as const;
/** TikTok's longest range with days, both ends included. */
export const MAX_DAYS = 30;

/** A day as a report writes it: with a midnight that means nothing. */
export const reportDay = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}( 00:00:00)?$/, 'is not a day')
  .transform((value) => value.slice(0, 10))
  .pipe(dayText);

/** TikTok's null: what can't be compared is left out. */
const NONE = z.literal('-');

const recordSchema = z.object({
  dimensions: z.object({ advertiser_id: z.string(), stat_time_day: reportDay }),
  metrics: z.object({
    spend: decimalText.or(NONE),
    impressions: countText.or(NONE),
    clicks: countText.or(NONE),
  }),
});

/** Texts by day; a day on which nothing was delivered is left out. No filter: none applies to a whole advertiser. */
export async function readTotals(
  session: { readonly id: string; readonly client: TikTokClient },
  window: DayWindow,
  io: CallIo,
): Promise<ReadonlyMap<Day, Readonly<Record<string, string>>>> {
  const totals = new Map<Day, Readonly<Record<string, string>>>();
  for (const part of splitNewestFirst(window, MAX_DAYS)) {
    const parameters = totalParameters(session.id, part);
    const records = await collectReport(session.client, io, { window: part, parameters, identify });
    for (const { dimensions, metrics } of parseRecords(recordSchema, records))
      totals.set(
        dimensions.stat_time_day,
        Object.fromEntries(Object.entries(metrics).filter(([, value]) => value !== '-')),
      );
  }
  return totals;
}

/** The query of one window; TikTok's `end_date` is included. */
export function totalParameters(advertiserId: string, { from, to }: DayWindow): Parameters {
  return {
    advertiser_id: advertiserId,
    service_type: 'AUCTION',
    report_type: 'BASIC',
    data_level: 'AUCTION_ADVERTISER',
    dimensions: ['advertiser_id', 'stat_time_day'],
    metrics: TOTALS,
    start_date: from,
    end_date: addDays(to, -1),
  };
}

const identitySchema = recordSchema.pick({ dimensions: true });

function identify(record: unknown): { externalId: string; date: string } | undefined {
  const { data } = identitySchema.safeParse(record);
  return data && { externalId: data.dimensions.advertiser_id, date: data.dimensions.stat_time_day };
}
