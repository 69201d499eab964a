/** Report rows: status filter, splitting by creative, grouping by dimension, an order that promises nothing. */
import { createRandom } from '../core.ts';
import type { WorldAccount } from '../world/accounts.ts';
import type { Creative, WorldAd } from '../world/ads.ts';
import { statusOf } from '../world/ads.ts';
import { dayText } from '../world/days.ts';
import type { DayNumbers } from '../world/numbers.ts';
import { addNumbers } from '../world/numbers.ts';
import type { AdDay } from '../world/world.ts';
import { writeMetric } from './metrics.ts';
import type { ReportFilter, ReportQuery } from './query.ts';

export interface ReportRow {
  dimensions: Record<string, string>;
  metrics: Record<string, unknown>;
}

interface Group {
  ad: WorldAd;
  creative: Creative | undefined;
  day: number;
  key: string;
  parts: DayNumbers[];
}

/**
 * Applies the filters. Below the advertiser level deleted ads are left out unless STATUS_ALL (or a status that
 * includes them) is asked for: the trap of the vendor page.
 */
export function filterReport(query: ReportQuery, rows: AdDay[], today: number): AdDay[] {
  const status = query.filters.find((filter) => filter.field.endsWith('_status'));
  return rows.filter((row) => {
    if (query.level !== 'AUCTION_ADVERTISER' && !hasStatus(row.ad, today, status)) return false;
    return query.filters.every(
      (filter) => filter === status || filter.values.includes(idFor(filter.field, row.ad)),
    );
  });
}

/** One row per value of the dimensions, in an order that depends on nothing a client may rely on. */
export function buildReport(
  query: ReportQuery,
  account: WorldAccount,
  rows: AdDay[],
  today: number,
  seed: number,
): ReportRow[] {
  const groups = new Map<string, Group>();
  for (const row of rows.flatMap((adDay) => splitByCreative(query, adDay))) {
    const dimension = dimensionId(query, account, row.ad, row.creative);
    const key = `${query.hasDay ? row.day : ''}:${dimension}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ...row, key, parts: [row.numbers] });
    else group.parts.push(row.numbers);
  }
  return [...groups.values()]
    .map((group) => ({ group, order: createRandom(`${seed}:order:${group.key}`)() }))
    .sort((left, right) => left.order - right.order)
    .map(({ group }) => shapeRow(query, account, group, today));
}

function shapeRow(query: ReportQuery, account: WorldAccount, group: Group, today: number): ReportRow {
  const dimensions: Record<string, string> = {};
  if (query.idDimension !== undefined) {
    dimensions[query.idDimension] = dimensionId(query, account, group.ad, group.creative);
  }
  if (query.hasDay) dimensions['stat_time_day'] = `${dayText(group.day)} 00:00:00`;
  const subject = {
    account,
    ad: group.ad,
    creative: group.creative,
    isByAdV2: query.idDimension === 'ad_id_v2',
    isReachPending: query.hasDay && group.day === today,
    numbers: addNumbers(group.parts),
  };
  const metrics = query.metrics.map((name) => [name, writeMetric(name, subject, query.isMulti)] as const);
  return { dimensions, metrics: Object.fromEntries(metrics) };
}

type Part = AdDay & { creative: Creative | undefined };

/** The dimension `ad_id` means the creative for Upgraded Smart+ ads; the parts add up to the ad exactly. */
function splitByCreative(query: ReportQuery, row: AdDay): Part[] {
  const { creatives } = row.ad;
  if (query.idDimension !== 'ad_id' || creatives.length === 1) return [{ ...row, creative: undefined }];
  const left = { ...row.numbers };
  return creatives.map((creative, index) => {
    const isLast = index === creatives.length - 1;
    const numbers = isLast ? left : takeShare(row.numbers, left, creative.share);
    return { ...row, creative, numbers };
  });
}

/** A share of every number, rounded down to whole ones and taken off what is left. */
function takeShare(all: DayNumbers, left: DayNumbers, share: number): DayNumbers {
  const basketCents = all.purchases === 0 ? 0 : all.valueCents / all.purchases;
  const purchases = Math.round(all.purchases * share);
  // Currencies without decimals stay without.
  const unit = all.spendCents % 100 === 0 ? 100 : 1;
  const taken: DayNumbers = {
    spendCents: Math.floor((all.spendCents * share) / unit) * unit,
    impressions: Math.floor(all.impressions * share),
    clicks: Math.floor(all.clicks * share),
    linkClicks: Math.floor(all.linkClicks * share),
    reach: Math.floor(all.reach * share),
    addsToCart: Math.floor(all.addsToCart * share),
    purchases: Math.min(purchases, left.purchases),
    valueCents: Math.min(purchases, left.purchases) * basketCents,
  };
  left.spendCents -= taken.spendCents;
  left.impressions -= taken.impressions;
  left.clicks -= taken.clicks;
  left.linkClicks -= taken.linkClicks;
  left.reach -= taken.reach;
  left.addsToCart -= taken.addsToCart;
  left.purchases -= taken.purchases;
  left.valueCents -= taken.valueCents;
  return taken;
}

function dimensionId(
  query: ReportQuery,
  account: WorldAccount,
  ad: WorldAd,
  creative: Creative | undefined,
): string {
  const ids: Record<string, string> = {
    ad_id: creative?.id ?? ad.id,
    ad_id_v2: ad.id,
    adgroup_id: ad.adGroupId,
    campaign_id: ad.campaignId,
  };
  return ids[query.idDimension ?? 'advertiser_id'] ?? account.id;
}

function hasStatus(ad: WorldAd, today: number, filter: ReportFilter | undefined): boolean {
  const status = statusOf(ad, today);
  return (filter?.values ?? ['STATUS_NOT_DELETE']).some((wanted) => {
    if (wanted === 'STATUS_ALL') return true;
    if (wanted === 'STATUS_DELETE') return status === 'DELETED';
    if (wanted === 'STATUS_NOT_DELETE') return status !== 'DELETED';
    return wanted === 'STATUS_DELIVERY_OK'
      ? status === 'ACTIVE'
      : wanted === 'STATUS_DISABLE' && status === 'PAUSED';
  });
}

function idFor(field: string, ad: WorldAd): string {
  if (field === 'campaign_ids') return ad.campaignId;
  return field === 'adgroup_ids' ? ad.adGroupId : ad.id;
}
