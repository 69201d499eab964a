/** `GET act_<id>/insights`: from the checked query to one page, with the faults that change it. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { halfBody } from '../middleware.ts';
import { spoilRecords, withoutVanishedAd } from '../world/faults.ts';
import type { AdsWorld } from '../world/world.ts';
import { MetaFailure, refuseTooLarge } from './errors.ts';
import { cutPage } from './paging.ts';
import { queryIdentity, readInsightsQuery } from './query.ts';
import { findAccount, hasScope } from './request.ts';
import { buildInsights, filterAdDays } from './rows.ts';

export async function answerInsights(c: Context, context: VendorContext, world: AdsWorld): Promise<Response> {
  const account = findAccount(c, world);
  const target = { account: account.id, path: c.req.path };
  if (!hasScope(c, context)) {
    throw new MetaFailure({
      status: 403,
      code: 200,
      message: '(#200) Requires ads_read permission to manage the object',
    });
  }
  const today = world.today(account);
  const query = readInsightsQuery(c.req.query(), today);
  refuseTooLarge(context, target, { days: query.until - query.since + 1, limit: query.limit });

  const present = withoutVanishedAd(
    context,
    world,
    account,
    target.path,
    world.adDays(account, query.since, query.until),
  );
  const isFilterIgnored = context.faults.take('meta', 'ignored_filter', target) !== undefined;
  const rows = buildInsights(
    query,
    account,
    filterAdDays(present, isFilterIgnored ? [] : query.filtering, today),
  );
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
