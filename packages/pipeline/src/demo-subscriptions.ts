/** What the demo shows of two years of subscriptions: month by month, how MRR moved, beside spend and orders. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import { formatMetric } from './print/metric-values.ts';
import { formatTable } from './print/style.ts';

const MOVEMENTS = [
  'new_mrr',
  'reactivation_mrr',
  'expansion_mrr',
  'contraction_mrr',
  'churned_mrr',
  'fx_mrr',
] as const;
/** As of the month's last day that has one; the others are sums of its days. */
const AT_THE_END = ['mrr', 'active_subscribers', 'ltv_to_cac'] as const;
const BESIDE = ['ad_spend', 'orders'] as const;

export interface SubscriptionMonth {
  /** 'YYYY-MM'. */
  readonly month: string;
  /** Decimal texts by metric. */
  readonly values: Readonly<Record<string, string | null>>;
}

/** The months in which there was any MRR, oldest first. */
export async function readSubscriptionMonths({ db }: Session): Promise<SubscriptionMonth[]> {
  const names = [...MOVEMENTS, ...AT_THE_END, ...BESIDE];
  const { rows } = await sql<SubscriptionMonth>`
    with months as (
      select left(date::text, 7) as month, metric, sum(value) as total, (array_agg(value order by date desc) filter (where value is not null))[1] as latest
      from daily_metrics where dimensions = '{}' and metric = any (${sql.val(names)}) group by 1, 2)
    select month, jsonb_object_agg(metric, round(case when metric = any (${sql.val([...AT_THE_END])}) then latest else total end, 2)::text) as values
    from months group by month having bool_or(metric = 'mrr' and latest <> 0) order by month`.execute(db);
  return rows;
}

export function formatSubscriptionMonths(months: readonly SubscriptionMonth[], currency: string): string {
  const columns: readonly (readonly [title: string, metric: string, unit: string])[] = [
    ['MRR', 'mrr', currency],
    ['new', 'new_mrr', currency],
    ['reactivation', 'reactivation_mrr', currency],
    ['expansion', 'expansion_mrr', currency],
    ['contraction', 'contraction_mrr', currency],
    ['churned', 'churned_mrr', currency],
    ['rates', 'fx_mrr', currency],
    ['subscribers', 'active_subscribers', 'count'],
    ['LTV:CAC', 'ltv_to_cac', 'ratio'],
    ['ad spend', 'ad_spend', currency],
    ['orders', 'orders', 'count'],
  ];
  return formatTable(
    ['month', ...columns.map(([title]) => title)],
    months.map(({ month, values }) => [
      month,
      ...columns.map(([, metric, unit]) => formatMetric(values[metric] ?? null, unit)),
    ]),
    columns.map((_, index) => index + 1),
  );
}
