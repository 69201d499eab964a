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
 * would be by their curves. Days whose accounts have no curve for their age are left out.
 * @param source '' for all of them.
 */
export async function estimateCompleteness(
  db: Session['db'],
  options: {
    readonly metric: string;
    readonly source: string;
    readonly days: readonly Day[];
    readonly today: Day;
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
    ), expected as (
      select k.day, k.amount, k.amount / nullif(c.${share}, 0) as final
      from known k
      left join ops.maturity_curve c on c.source = k.source and c.account_id = k.account_id and c.currency = k.currency
        and c.age_days = least(greatest(${options.today}::date - k.day, 0), 28)
      where k.amount <> 0
    )
    select day, (sum(amount) / nullif(sum(final), 0))::float as share
    from expected group by day having bool_and(final is not null) and sum(final) <> 0`.execute(db);
  return new Map(rows.map(({ day, share: known }) => [day, known]));
}
