/**
 * Every metric, declared once: what it means and how it comes from the fact columns. The table metric_definitions, the
 * view daily_metrics_wide and the README's table follow from here. To add one: an entry here and, when the facts lack
 * it, a column in facts.ts and its sql file.
 */
import type { FactColumn } from './facts.ts';

/** A fact column, taken away, or times a number. A formula is the sum of its terms; null when any of them is null. */
export type Term = FactColumn | `-${FactColumn}` | `${number}*${FactColumn}`;

/** A sum of facts, or a quotient that keeps its parts so that it can be made again at any grain. */
export type Formula =
  | { readonly value: readonly Term[] }
  | { readonly numerator: readonly Term[]; readonly denominator: readonly Term[] };

export interface Metric {
  readonly label: string;
  readonly description: string;
  readonly kind: 'count' | 'money' | 'ratio';
  /** `currency` is stored as the code of the reporting currency. `fraction` is 0.05 for 5 %. */
  readonly unit: 'count' | 'currency' | 'fraction' | 'ratio';
  /** Which way is good. */
  readonly direction: 'up' | 'down' | 'none';
  /** Besides the total. Only a metric of ads alone can be had by source. */
  readonly dimensions: readonly 'source'[];
  readonly additivity: 'sum' | 'ratio' | 'distinct' | 'snapshot';
  /** How many days after its own day it looks at: before they are over its value is null. */
  readonly maturityDays: number;
  /** Raise it when the meaning changes: every day is computed again. */
  readonly version: number;
  readonly formula: Formula;
}

const money = { kind: 'money', unit: 'currency', additivity: 'sum', maturityDays: 0, version: 1 } as const;
const count = { kind: 'count', unit: 'count', additivity: 'sum', maturityDays: 0, version: 1 } as const;
const ratio = { kind: 'ratio', additivity: 'ratio', maturityDays: 0, version: 1 } as const;
const bySource = { dimensions: ['source'] } as const;
const total = { dimensions: [] } as const;

const NET_SALES = ['gross_sales', '-discounts', '-returns'] as const satisfies readonly Term[];
const SHIPPING = ['shipping', '-shipping_returned'] as const satisfies readonly Term[];
const TAXES = ['taxes', '-taxes_returned'] as const satisfies readonly Term[];

function lifetimeValue<Days extends number>(days: Days, value: readonly [Term]) {
  return {
    ...ratio,
    ...total,
    unit: 'currency',
    maturityDays: days,
    label: `Customer value, ${days} days`,
    description: `What the customers first seen on the day bought within ${days} days of it (gross sales less discounts, less returns of those orders in that time), per such customer.`,
    direction: 'up',
    formula: { numerator: value, denominator: ['cohort_customers'] },
  } as const;
}

export const METRICS = {
  ad_spend: {
    ...money,
    ...bySource,
    label: 'Ad spend',
    description: 'Spend of all ads, paused, archived and deleted ones included, on the ad account’s own day.',
    direction: 'none',
    formula: { value: ['ad_spend'] },
  },
  impressions: {
    ...count,
    ...bySource,
    label: 'Impressions',
    description: 'How often ads were shown.',
    direction: 'up',
    formula: { value: ['impressions'] },
  },
  clicks: {
    ...count,
    ...bySource,
    label: 'Clicks',
    description: 'All clicks on ads, as the platform counts them.',
    direction: 'up',
    formula: { value: ['clicks'] },
  },
  ctr: {
    ...ratio,
    ...bySource,
    unit: 'fraction',
    label: 'Click-through rate',
    description: 'Clicks per impression, as a fraction.',
    direction: 'up',
    formula: { numerator: ['clicks'], denominator: ['impressions'] },
  },
  cpc: {
    ...ratio,
    ...bySource,
    unit: 'currency',
    label: 'Cost per click',
    description: 'Ad spend per click.',
    direction: 'down',
    formula: { numerator: ['ad_spend'], denominator: ['clicks'] },
  },
  cpm: {
    ...ratio,
    ...bySource,
    unit: 'currency',
    label: 'Cost per 1,000 impressions',
    description: 'Ad spend per 1,000 impressions; the numerator holds 1,000 times the spend.',
    direction: 'down',
    formula: { numerator: ['1000*ad_spend'], denominator: ['impressions'] },
  },
  platform_conversions: {
    ...count,
    ...bySource,
    label: 'Platform conversions',
    description:
      'Conversions that the ad platforms claim, each for its one configured conversion action. Two platforms may claim the same sale.',
    direction: 'up',
    formula: { value: ['conversions'] },
  },
  platform_conversion_value: {
    ...money,
    ...bySource,
    label: 'Platform conversion value',
    description: 'Value of the conversions that the ad platforms claim.',
    direction: 'up',
    formula: { value: ['conversion_value'] },
  },
  platform_roas: {
    ...ratio,
    ...bySource,
    unit: 'ratio',
    label: 'Platform ROAS',
    description: 'Conversion value that the platforms claim, per ad spend.',
    direction: 'up',
    formula: { numerator: ['conversion_value'], denominator: ['ad_spend'] },
  },
  blended_roas: {
    ...ratio,
    ...total,
    unit: 'ratio',
    label: 'Blended ROAS (MER)',
    description:
      'Net sales of the shops per ad spend, whoever claims the sale. Ad spend is the only marketing cost here, so this is also the marketing efficiency ratio (MER), published once.',
    direction: 'up',
    formula: { numerator: NET_SALES, denominator: ['ad_spend'] },
  },
  acos: {
    ...ratio,
    ...total,
    unit: 'fraction',
    label: 'Advertising cost of sales',
    description: 'Ad spend per net sales, as a fraction.',
    direction: 'down',
    formula: { numerator: ['ad_spend'], denominator: NET_SALES },
  },
  cac: {
    ...ratio,
    ...total,
    unit: 'currency',
    label: 'Customer acquisition cost',
    description: 'Ad spend per new customer of the day.',
    direction: 'down',
    formula: { numerator: ['ad_spend'], denominator: ['new_customers'] },
  },
  orders: {
    ...count,
    ...total,
    label: 'Orders',
    description: 'Orders processed on the day; test and voided orders left out, cancelled ones counted.',
    direction: 'up',
    formula: { value: ['orders'] },
  },
  gross_sales: {
    ...money,
    ...total,
    label: 'Gross sales',
    description:
      'Product price times quantity as ordered, before tax, shipping, discounts and returns; gift cards left out.',
    direction: 'up',
    formula: { value: ['gross_sales'] },
  },
  discounts: {
    ...money,
    ...total,
    label: 'Discounts',
    description: 'Discounts on the products of the day’s orders, without tax.',
    direction: 'down',
    formula: { value: ['discounts'] },
  },
  returns: {
    ...money,
    ...total,
    label: 'Returns',
    description:
      'Value of the goods given back, without tax, on the day the refund was processed (not the order’s day).',
    direction: 'down',
    formula: { value: ['returns'] },
  },
  net_sales: {
    ...money,
    ...total,
    label: 'Net sales',
    description: 'Gross sales minus discounts minus returns; negative on a day with more returns than sales.',
    direction: 'up',
    formula: { value: NET_SALES },
  },
  shipping: {
    ...money,
    ...total,
    label: 'Shipping',
    description: 'Shipping charged on the day’s orders minus the shipping that the day’s refunds gave back.',
    direction: 'none',
    formula: { value: SHIPPING },
  },
  taxes: {
    ...money,
    ...total,
    label: 'Taxes',
    description: 'Taxes of the day’s orders minus the taxes that the day’s refunds gave back.',
    direction: 'none',
    formula: { value: TAXES },
  },
  total_sales: {
    ...money,
    ...total,
    label: 'Total sales',
    description: 'Net sales plus shipping plus taxes.',
    direction: 'up',
    formula: { value: [...NET_SALES, ...SHIPPING, ...TAXES] },
  },
  aov: {
    ...ratio,
    ...total,
    unit: 'currency',
    label: 'Average order value',
    description: 'Gross sales minus discounts, per order of the day.',
    direction: 'up',
    formula: { numerator: ['gross_sales', '-discounts'], denominator: ['orders'] },
  },
  new_customers: {
    ...count,
    ...total,
    label: 'New customers',
    description:
      'Customers of a shop whose first order ever is on the day; an order without a customer is its own customer.',
    direction: 'up',
    formula: { value: ['new_customers'] },
  },
  returning_customers: {
    ...count,
    ...total,
    additivity: 'distinct',
    label: 'Returning customers',
    description:
      'Distinct customers of a shop with an order on the day whose first order was on an earlier day.',
    direction: 'up',
    formula: { value: ['returning_customers'] },
  },
  refund_rate_30d: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 30,
    label: 'Refund rate, 30 days',
    description:
      'Goods of the day’s orders that were given back within 30 days of the order’s day, per gross sales of the day.',
    direction: 'down',
    formula: { numerator: ['returned_30d'], denominator: ['sold'] },
  },
  repeat_rate_90d: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 90,
    label: 'Repeat rate, 90 days',
    description:
      'Share of the customers first seen on the day who ordered again within 90 days of it, a second order on the same day included; an order without a customer is a customer who never comes back.',
    direction: 'up',
    formula: { numerator: ['cohort_repeaters_90d'], denominator: ['cohort_customers'] },
  },
  ltv_30d: lifetimeValue(30, ['cohort_value_30d']),
  ltv_90d: lifetimeValue(90, ['cohort_value_90d']),
  ltv_365d: lifetimeValue(365, ['cohort_value_365d']),
  ltv_cac_90d: {
    ...ratio,
    ...total,
    unit: 'ratio',
    maturityDays: 90,
    label: '90-day customer value per acquisition cost',
    description:
      'What the customers first seen on the day bought within 90 days (the numerator of ltv_90d), per ad spend of the day.',
    direction: 'up',
    formula: { numerator: ['cohort_value_90d'], denominator: ['ad_spend'] },
  },
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
