/** The rows that a report has, with the faults that change rows. */
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import type { WorldAccount } from '../world/accounts.ts';
import { withoutVanishedAd } from '../world/faults.ts';
import type { AdDay, AdsWorld } from '../world/world.ts';
import { TikTokFailure } from './errors.ts';
import type { ReportQuery } from './query.ts';
import type { ReportRow } from './report.ts';
import { buildReport, filterReport } from './report.ts';

export interface FoundReport {
  rows: ReportRow[];
  /** Older ads were left out. */
  isTruncated: boolean;
}

/** Every row, in the order asked for. Synchronous reports of ads alone are cut off. */
export function findReport(
  context: VendorContext,
  world: AdsWorld,
  query: ReportQuery,
  path: string,
): FoundReport {
  const accounts = query.advertiserIds.map((id) => findAdvertiser(world, id));
  const account = query.advertiserIds[0];
  const isFilterIgnored = context.faults.take('tiktok', 'ignored_filter', { account, path }) !== undefined;
  const asked = isFilterIgnored ? { ...query, filters: [] } : query;
  const hasNone =
    query.level === 'AUCTION_AD' && context.faults.take('tiktok', 'no_rows', { account, path }) !== undefined;
  if (query.isReservation || hasNone) return { rows: [], isTruncated: false };

  let isTruncated = false;
  const found = accounts.flatMap((one) => {
    const days = world.adDays(one, query.from, query.to);
    const present = withoutVanishedAd(context, world, one, path, days);
    const filtered = filterReport(asked, present, world.today(one));
    const isWhole = query.isTask || query.level !== 'AUCTION_AD';
    const kept = isWhole ? filtered : truncate(context, one, path, filtered);
    isTruncated ||= kept.length < filtered.length;
    return buildReport(query, one, kept, world.today(one), context.seed);
  });
  return { rows: sortRows(query, found), isTruncated };
}

export function findAdvertiser(world: AdsWorld, id: string): WorldAccount {
  const account = world.account(id);
  if (account === undefined) throw new TikTokFailure(40001, `No permission to operate advertiser ${id}.`);
  return account;
}

/** Of more than `value.keep` ads (half of them) only the newest are reported. */
function truncate(context: VendorContext, account: WorldAccount, path: string, rows: AdDay[]): AdDay[] {
  const fault = context.faults.take('tiktok', 'truncated', { account: account.id, path });
  if (fault === undefined) return rows;
  const newest = [...new Set(rows.map((row) => row.ad))].sort(
    (left, right) => right.firstDay - left.firstDay,
  );
  const keep =
    z.object({ keep: z.number() }).safeParse(fault.value).data?.keep ?? Math.floor(newest.length / 2);
  const kept = new Set(newest.slice(0, keep));
  return rows.filter((row) => kept.has(row.ad));
}

function sortRows(query: ReportQuery, rows: ReportRow[]): ReportRow[] {
  const { orderField } = query;
  if (orderField === undefined) return rows;
  const sign = query.isAscending ? 1 : -1;
  const value = (row: ReportRow): number => Number(row.metrics[orderField]) || 0;
  return [...rows].sort((left, right) => sign * (value(left) - value(right)));
}
