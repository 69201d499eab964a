/** What Meta's headers say of used limits, on every answer. A fault of kind `usage` sets the percentages. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { accountOf, targetOf } from './request.ts';

const usageSchema = z.object({
  /** Percent of the app's limits. */
  app: z.number().optional(),
  /** Percent of the account's limits. */
  account: z.number().optional(),
  /** Minutes until the account may call again. */
  minutes: z.number().optional(),
  /** Seconds until the older account limit is fresh. */
  seconds: z.number().optional(),
  tier: z.string().optional(),
  /** Stands in every header instead of JSON as documented. */
  raw: z.string().optional(),
});

/** Each header as documented; those that an error has set already stay. */
export function addUsageHeaders(c: Context, context: VendorContext): void {
  const fault = context.faults.take('meta', 'usage', targetOf(c));
  const usage = usageSchema.safeParse(fault?.value).data ?? {};
  const calm = Math.min(50, Math.floor(context.log.count('meta') / 100));
  const app = usage.app ?? calm;
  const ofAccount = usage.account ?? calm;
  const tier = usage.tier ?? 'standard_access';
  const account = accountOf(c);
  const headers: Record<string, unknown> = {
    'x-app-usage': { call_count: app, total_time: Math.floor(app / 2), total_cputime: Math.floor(app / 3) },
  };
  if (account !== undefined) {
    headers['x-business-use-case-usage'] = {
      [account]: [
        {
          type: 'ads_insights',
          call_count: ofAccount,
          total_cputime: Math.floor(ofAccount / 3),
          total_time: Math.floor(ofAccount / 2),
          estimated_time_to_regain_access: usage.minutes ?? 0,
          ads_api_access_tier: tier,
        },
      ],
    };
    if (c.req.path.endsWith('/insights'))
      headers['x-fb-ads-insights-throttle'] = {
        app_id_util_pct: app,
        acc_id_util_pct: ofAccount,
        ads_api_access_tier: tier,
      };
    if (usage.seconds !== undefined)
      headers['x-ad-account-usage'] = {
        acc_id_util_pct: ofAccount,
        reset_time_duration: usage.seconds,
        ads_api_access_tier: tier,
      };
  }
  for (const [name, value] of Object.entries(headers))
    if (!c.res.headers.has(name)) c.header(name, usage.raw ?? JSON.stringify(value));
}
