/** What is too much for one call, and for a report: the fault `too_large`. */
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import type { AdDay } from '../world/world.ts';
import { errorOf } from './error-bodies.ts';
import type { MetaError } from './errors.ts';
import type { InsightsQuery } from './query.ts';

const tooLargeSchema = z.object({
  maxDays: z.number().optional(),
  maxLimit: z.number().optional(),
  /** More ads than this in one answer at level ad. */
  maxAds: z.number().optional(),
  /** `{ad, field, maxFields}`: with this ad (any, when none is named) and field, a request for more fields than that. */
  heavy: z.object({ ad: z.string().optional(), field: z.string(), maxFields: z.number() }).optional(),
  code: z.number().optional(),
  subcode: z.number().optional(),
  /** Reports fail at the same limits (-3/1504045). */
  reports: z.boolean().optional(),
});
type Limits = z.infer<typeof tooLargeSchema>;

const reduce: MetaError = {
  status: 500,
  code: 1,
  message: "Please reduce the amount of data you're asking for, then retry your request",
};

/**
 * The error of a request that exceeds an active `too_large` fault: `maxDays` (7 when no limit is named), `maxLimit`
 * (HTTP 500, code 1), `maxAds`, `heavy`. The others answer 100/1487534, HTTP 500 code 1 with `code: 1`, or as told.
 */
export function sizeFailure(
  context: VendorContext,
  target: { account: string | undefined; path: string },
  { query, rows, isReport }: { query: InsightsQuery; rows: readonly AdDay[]; isReport: boolean },
): MetaError | undefined {
  const fault = context.faults.take('meta', 'too_large', target);
  if (fault === undefined) return undefined;
  const limits = tooLargeSchema.safeParse(fault.value).data ?? {};
  if (isReport) {
    const failed = errorOf({ vendor: 'meta', kind: 'error', value: { code: -3, subcode: 1504045 } });
    return limits.reports === true && exceeds(limits, query, rows) ? failed : undefined;
  }
  if (limits.maxLimit !== undefined && query.limit > limits.maxLimit) return reduce;
  if (!exceeds(limits, query, rows)) return undefined;
  if (limits.code === 1) return reduce;
  const { code = 100, subcode = 1487534 } = limits;
  return errorOf({ vendor: 'meta', kind: 'error', value: { code, subcode } });
}

function exceeds(limits: Limits, query: InsightsQuery, rows: readonly AdDay[]): boolean {
  const { maxDays, maxLimit, maxAds, heavy } = limits;
  const isPlain = maxLimit === undefined && maxAds === undefined && heavy === undefined;
  const dayLimit = maxDays ?? (isPlain ? 7 : undefined);
  if (dayLimit !== undefined && query.until - query.since + 1 > dayLimit) return true;
  if (query.level !== 'ad') return false;
  if (maxAds !== undefined && new Set(rows.map(({ ad }) => ad.id)).size > maxAds) return true;
  if (heavy === undefined || !query.fields.includes(heavy.field)) return false;
  const isThere = rows.some(({ ad }) => heavy.ad === undefined || ad.id === heavy.ad);
  return isThere && query.fields.length > heavy.maxFields;
}
