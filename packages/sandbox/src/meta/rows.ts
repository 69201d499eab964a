/** Insights rows: filtering, grouping by level and period, and Meta's shape of numbers (texts, absent keys). */
import type { WorldAccount } from '../world/accounts.ts';
import type { AdStatus, WorldAd } from '../world/ads.ts';
import { statusOf } from '../world/ads.ts';
import { dayText } from '../world/days.ts';
import type { DayNumbers } from '../world/numbers.ts';
import { addNumbers } from '../world/numbers.ts';
import type { AdDay } from '../world/world.ts';
import { actionFields } from './actions.ts';
import type { InsightsFilter, InsightsQuery } from './query.ts';
import { defaultFilteredStatuses } from './query.ts';

interface Group {
  ad: WorldAd;
  first: number;
  last: number;
  parts: DayNumbers[];
}

/**
 * Drops the ad-days that `filtering` excludes. With any filter but none of status, only active ads are left; without
 * any filter the level `ad` leaves deleted ads out, while their parents' rows contain them.
 */
export function filterAdDays(
  rows: AdDay[],
  { level, filtering }: Pick<InsightsQuery, 'level' | 'filtering'>,
  today: number,
): AdDay[] {
  if (filtering.length === 0)
    return level === 'ad' ? rows.filter((row) => statusOf(row.ad, today) !== 'DELETED') : rows;
  const asksStatus = filtering.some((filter) => filter.field.endsWith('.effective_status'));
  return rows.filter((row) => {
    const status = statusOf(row.ad, today);
    if (!asksStatus && !defaultFilteredStatuses.includes(status)) return false;
    return filtering.every((filter) => passes(filter, filterValue(filter.field, row, status)));
  });
}

/** One row per object of the level and period of the increment, by period and then in the account's order. */
export function buildInsights(
  query: InsightsQuery,
  account: WorldAccount,
  rows: AdDay[],
): Record<string, unknown>[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const { first, last } = periodOf(query, row.day);
    const key = `${first}:${levelId(query, row.ad)}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ad: row.ad, first, last, parts: [row.numbers] });
    else group.parts.push(row.numbers);
  }
  const ordered = [...groups.values()].sort((left, right) => left.first - right.first);
  return ordered.map((group) => shapeRow(query, account, group));
}

function shapeRow(query: InsightsQuery, account: WorldAccount, group: Group): Record<string, unknown> {
  const numbers = addNumbers(group.parts);
  const all: Record<string, unknown> = {
    ...objectFields(query, account, group.ad),
    ...scalarFields(numbers),
    // Seldom asked for, and dear to write.
    ...(query.fields.some((field) => ratioNames.has(field)) ? ratioFields(numbers) : {}),
    ...actionFields(numbers, query.attributionWindows, query.isPurchaseLost),
  };
  const row: Record<string, unknown> = { account_id: account.id };
  for (const field of query.fields) {
    const value = all[field];
    if (value !== undefined) row[field] = value;
  }
  row['date_start'] = dayText(group.first);
  row['date_stop'] = dayText(group.last);
  return row;
}

/** Names and ids down to the level that was asked for. */
function objectFields(query: InsightsQuery, account: WorldAccount, ad: WorldAd): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    account_id: account.id,
    account_name: account.name,
    account_currency: account.currency,
  };
  if (query.level === 'account') return fields;
  Object.assign(fields, {
    campaign_id: ad.campaignId,
    campaign_name: ad.campaignName,
    objective: 'OUTCOME_SALES',
    buying_type: 'AUCTION',
  });
  if (query.level === 'campaign') return fields;
  Object.assign(fields, {
    adset_id: ad.adGroupId,
    adset_name: ad.adGroupName,
    attribution_setting: '7d_click_1d_view',
    optimization_goal: 'OFFSITE_CONVERSIONS',
  });
  if (query.level === 'adset') return fields;
  return Object.assign(fields, {
    ad_id: ad.id,
    ad_name: ad.name,
    created_time: dayText(ad.firstDay),
    updated_time: dayText(ad.firstDay),
  });
}

function scalarFields(numbers: DayNumbers): Record<string, string | undefined> {
  const spend = numbers.spendCents / 100;
  const { impressions, clicks, linkClicks, reach } = numbers;
  return {
    spend: String(spend),
    impressions: String(impressions),
    clicks: String(clicks),
    reach: String(reach),
    inline_link_clicks: linkClicks === 0 ? undefined : String(linkClicks),
  };
}

const ratioNames = new Set([
  ...['frequency', 'cpm', 'cpp', 'ctr', 'cpc'],
  ...['inline_link_click_ctr', 'cost_per_inline_link_click'],
]);

function ratioFields(numbers: DayNumbers): Record<string, string | undefined> {
  const spend = numbers.spendCents / 100;
  const { impressions, clicks, linkClicks, reach } = numbers;
  return {
    frequency: ratio(impressions, reach),
    cpm: ratio(spend * 1000, impressions),
    cpp: ratio(spend * 1000, reach),
    ctr: ratio(clicks * 100, impressions),
    cpc: ratio(spend, clicks),
    inline_link_click_ctr: linkClicks === 0 ? undefined : ratio(linkClicks * 100, impressions),
    cost_per_inline_link_click: ratio(spend, linkClicks),
  };
}

/** Meta gives ratios with six decimals, and leaves out what would divide by zero. */
function ratio(numerator: number, denominator: number): string | undefined {
  return denominator === 0 ? undefined : String(Math.round((numerator / denominator) * 1e6) / 1e6);
}

function periodOf(query: InsightsQuery, day: number): { first: number; last: number } {
  if (query.increment === 'all') return { first: query.since, last: query.until };
  if (query.increment === 'monthly') {
    const date = new Date(day * 86_400_000);
    const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / 86_400_000;
    const last = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0) / 86_400_000;
    return { first: Math.max(first, query.since), last: Math.min(last, query.until) };
  }
  const first = query.since + Math.floor((day - query.since) / query.increment) * query.increment;
  return { first, last: Math.min(first + query.increment - 1, query.until) };
}

function levelId(query: InsightsQuery, ad: WorldAd): string {
  if (query.level === 'ad') return ad.id;
  if (query.level === 'adset') return ad.adGroupId;
  return query.level === 'campaign' ? ad.campaignId : '';
}

function filterValue(field: string, row: AdDay, status: AdStatus): string | number {
  const values: Record<string, string | number> = {
    'ad.id': row.ad.id,
    'ad.name': row.ad.name,
    'ad.effective_status': status,
    'adset.id': row.ad.adGroupId,
    'adset.name': row.ad.adGroupName,
    // The parents of a deleted or paused ad go on; only a paused campaign pauses what is in it.
    'adset.effective_status': status === 'CAMPAIGN_PAUSED' ? status : 'ACTIVE',
    'campaign.id': row.ad.campaignId,
    'campaign.name': row.ad.campaignName,
    'campaign.effective_status': status === 'CAMPAIGN_PAUSED' ? 'PAUSED' : 'ACTIVE',
    spend: row.numbers.spendCents / 100,
    impressions: row.numbers.impressions,
    clicks: row.numbers.clicks,
  };
  return values[field] ?? '';
}

function passes(filter: InsightsFilter, actual: string | number): boolean {
  const wanted = Array.isArray(filter.value) ? filter.value.map(String) : [String(filter.value)];
  switch (filter.operator) {
    case 'IN':
    case 'EQUAL':
      return wanted.includes(String(actual));
    case 'NOT_IN':
    case 'NOT_EQUAL':
      return !wanted.includes(String(actual));
    case 'CONTAIN':
      return wanted.some((text) => String(actual).includes(text));
    case 'GREATER_THAN':
      return Number(actual) > Number(wanted[0]);
    default:
      return Number(actual) < Number(wanted[0]);
  }
}
