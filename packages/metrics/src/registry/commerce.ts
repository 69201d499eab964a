/** Metrics of orders, refunds and the customers who placed them. */
import { count, type Metric, money, ratio, type Term, total } from './define.ts';

export const NET_SALES = ['gross_sales', '-discounts', '-returns'] as const satisfies readonly Term[];
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

export const COMMERCE = {
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
