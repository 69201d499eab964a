/** The metrics of a report: which exist, at which level, and how their values are written (texts, '-' for none). */
import type { WorldAccount } from '../world/accounts.ts';
import type { WorldAd } from '../world/ads.ts';
import type { DayNumbers } from '../world/numbers.ts';
import { moneyText } from '../world/numbers.ts';

export interface MetricSubject {
  account: WorldAccount;
  ad: WorldAd;
  /** Set when rows are split by creative, as `ad_id` does for Upgraded Smart+ ads. */
  creative: { id: string; name: string } | undefined;
  isByAdV2: boolean;
  /** Reach lags by most of a day. */
  isReachPending: boolean;
  numbers: DayNumbers;
}

type Write = (subject: MetricSubject) => string;

/** What an empty metric looks like. */
const emptyMetric = '-';

const isSmartPlus = (subject: MetricSubject): boolean => subject.ad.creatives.length > 1;

const adAttributes: Record<string, Write> = {
  ad_id: (s) => s.creative?.id ?? s.ad.id,
  ad_id_v2: (s) => s.ad.id,
  ad_name: (s) => s.creative?.name ?? s.ad.name,
  ad_text: () => emptyMetric,
  campaign_automation_type: (s) =>
    isSmartPlus(s) ? (s.isByAdV2 ? 'UPGRADED_SMART_PLUS' : 'UPGRADED_SMART_PLUS_CREATIVE') : 'MANUAL',
};
const adGroupAttributes: Record<string, Write> = {
  adgroup_id: (s) => s.ad.adGroupId,
  adgroup_name: (s) => s.ad.adGroupName,
  promotion_type: () => 'Website',
  placement_type: () => 'Automatic Placement',
};
const campaignAttributes: Record<string, Write> = {
  campaign_id: (s) => s.ad.campaignId,
  campaign_name: (s) => s.ad.campaignName,
  objective_type: () => 'Website conversions',
};
const advertiserAttributes: Record<string, Write> = {
  advertiser_id: (s) => s.account.id,
  advertiser_name: (s) => s.account.name,
  currency: (s) => s.account.currency,
};

const money =
  (of: (numbers: DayNumbers) => number): Write =>
  (s) =>
    moneyText(of(s.numbers), s.account.decimals);
const count =
  (of: (numbers: DayNumbers) => number): Write =>
  (s) =>
    String(of(s.numbers));
const quotient =
  (of: (numbers: DayNumbers) => [number, number], digits = 2): Write =>
  (s) => {
    const [numerator, denominator] = of(s.numbers);
    return (denominator === 0 ? 0 : numerator / denominator).toFixed(digits);
  };
const empty: Write = () => emptyMetric;

const purchases = count((n) => n.purchases);
const purchaseValue = money((n) => n.valueCents);
const costPerPurchase = quotient((n) => [n.spendCents / 100, n.purchases], 3);

const numberMetrics: Record<string, Write> = {
  spend: money((n) => n.spendCents),
  impressions: count((n) => n.impressions),
  clicks: count((n) => n.linkClicks),
  gross_impressions: count((n) => n.impressions),
  reach: (s) => (s.isReachPending ? emptyMetric : String(s.numbers.reach)),
  frequency: (s) => (s.isReachPending ? emptyMetric : (s.numbers.impressions / s.numbers.reach).toFixed(2)),
  cpc: quotient((n) => [n.spendCents / 100, n.linkClicks]),
  cpm: quotient((n) => [n.spendCents * 10, n.impressions]),
  ctr: quotient((n) => [n.linkClicks * 100, n.impressions]),
  conversion: purchases,
  cost_per_conversion: costPerPurchase,
  conversion_rate: quotient((n) => [n.purchases * 100, n.linkClicks]),
  real_time_conversion: purchases,
  real_time_cost_per_conversion: costPerPurchase,
  result: purchases,
  cost_per_result: costPerPurchase,
  real_time_result: purchases,
  secondary_goal_result: empty,
  cost_per_secondary_goal_result: empty,
  secondary_goal_result_rate: empty,
  complete_payment: purchases,
  // A misnomer of the vendor's: this is the value of the purchases.
  total_complete_payment_rate: purchaseValue,
  value_per_complete_payment: quotient((n) => [n.valueCents / 100, n.purchases], 3),
  complete_payment_roas: quotient((n) => [n.valueCents, n.spendCents]),
  total_purchase: count(() => 0),
  total_purchase_value: money(() => 0),
  onsite_shopping: count(() => 0),
  total_onsite_shopping_value: money(() => 0),
  page_content_view_events: count((n) => Math.floor(n.linkClicks * 0.82)),
  product_details_page_browse: count((n) => Math.floor(n.linkClicks * 0.82)),
  web_event_add_to_cart: count((n) => n.addsToCart),
  video_play_actions: count((n) => Math.floor(n.impressions * 0.9)),
  video_watched_2s: count((n) => Math.floor(n.impressions * 0.35)),
  video_watched_6s: count((n) => Math.floor(n.impressions * 0.12)),
  likes: count((n) => Math.floor(n.clicks * 0.3)),
  comments: count((n) => Math.floor(n.clicks * 0.02)),
  shares: count((n) => Math.floor(n.clicks * 0.03)),
  follows: count((n) => Math.floor(n.clicks * 0.01)),
};

/** In the order of the data levels: 0 needs an ad, 3 an advertiser. */
const byLevel = [
  adAttributes,
  adGroupAttributes,
  campaignAttributes,
  { ...advertiserAttributes, ...numberMetrics },
];

/** The coarsest data level (0 ad … 3 advertiser) that has this metric; undefined for an unknown one. */
export function metricLevel(name: string): number | undefined {
  const level = byLevel.findIndex((metrics) => Object.hasOwn(metrics, name));
  return level === -1 ? undefined : level;
}

/** The metric's text; for several advertisers in one call numbers lose their decimal point. */
export function writeMetric(name: string, subject: MetricSubject, isMulti: boolean): string {
  const text = byLevel.find((metrics) => Object.hasOwn(metrics, name))?.[name]?.(subject) ?? emptyMetric;
  return isMulti && Object.hasOwn(numberMetrics, name) ? text.replace('.', '') : text;
}
