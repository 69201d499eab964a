/**
 * One row per ad and day of the advertiser's calendar: what was spent and what came of it.
 * Owns the request, the record's shape and its mapping to `spend`.
 * https://business-api.tiktok.com/portal/docs?id=1740302848100353
 */
import { z } from 'zod';

import { type Account, defineStream, type LoadRows } from '@floyo/shared/connector';
import { countText, decimalText, idText } from '@floyo/shared/schemas';
import { addDays, type DayWindow } from '@floyo/shared/window';

import type { Parameters, TikTokClient } from '../client.ts';
import { isIn, readWholeDays } from '../read-days.ts';
import { MAX_DAYS, readTotals, reportDay, TOTALS } from './totals.ts';

/** One advertiser, opened. */
export interface TikTokSession extends Account {
  readonly currency: string;
  /** What TikTok gives as `timezone`: often a fixed offset (Etc/GMT+8). `timezone` here is the display zone; README says why. */
  readonly offsetTimezone: string;
  readonly status: string | undefined;
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

/** Fields that every record has, for they are asked for; and metrics that people choose as conversion or value. */
const ALWAYS = [
  ...DIMENSIONS.map((name) => `dimensions.${name}`),
  ...[...TOTALS, 'reach', ...NAMES, ...KEPT].map((name) => `metrics.${name}`),
];
const CONVERSIONS = [
  ...['on_web_order', 'initiate_checkout', 'web_event_add_to_cart', 'form', 'user_registration'],
  ...['on_web_subscribe', 'on_web_add_to_wishlist', 'page_event_search', 'page_content_view_events'],
  ...['product_details_page_browse', 'online_consult', 'button_click', 'download_start'],
  ...['total_on_web_order_value', 'total_initiate_checkout_value', 'total_web_event_add_to_cart_value'],
  ...['total_form_value', 'total_user_registration_value', 'total_on_web_subscribe_value', 'purchase'],
  ...['registration', 'total_registration', 'checkout', 'total_checkout', 'total_checkout_value'],
  ...['subscribe', 'total_subscribe', 'total_subscribe_value', 'app_install', 'real_time_app_install'],
  ...['app_event_add_to_cart', 'view_content', 'cta_conversion', 'vta_conversion', 'skan_conversion'],
  ...['skan_result', 'onsite_on_web_cart', 'onsite_initiate_checkout_count'],
  ...['offline_shopping_events', 'offline_shopping_events_value'],
].map((name) => `metrics.${name}`);

/** Without it TikTok leaves out deleted ads, with their spend. */
const ALL_STATUSES = [isIn('ad_status', ['STATUS_ALL'])];

// Every metric is a text, and '-' where there is none.
const text = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value) => (value === null || value === undefined || value === '-' ? null : String(value)));
/** `-` is TikTok's null. */
const orNull = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '-' ? null : value), schema);

const dimensionsSchema = z.object({ ad_id_v2: idText, stat_time_day: reportDay });
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
  maxWindowDays: MAX_DAYS,
  settings: ({ conversionMetric, valueMetric }) => ({
    TIKTOK_CONVERSION_METRIC: conversionMetric,
    TIKTOK_VALUE_METRIC: valueMetric,
  }),
  schema: reportSchema,
  identify: identifyRecord,
  readDays: (session, window, io) =>
    readWholeDays(session.client, io, {
      window,
      parameters: reportParameters(session, window),
      identify: identifyRecord,
    }),
  totals: { measures: TOTALS, read: readTotals },
  shape: { fieldsOf, known: [...ALWAYS, ...CONVERSIONS], always: ALWAYS },
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
): Parameters &
  Readonly<Record<'metrics' | 'dimensions', readonly string[]>> & { readonly filtering: readonly unknown[] } {
  const metrics = [...TOTALS, 'reach', ...NAMES, ...KEPT, conversionMetric, valueMetric];
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

const identitySchema = z.object({ dimensions: dimensionsSchema });

function identifyRecord(record: unknown): { externalId: string; date: string } | undefined {
  const known = identitySchema.safeParse(record);
  if (!known.success) return undefined;
  const { ad_id_v2: adId, stat_time_day: date } = known.data.dimensions;
  return { externalId: `tiktok:${adId}`, date };
}

const partsSchema = z.record(z.string(), z.record(z.string(), z.unknown()));

function fieldsOf(record: unknown): string[] {
  const parts = partsSchema.safeParse(record).data ?? {};
  return Object.entries(parts).flatMap(([part, values]) =>
    Object.keys(values).map((name) => `${part}.${name}`),
  );
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
