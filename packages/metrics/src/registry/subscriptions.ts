/** Metrics of subscriptions and of the money they bring, and what a subscriber costs to win. */
import { count, type Metric, money, ratio, total } from './define.ts';

const snapshot = { additivity: 'snapshot' } as const;
const PER_CUSTOMER = 'per customer and currency, the end of the day against the end of the day before';

/** The share of revenue that is left after what serving it costs, unless METRICS_GROSS_MARGIN says otherwise. */
export const DEFAULT_GROSS_MARGIN = '0.8';

/** A margin has at most four decimals. */
const VERSIONS_A_MARGIN = 10_000;

/** The projection for a gross margin (a decimal text between 0 and 1). Another margin is another meaning, hence the version. */
function ltvToCac(grossMargin: string) {
  return {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'ratio',
    version:
      grossMargin === DEFAULT_GROSS_MARGIN ? 1 : 1 + Math.round(Number(grossMargin) * VERSIONS_A_MARGIN),
    label: 'Lifetime value per acquisition cost (projection)',
    description: `A projection, not a measurement. Lifetime value: arpa times an assumed gross margin of ${grossMargin} (METRICS_GROSS_MARGIN), divided by the share of customers lost in 30 days, pooled over the three stretches of 30 days that end with the day. Acquisition cost: ad spend of the 30 days per customer who subscribed for the first time in them. Null when nobody was lost, when there were fewer than 30 customers at the beginning of the 90 days, or when nobody began.`,
    direction: 'up',
    formula: {
      numerator: {
        times: [`${Number(grossMargin)}*mrr`, 'base_subscribers_90d'],
        per: ['active_subscribers', 'lost_subscribers_90d'],
      },
      denominator: { times: ['ad_spend_30d'], per: ['new_subscribers_30d'] },
    },
  } as const satisfies Metric;
}

/** The gross margin that a stored version of ltv_to_cac was made for: its version is that of the margin alone. */
export function grossMarginOf(version: number): string {
  return version === 1 ? DEFAULT_GROSS_MARGIN : String((version - 1) / VERSIONS_A_MARGIN);
}

/** The metrics with the projection made for this gross margin. */
export function withGrossMargin(
  metrics: Readonly<Record<string, Metric>>,
  grossMargin: string,
): Readonly<Record<string, Metric>> {
  return 'ltv_to_cac' in metrics ? { ...metrics, ltv_to_cac: ltvToCac(grossMargin) } : metrics;
}

export const SUBSCRIPTIONS = {
  mrr: {
    ...money,
    ...total,
    ...snapshot,
    label: 'MRR',
    description:
      'Monthly value at the end of the day of all subscriptions that are active or past due: unit amount times quantity, brought to a month by each item’s interval, less coupons that recur (forever or repeating) while they last. Trials, paused collection, tax, metered and one-time items count nothing. An item without a known price is left out and makes the day incomplete.',
    direction: 'up',
    formula: { value: ['mrr'] },
  },
  mrr_at_risk: {
    ...money,
    ...total,
    ...snapshot,
    label: 'MRR at risk',
    description:
      'The part of MRR whose subscription is past due. It counts until the subscription is canceled or unpaid.',
    direction: 'down',
    formula: { value: ['mrr_at_risk'] },
  },
  mrr_scheduled_churn: {
    ...money,
    ...total,
    ...snapshot,
    label: 'MRR set to end',
    description:
      'The part of MRR whose subscription is set to end (at the period’s end or on a date). It counts until then.',
    direction: 'down',
    formula: { value: ['mrr_scheduled_churn'] },
  },
  new_mrr: {
    ...money,
    ...total,
    label: 'New MRR',
    description: `MRR of customers who had never had any in that currency; ${PER_CUSTOMER}. Together with the other movements and fx_mrr it is exactly the change of MRR.`,
    direction: 'up',
    formula: { value: ['new_mrr'] },
  },
  reactivation_mrr: {
    ...money,
    ...total,
    label: 'Reactivation MRR',
    description: `MRR of customers who had none the day before and some earlier; ${PER_CUSTOMER}.`,
    direction: 'up',
    formula: { value: ['reactivation_mrr'] },
  },
  expansion_mrr: {
    ...money,
    ...total,
    label: 'Expansion MRR',
    description: `What customers who had MRR have more of it, a coupon that ended included; ${PER_CUSTOMER}.`,
    direction: 'up',
    formula: { value: ['expansion_mrr'] },
  },
  contraction_mrr: {
    ...money,
    ...total,
    label: 'Contraction MRR',
    description: `What customers who still have MRR have less of it, one of several subscriptions that ended included; a positive number; ${PER_CUSTOMER}.`,
    direction: 'down',
    formula: { value: ['contraction_mrr'] },
  },
  churned_mrr: {
    ...money,
    ...total,
    label: 'Churned MRR',
    description: `What customers whose MRR fell to 0 had before; a positive number; ${PER_CUSTOMER}.`,
    direction: 'down',
    formula: { value: ['churned_mrr'] },
  },
  voluntary_churned_mrr: {
    ...money,
    ...total,
    label: 'Churned MRR, voluntary',
    description:
      'The part of churned MRR that customers gave up: Stripe’s reason is cancellation_requested, or an end had been set.',
    direction: 'down',
    formula: { value: ['voluntary_churned_mrr'] },
  },
  involuntary_churned_mrr: {
    ...money,
    ...total,
    label: 'Churned MRR, involuntary',
    description:
      'The part of churned MRR lost to payments: Stripe’s reason is payment_failed or payment_disputed, or the subscription is unpaid. What is neither voluntary nor involuntary has another reason or none.',
    direction: 'down',
    formula: { value: ['involuntary_churned_mrr'] },
  },
  fx_mrr: {
    ...money,
    ...total,
    label: 'MRR by exchange rates',
    description:
      'Yesterday’s MRR in other currencies times the change of their rate since yesterday; negative when they fell.',
    direction: 'none',
    formula: { value: ['fx_mrr'] },
  },
  active_subscribers: {
    ...count,
    ...total,
    ...snapshot,
    label: 'Active subscribers',
    description: 'Customers with MRR over 0 at the end of the day.',
    direction: 'up',
    formula: { value: ['active_subscribers'] },
  },
  new_subscribers: {
    ...count,
    ...total,
    label: 'New subscribers',
    description: 'Customers with MRR over 0 for the first time ever, in any currency.',
    direction: 'up',
    formula: { value: ['new_subscribers'] },
  },
  churned_subscribers: {
    ...count,
    ...total,
    label: 'Churned subscribers',
    description: 'Customers whose MRR in all currencies fell to 0.',
    direction: 'down',
    formula: { value: ['churned_subscribers'] },
  },
  voluntary_churned_subscribers: {
    ...count,
    ...total,
    label: 'Churned subscribers, voluntary',
    description: 'Churned subscribers who gave up, as in voluntary_churned_mrr.',
    direction: 'down',
    formula: { value: ['voluntary_churned_subscribers'] },
  },
  involuntary_churned_subscribers: {
    ...count,
    ...total,
    label: 'Churned subscribers, involuntary',
    description: 'Churned subscribers lost to payments, as in involuntary_churned_mrr.',
    direction: 'down',
    formula: { value: ['involuntary_churned_subscribers'] },
  },
  logo_churn_rate_30d: {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'fraction',
    label: 'Subscriber churn, 30 days',
    description:
      'Share of the customers with MRR 30 days before who have none at the end of the day. Who came and went in between is not in it.',
    direction: 'down',
    formula: { numerator: ['lost_subscribers_30d'], denominator: ['base_subscribers_30d'] },
  },
  gross_revenue_churn_30d: {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'fraction',
    label: 'Gross revenue churn, 30 days',
    description:
      'Share of the MRR of 30 days before that the same customers have no more, by customers who left or have less; per customer and currency, point to point, both ends at the rate of 30 days before, so that exchange rates move no retention.',
    direction: 'down',
    formula: { numerator: ['lost_mrr_30d'], denominator: ['base_mrr_30d'] },
  },
  nrr_30d: {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'fraction',
    label: 'Net revenue retention, 30 days',
    description:
      'What the customers of 30 days before pay a month now, more of the same customers included and new customers not, per their MRR then; converted as in gross_revenue_churn_30d.',
    direction: 'up',
    formula: {
      numerator: ['base_mrr_30d', '-lost_mrr_30d', 'expanded_mrr_30d'],
      denominator: ['base_mrr_30d'],
    },
  },
  grr_30d: {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'fraction',
    label: 'Gross revenue retention, 30 days',
    description:
      'Net revenue retention without what customers pay more: 1 less the gross revenue churn. Never over 1.',
    direction: 'up',
    formula: { numerator: ['base_mrr_30d', '-lost_mrr_30d'], denominator: ['base_mrr_30d'] },
  },
  arpa: {
    ...ratio,
    ...total,
    ...snapshot,
    unit: 'currency',
    label: 'MRR per subscriber',
    description: 'MRR per active subscriber at the end of the day.',
    direction: 'up',
    formula: { numerator: ['mrr'], denominator: ['active_subscribers'] },
  },
  trial_conversion_14d: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 14,
    label: 'Trial conversion, 14 days',
    description:
      'Share of the trials begun on the day whose subscription had an invoice over more than 0 paid on the day the trial ended or within 14 days of it. Null until the last of the day’s trials has had its 14 days.',
    direction: 'up',
    formula: { numerator: ['trials_paid_14d'], denominator: ['trials_started'] },
  },
  subscription_revenue: {
    ...money,
    ...total,
    label: 'Subscription revenue',
    description:
      'Cash through Stripe on the day: payments less refunds and lost disputes, each on its own day, tax included and Stripe’s fees not taken away. It moves with billing dates; MRR does not.',
    direction: 'up',
    formula: { value: ['subscription_revenue'] },
  },
  payment_fees: {
    ...money,
    ...total,
    label: 'Payment fees',
    description: 'What Stripe kept of the day’s payments.',
    direction: 'down',
    formula: { value: ['payment_fees'] },
  },
  ltv_to_cac: ltvToCac(DEFAULT_GROSS_MARGIN),
} as const satisfies Record<string, Metric>;
