/** Facts of subscriptions, of the money that came of them, and of what it cost to win them. */
import { type FactGroup, over, within } from './define.ts';

/** The days of these groups are found by comparing spans (subscriptions/refresh.ts); marks of days name them for a check alone. */
const spans = { area: 'subscriptions', tables: ['mrr_spans'], unpriced: true } as const;

export const SUBSCRIPTION_FACTS = {
  mrr: {
    ...spans,
    columns: {
      mrr: 'money',
      mrr_at_risk: 'money',
      mrr_scheduled_churn: 'money',
      active_subscribers: 'count',
    },
  },
  mrr_movements: {
    ...spans,
    columns: {
      new_mrr: over('money', 2),
      reactivation_mrr: over('money', 2),
      expansion_mrr: over('money', 2),
      contraction_mrr: over('money', 2),
      churned_mrr: over('money', 2),
      voluntary_churned_mrr: over('money', 2),
      involuntary_churned_mrr: over('money', 2),
      new_subscribers: over('count', 2),
      churned_subscribers: over('count', 2),
      voluntary_churned_subscribers: over('count', 2),
      involuntary_churned_subscribers: over('count', 2),
    },
  },
  mrr_fx: { ...spans, columns: { fx_mrr: over('money', 2) } },
  mrr_retention: {
    ...spans,
    columns: {
      base_mrr_30d: over('money', 31),
      lost_mrr_30d: over('money', 31),
      expanded_mrr_30d: over('money', 31),
      base_subscribers_30d: over('count', 31),
      lost_subscribers_30d: over('count', 31),
    },
  },
  subscriber_projection: {
    ...spans,
    columns: {
      base_subscribers_90d: over('count', 91),
      lost_subscribers_90d: over('count', 91),
      new_subscribers_30d: over('count', 91),
    },
  },
  trials: {
    area: 'subscriptions',
    tables: ['trials'],
    columns: { trials_started: 'count', trials_paid_14d: within('count', 14) },
  },
  payments: {
    area: 'billing',
    tables: ['payments'],
    columns: { subscription_revenue: 'money', payment_fees: 'money' },
  },
  ads_30d: { area: 'ads', tables: ['spend'], columns: { ad_spend_30d: over('money', 30) } },
} as const satisfies Record<string, FactGroup>;
