/**
 * One row per ad and day of the advertiser's calendar: what was spent and what came of it.
 * Owns the request, the record's shape and its mapping to `spend`.
 * https://business-api.tiktok.com/portal/docs?id=1740302848100353
 */
import { z } from 'zod';

import { type Account, defineStream, type LoadRows } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { countText, dayText, decimalText, idText } from '@floyo/shared/schemas';
import { addDays, countDays, type DayWindow } from '@floyo/shared/window';

import type { Parameters, TikTokClient } from '../client.ts';

/** One advertiser, opened. */
export interface TikTokSession extends Account {
  readonly currency: string;
  /** What TikTok gives as `timezone`: often a fixed offset (Etc/GMT+8). `timezone` here is the display zone; README says why. */
  readonly offsetTimezone: string;
  readonly conversionMetric: string;
  readonly valueMetric: string;
  readonly client: TikTokClient;
}

/** `ad_id_v2` is the ad as the advertiser sees it; `ad_id` would be the creative for Upgraded Smart+ ads. */
export const DIMENSIONS = ['ad_id_v2', 'stat_time_day'] as const;

const NAMES = ['campaign_id', 'campaign_name', 'adgroup_id', 'adgroup_name', 'ad_name'] as const;
/** Kept in `raw`, beside the configured conversion and value. */
const KEPT = [
  ...['conversion', 'cost_per_conversion', 'real_time_conversion', 'result', 'complete_payment'],
  ...['total_complete_payment_rate', 'total_purchase', 'total_purchase_value', 'onsite_shopping'],
  ...['total_onsite_shopping_value', 'objective_type', 'campaign_automation_type'],
] as const;

/** Without it TikTok leaves out deleted ads, with their spend. */
const ALL_STATUSES = [{ field_name: 'ad_status', filter_type: 'IN', filter_value: '["STATUS_ALL"]' }];

// Every metric is a text, and '-' where there is none.
const text = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value) => (value === null || value === undefined || value === '-' ? null : String(value)));
const day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}( 00:00:00)?$/, 'is not a day')
  .transform((value) => value.slice(0, 10))
  .pipe(dayText);

/** `-` is TikTok's null. */
const orNull = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '-' ? null : value), schema);

const dimensionsSchema = z.object({ ad_id_v2: idText, stat_time_day: day });
export const reportSchema = z.object({
  dimensions: dimensionsSchema,
  metrics: z
    .object({
      spend: orNull(decimalText),
      impressions: orNull(countText),
      clicks: orNull(countText),
      reach: orNull(countText.nullish()).transform((value) => value ?? null),
      campaign_id: idText,
      campaign_name: text,
      adgroup_id: idText,
      adgroup_name: text,
      ad_name: text,
    })
    .catchall(text),
});
export type ReportRecord = z.infer<typeof reportSchema>;

export const report = defineStream<TikTokSession, ReportRecord>({
  name: 'report',
  parent: {
    table: 'spend',
    key: ['external_id', 'date'],
    scope: (accountId) => ({ source: 'tiktok', account_id: accountId }),
  },
  children: [],
  calendar: 'account',
  firstRun: { daysBack: 28 },
  // Conversions are credited to the day of the click for up to 28 days.
  restatementDays: 28,
  // TikTok's limit with stat_time_day, both ends included.
  maxWindowDays: 30,
  schema: reportSchema,
  identify: identifyRecord,
  async *readDays(session, window, io) {
    const pages = session.client.readReport(io.http, {
      parameters: reportParameters(session, window),
      canSplit: countDays(window) > 1,
      identify: identifyRecord,
    });
    for await (const page of pages) {
      for (const record of page) refuseOtherDay(record, session, window);
      yield page;
    }
  },
  toRows: toSpendRow,
});

/** The query of one window; TikTok's `end_date` is included. Never `advertiser_ids`: numbers then lose their decimal point. */
export function reportParameters(
  {
    id: advertiserId,
    conversionMetric,
    valueMetric,
  }: Pick<TikTokSession, 'id' | 'conversionMetric' | 'valueMetric'>,
  { from, to }: DayWindow,
): Parameters & { readonly metrics: readonly string[]; readonly dimensions: readonly string[] } {
  const metrics = [
    'spend',
    'impressions',
    'clicks',
    'reach',
    ...NAMES,
    ...KEPT,
    conversionMetric,
    valueMetric,
  ];
  return {
    advertiser_id: advertiserId,
    service_type: 'AUCTION',
    report_type: 'BASIC',
    data_level: 'AUCTION_AD',
    dimensions: DIMENSIONS,
    metrics: [...new Set(metrics)],
    start_date: from,
    end_date: addDays(to, -1),
    filtering: ALL_STATUSES,
  };
}

function identifyRecord(record: unknown): { externalId: string; date: string } | undefined {
  const known = z.object({ dimensions: dimensionsSchema }).safeParse(record);
  if (!known.success) return undefined;
  const { ad_id_v2: adId, stat_time_day: date } = known.data.dimensions;
  return { externalId: `tiktok:${adId}`, date };
}

function refuseOtherDay(record: unknown, session: TikTokSession, { from, to }: DayWindow): void {
  const date = identifyRecord(record)?.date;
  if (date === undefined || (date >= from && date < to)) return;
  throw new PipelineError({
    type: 'contract',
    message: `TikTok answered with ${date}, which was not asked for`,
    advice:
      "Nothing of this window was loaded. If the advertiser's time zone was changed, run a backfill of the days around it.",
    context: { account: session.id, window: { from, to } },
  });
}

function toSpendRow({ dimensions, metrics }: ReportRecord, session: TikTokSession): LoadRows {
  const { conversionMetric, valueMetric } = session;
  return {
    spend: [
      {
        external_id: `tiktok:${dimensions.ad_id_v2}`,
        date: dimensions.stat_time_day,
        source: 'tiktok',
        account_id: session.id,
        account_timezone: session.timezone,
        campaign_id: metrics.campaign_id,
        campaign_name: metrics.campaign_name,
        ad_group_id: metrics.adgroup_id,
        ad_group_name: metrics.adgroup_name,
        ad_id: dimensions.ad_id_v2,
        ad_name: metrics.ad_name,
        currency: session.currency,
        spend: metrics.spend,
        impressions: metrics.impressions,
        clicks: metrics.clicks,
        // TikTok's clicks lead to the destination; it tells no other kind apart.
        link_clicks: null,
        reach: metrics.reach,
        conversions: readDecimal(metrics, conversionMetric),
        conversion_value: readDecimal(metrics, valueMetric),
        raw: Object.fromEntries(
          [...new Set([...KEPT, conversionMetric, valueMetric])].map((name) => [name, metrics[name] ?? null]),
        ),
      },
    ],
  };
}

/** Null where TikTok gives none; anything but a number quarantines the record. */
function readDecimal(metrics: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = decimalText.nullable().safeParse(metrics[name] ?? null);
  if (!value.success) throw new Error(`metrics.${name}: is not a decimal number`);
  return value.data;
}
