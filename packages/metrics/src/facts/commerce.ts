/** Facts of orders, refunds and the customers who placed them. */
import { type FactGroup, within } from './define.ts';

export const COMMERCE_FACTS = {
  orders: {
    area: 'shop',
    tables: ['orders'],
    columns: {
      orders: 'count',
      gross_sales: 'money',
      discounts: 'money',
      shipping: 'money',
      taxes: 'money',
      new_customers: 'count',
      returning_customers: 'count',
    },
  },
  refunds: {
    area: 'shop',
    tables: ['refunds'],
    columns: { returns: 'money', shipping_returned: 'money', taxes_returned: 'money' },
  },
  order_returns: {
    area: 'shop',
    tables: ['orders'],
    columns: { sold: 'money', returned_30d: within('money', 30) },
  },
  cohorts: {
    area: 'shop',
    tables: ['orders'],
    columns: {
      cohort_customers: 'count',
      cohort_repeaters_90d: within('count', 90),
      cohort_value_30d: within('money', 30),
      cohort_value_90d: within('money', 90),
      cohort_value_365d: within('money', 365),
    },
  },
} as const satisfies Record<string, FactGroup>;
