/** `GET act_<id>/insights`: from the checked query to one page, with the faults that change it. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { halfBody } from '../middleware.ts';
import type { WorldAccount } from '../world/accounts.ts';
import { spoilRecords, withoutVanishedAd } from '../world/faults.ts';
import type { AdDay, AdsWorld } from '../world/world.ts';
import { MetaFailure } from './errors.ts';
import { cutPage } from './paging.ts';
import { type InsightsQuery, queryIdentity, readInsightsQuery } from './query.ts';
import { findAccount, hasScope, targetOf } from './request.ts';
import { buildInsights, filterAdDays } from './rows.ts';
import { sizeFailure } from './size.ts';

export interface InsightsRequest {
  account: WorldAccount;
  query: InsightsQuery;
}

/** Checks the account, the token's scope and the parameters, whether they come in the URL or in a form. */
export function checkInsights(
  c: Context,
  context: VendorContext,
  world: AdsWorld,
  parameters: Record<string, string>,
): InsightsRequest {
  const account = findAccount(c, world);
  if (!hasScope(c, context)) {
    throw new MetaFailure({
      status: 403,
      code: 200,
      message: '(#200) Requires ads_read permission to manage the object',
    });
  }
  return { account, query: readInsightsQuery(parameters, world.today(account)) };
}

/** What delivered and passes the filter, before it is grouped. */
export function selectAdDays(
  c: Context,
  context: VendorContext,
  world: AdsWorld,
  { account, query }: InsightsRequest,
): AdDay[] {
  const target = targetOf(c);
  const all = world.adDays(account, query.since, query.until);
  const present = withoutVanishedAd(context, world, account, target.path, all);
  const isFilterIgnored = context.faults.take('meta', 'ignored_filter', target) !== undefined;
  const filtering = isFilterIgnored ? [] : query.filtering;
  return filterAdDays(present, { ...query, filtering }, world.today(account));
}

/** `GET act_<id>/insights` */
export function answerInsights(
  c: Context,
  context: VendorContext,
  world: AdsWorld,
): Response | Promise<Response> {
  const request = checkInsights(c, context, world, c.req.query());
  const rows = selectAdDays(c, context, world, request);
  const failure = sizeFailure(context, targetOf(c), { query: request.query, rows, isReport: false });
  if (failure !== undefined) throw new MetaFailure(failure);
  return answerPage(c, context, request, buildInsights(request.query, request.account, rows));
}

/** One page of the rows, with the faults that spoil or cut it. */
export function answerPage(
  c: Context,
  context: VendorContext,
  { account, query }: InsightsRequest,
  rows: readonly Record<string, unknown>[],
): Response | Promise<Response> {
  const target = targetOf(c);
  if (query.level === 'ad' && context.faults.take('meta', 'no_rows', target) !== undefined)
    return c.json({ data: [] });
  const page = cutPage(rows, {
    identity: `${account.id}${queryIdentity(query)}`,
    limit: query.limit,
    after: query.after,
    seed: context.seed,
    url: c.req.url,
  });
  const spoilt = context.faults.take('meta', 'invalid_record', target);
  if (spoilt !== undefined) {
    const records = page.data.map((row) => [row]);
    spoilRecords(spoilt, records);
  }
  const truncated = context.faults.take('meta', 'truncated', target);
  if (truncated !== undefined && z.object({ mode: z.literal('rows') }).safeParse(truncated.value).success) {
    return c.json({ data: page.data.slice(0, Math.floor(page.data.length / 2)) });
  }
  const response = c.json(page);
  return truncated === undefined ? response : halfBody(response);
}
