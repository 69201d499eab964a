/** Facts of ads. */
import type { FactGroup } from './define.ts';

export const MARKETING_FACTS = {
  ads: {
    area: 'ads',
    tables: ['spend'],
    columns: {
      ad_spend: 'money',
      impressions: 'count',
      clicks: 'count',
      conversions: 'count',
      conversion_value: 'money',
    },
  },
} as const satisfies Record<string, FactGroup>;
