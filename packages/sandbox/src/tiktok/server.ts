/**
 * TikTok's Business API v1.3 as far as a reader of reports sees it. Paths end in a slash or are not found,
 * errors come with HTTP 200; README.md lists the traps that it keeps.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { connectionFaults } from '../middleware.ts';
import type { WorldAccount } from '../world/accounts.ts';
import { spoilRecords, withoutVanishedAd } from '../world/faults.ts';
import type { AdDay, AdsWorld } from '../world/world.ts';
import { createAdsWorld } from '../world/world.ts';
import {
  answer,
  badParameter,
  missingToken,
  refuseByFault,
  refuseTooLarge,
  TikTokFailure,
  wrongToken,
} from './errors.ts';
import type { ReportQuery } from './query.ts';
import { readReportQuery, readTexts } from './query.ts';
import type { ReportRow } from './report.ts';
import { buildReport, filterReport } from './report.ts';

export const tiktokToken = 'sandbox-tiktok-token';
const throttleHeader = 'X-Tt-Ads-Throttle';

export function createTikTokServer(context: VendorContext): Hono {
  const world = createAdsWorld(context, 'tiktok');
  const app = new Hono();

  app.use('*', connectionFaults(context, 'tiktok', accountOf));
  app.use('/open_api/v1.3/*', refuseUnfit(context));
  app.get('/open_api/v1.3/oauth2/advertiser/get/', (c) => {
    const list = world.accounts.map((account) => ({
      advertiser_id: account.id,
      advertiser_name: account.name,
    }));
    return answer(c, context, 0, 'OK', { list });
  });
  app.get('/open_api/v1.3/advertiser/info/', (c) =>
    answer(c, context, 0, 'OK', describeAdvertisers(c, world)),
  );
  app.get('/open_api/v1.3/report/integrated/get/', (c) => answerReport(c, context, world));
  app.all('*', (c) => c.text('404 page not found', 404));
  app.onError((error, c) => {
    if (error instanceof TikTokFailure) return answer(c, context, error.code, error.message, {});
    throw error;
  });
  return app;
}

/** A path without its slash is not found, whoever asks; everything else needs a token first. */
function refuseUnfit(context: VendorContext): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.path.endsWith('/')) {
      refuseWrongToken(c);
      refuseByFault(context, { account: accountOf(c), path: c.req.path });
    }
    await next();
  };
}

function answerReport(c: Context, context: VendorContext, world: AdsWorld): Response {
  const query = readReportQuery(c.req.query());
  const accounts = query.advertiserIds.map((id) => findAdvertiser(world, id));
  const path = c.req.path;
  refuseTooLarge(context, { account: accountOf(c), path }, query.to - query.from + 1);
  const isFilterIgnored =
    context.faults.take('tiktok', 'ignored_filter', { account: accountOf(c), path }) !== undefined;
  const asked = isFilterIgnored ? { ...query, filters: [] } : query;

  const found = query.isReservation
    ? []
    : accounts.flatMap((account) => {
        const present = withoutVanishedAd(
          context,
          world,
          account,
          path,
          world.adDays(account, query.from, query.to),
        );
        const filtered = filterReport(asked, present, world.today(account));
        const kept = truncate(c, context, account, filtered);
        return buildReport(query, account, kept, world.today(account), context.seed);
      });
  const rows = sortRows(query, found);
  const list = rows.slice((query.page - 1) * query.pageSize, query.page * query.pageSize);
  const spoilt = context.faults.take('tiktok', 'invalid_record', { account: accountOf(c), path });
  if (spoilt !== undefined)
    spoilRecords(
      spoilt,
      list.map((row) => [row.metrics, row.dimensions]),
    );

  const totalPage = Math.ceil(rows.length / query.pageSize);
  const info = {
    page: query.page,
    page_size: query.pageSize,
    total_number: rows.length,
    total_page: totalPage,
  };
  return answer(c, context, 0, 'OK', {
    list,
    page_info: info,
    ...(query.hasTotals ? { total_metrics: totals(query, rows) } : {}),
  });
}

/** Of more than `value.keep` ads (half of them) only the newest are reported; a header is the sole sign. */
function truncate(c: Context, context: VendorContext, account: WorldAccount, rows: AdDay[]): AdDay[] {
  const fault = context.faults.take('tiktok', 'truncated', { account: account.id, path: c.req.path });
  if (fault === undefined) return rows;
  const newest = [...new Set(rows.map((row) => row.ad))].sort(
    (left, right) => right.firstDay - left.firstDay,
  );
  const keep =
    z.object({ keep: z.number() }).safeParse(fault.value).data?.keep ?? Math.ceil(newest.length / 2);
  const kept = new Set(newest.slice(0, keep));
  c.header(
    throttleHeader,
    "Number of ad ids is equal or more than 20k, only return the top 20k id's results, sorting by create time desc order.",
  );
  return rows.filter((row) => kept.has(row.ad));
}

function sortRows(query: ReportQuery, rows: ReportRow[]): ReportRow[] {
  const { orderField } = query;
  if (orderField === undefined) return rows;
  const sign = query.isAscending ? 1 : -1;
  const value = (row: ReportRow): number => Number(row.metrics[orderField]) || 0;
  return [...rows].sort((left, right) => sign * (value(left) - value(right)));
}

function totals(query: ReportQuery, rows: ReportRow[]): Record<string, string> {
  return Object.fromEntries(
    query.metrics.map((name) => {
      const values = rows.map((row) => Number(row.metrics[name]));
      const isNumber = values.every((value) => !Number.isNaN(value)) && !name.endsWith('_id');
      const sum = values.reduce((total, value) => total + Math.round(value * 100), 0) / 100;
      return [name, isNumber ? String(sum) : '-'];
    }),
  );
}

function accountOf(c: Context): string | undefined {
  return c.req.query('advertiser_id') ?? /\d+/.exec(c.req.query('advertiser_ids') ?? '')?.[0];
}

function findAdvertiser(world: AdsWorld, id: string): WorldAccount {
  const account = world.account(id);
  if (account === undefined) throw new TikTokFailure(40001, `No permission to operate advertiser ${id}.`);
  return account;
}

function refuseWrongToken(c: Context): void {
  const token = c.req.header('access-token');
  // Whoever sends an Authorization header instead gets to know that the token is not understood.
  if (token === undefined && c.req.header('authorization') === undefined) throw missingToken;
  if (token !== tiktokToken) throw wrongToken;
}

function describeAdvertisers(c: Context, world: AdsWorld): { list: Record<string, unknown>[] } {
  const ids = readTexts(c.req.query('advertiser_ids'), 'advertiser_ids');
  const asked = c.req.query('fields');
  const fields = asked === undefined ? undefined : readTexts(asked, 'fields');
  const list = ids.map((id) => {
    const all = describeAdvertiser(findAdvertiser(world, id));
    const unknown = fields?.find((field) => !(field in all));
    if (unknown !== undefined) throw badParameter(`fields: invalid field ${unknown}.`);
    return fields === undefined ? all : Object.fromEntries(fields.map((field) => [field, all[field]]));
  });
  return { list };
}

function describeAdvertiser(account: WorldAccount): Record<string, unknown> {
  return {
    advertiser_id: account.id,
    name: account.name,
    currency: account.currency,
    timezone: account.fixedOffsetZone,
    display_timezone: account.timezone,
    country: account.country,
    status: 'STATUS_ENABLE',
    role: 'ROLE_ADVERTISER',
    company: 'Floyo',
    create_time: 1586800000,
    balance: 0,
  };
}
