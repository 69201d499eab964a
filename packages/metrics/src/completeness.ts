/** How complete provisional values are, by how the account's earlier days moved: ops.maturity_curve read for people. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';
import type { Day } from '@floyo/shared/window';

/** What share of the final sums is known so many days after the day. */
export interface CurvePoint {
  readonly source: string;
  readonly account_id: string;
  readonly currency: string;
  readonly age_days: number;
  /** From how many days. */
  readonly days: number;
  readonly spend_share: string | null;
  readonly conversions_share: string | null;
  readonly revenue_share: string | null;
}

export const CURVE_AGES = [1, 3, 7, 14, 28] as const;

/** The maturity curve of every account. */
export async function readMaturityCurve(
  db: Session['db'],
  ages: readonly number[] = CURVE_AGES,
): Promise<CurvePoint[]> {
  const { rows } = await sql<CurvePoint>`
    select source, account_id, currency, age_days, days, round(spend_share, 4)::text as spend_share,
      round(conversions_share, 4)::text as conversions_share, round(revenue_share, 4)::text as revenue_share
    from ops.maturity_curve where age_days = any (${ages}::int[])
    order by source, account_id, currency, age_days`.execute(db);
  return rows;
}

/** Which sum of the ledger tells how complete a metric is. */
const MEASURES: Readonly<Record<string, { measure: 'spend' | 'conversions' | 'revenue'; ads: boolean }>> = {
  ad_spend: { measure: 'spend', ads: true },
  platform_conversions: { measure: 'conversions', ads: true },
  platform_conversion_value: { measure: 'revenue', ads: true },
  orders: { measure: 'conversions', ads: false },
  net_sales: { measure: 'revenue', ads: false },
};

/**
 * The share of its final value that a metric of each day has by now, between 0 and 1: what its accounts have, over what it
 * would be by their curves. Days whose accounts have no curve for their age are left out, and days that are not over yet
 * in an account's zone: the curve's age 0 is what the day's last reading knew, and the morning's knows less.
 * @param source '' for all of them.
 * @param now an ISO instant.
 */
export async function estimateCompleteness(
  db: Session['db'],
  options: {
    readonly metric: string;
    readonly source: string;
    readonly days: readonly Day[];
    readonly now: string;
  },
): Promise<Map<Day, number>> {
  const declared = MEASURES[options.metric];
  if (declared === undefined || options.days.length === 0) return new Map();
  const measure = sql.ref(declared.measure);
  const share = sql.ref(`${declared.measure}_share`);
  const { rows } = await sql<{ day: Day; share: number }>`
    with known as (
      select distinct on (r.source, r.account_id, r.day, r.currency) r.source, r.account_id, r.day, r.currency,
        r.${measure} * ops.reporting_rate(r.currency, r.day) as amount
      from ops.restatements r
      where r.day = any (${options.days}::date[]) and ${options.source} in ('', r.source)
        and (r.source in ('meta', 'tiktok')) = ${declared.ads}
      order by r.source, r.account_id, r.day, r.currency, r.read_at desc
    ), aged as (
      select k.*, (${options.now}::timestamptz at time zone coalesce(z.account_timezone, s.reporting_timezone))::date - k.day as age_days
      from known k
      cross join ops.settings s
      -- Of an ad account; a shop has none of its own here.
      left join lateral (
        select a.account_timezone from public.spend a
        where a.source = k.source and a.account_id = k.account_id and a.date = k.day limit 1
      ) z on true
      where k.amount <> 0
    ), expected as (
      select a.day, a.amount, a.amount / nullif(c.${share}, 0) as final
      from aged a
      left join ops.maturity_curve c on c.source = a.source and c.account_id = a.account_id and c.currency = a.currency
        and a.age_days > 0 and c.age_days = least(a.age_days, 28)
    )
    select day, (sum(amount) / nullif(sum(final), 0))::float as share
    from expected group by day having bool_and(final is not null) and sum(final) <> 0`.execute(db);
  return new Map(rows.map(({ day, share: known }) => [day, known]));
}
