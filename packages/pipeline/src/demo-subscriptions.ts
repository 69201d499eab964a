/** What the demo shows of two years of subscriptions: month by month, how MRR moved, beside spend and orders. */
import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import { formatMarked, LEGEND } from './print/metric-values.ts';
import { formatTable } from './print/style.ts';

const COLUMNS = {
  mrr: 'MRR',
  new_mrr: 'new',
  reactivation_mrr: 'reactivation',
  expansion_mrr: 'expansion',
  contraction_mrr: 'contraction',
  churned_mrr: 'churned',
  fx_mrr: 'rates',
  active_subscribers: 'subscribers',
  ltv_to_cac: 'LTV:CAC',
  ad_spend: 'ad spend',
  orders: 'orders',
} as const;

interface MonthValue {
  /** A decimal text. */
  readonly value: string | null;
  readonly unit: string;
  readonly status: 'final' | 'provisional' | 'incomplete';
}

export interface SubscriptionMonth {
  /** 'YYYY-MM'. */
  readonly month: string;
  /** By metric; none where nothing was read. */
  readonly values: Readonly<Record<string, MonthValue>>;
}

/** The months in which there was any MRR, oldest first, each metric added up as it may be. */
export async function readSubscriptionMonths({ db }: Session): Promise<SubscriptionMonth[]> {
  const { rows } = await sql<SubscriptionMonth>`
    with days as (
      select date_trunc('month', min(date))::date as first, max(date) as last
      from daily_metrics where metric = 'mrr' and dimensions = '{}')
    select left(r.period::text, 7) as month,
      jsonb_object_agg(m.name, jsonb_build_object('value', r.value::text, 'unit', r.unit, 'status', r.status)) as values
    from days d
    cross join unnest(${sql.val(Object.keys(COLUMNS))}::text[]) m (name)
    cross join lateral metric_range(m.name, d.first, d.last, 'month') r
    where r.dimensions = '{}'
    group by r.period
    having bool_or(m.name = 'mrr' and r.value is distinct from 0)
    order by r.period`.execute(db);
  return rows;
}

/** A table of them, and what its marks say. */
export function formatSubscriptionMonths(months: readonly SubscriptionMonth[]): string {
  const table = formatTable(
    ['month', ...Object.values(COLUMNS).map((title) => `${title}  `)],
    months.map(({ month, values }) => [
      month,
      ...Object.keys(COLUMNS).map((metric) => {
        const known = values[metric];
        if (known === undefined) return '–  ';
        const text = formatMarked(known.value, known.unit, known.status);
        // The marks have a column of their own, so that the figures stand below each other.
        return known.status === 'final' ? `${text}  ` : text;
      }),
    ]),
    Object.keys(COLUMNS).map((_, index) => index + 1),
  );
  return `${table}\n${LEGEND}`;
}
