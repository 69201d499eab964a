/** The environment variables of the TikTok source: their shapes and what people read when one is wrong. */
import { z } from 'zod';

import { defineConfig } from '@floyo/shared/config';
import { httpUrl, idList, tokenText } from '@floyo/shared/schemas';

export interface TikTokConfig {
  readonly accessToken: string;
  readonly advertiserIds: readonly string[];
  /** The metric that counts as conversions, and the one that is their value. */
  readonly conversionMetric: string;
  readonly valueMetric: string;
  /** What stands before `/open_api/v1.3`, without a slash at the end. */
  readonly baseUrl: string;
}

const metricName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*$/, 'must be the name of one metric, e.g. complete_payment');

export const tiktokConfig = defineConfig({
  optional: true,
  variables: {
    TIKTOK_ACCESS_TOKEN: {
      schema: tokenText,
      description: 'long-term access token with the reporting scope on every advertiser',
      secret: true,
    },
    TIKTOK_ADVERTISER_IDS: {
      schema: idList('advertiser id'),
      description: 'advertisers to read, comma list',
      example: '7012345678901234567,7098765432109876543',
    },
    TIKTOK_CONVERSION_METRIC: {
      schema: metricName.default('complete_payment'),
      description: 'the metric that counts as conversions',
      example: 'complete_payment',
    },
    TIKTOK_VALUE_METRIC: {
      schema: metricName.default('total_complete_payment_rate'),
      description:
        'the metric that is their value (total_complete_payment_rate is a value in spite of its name)',
      example: 'total_complete_payment_rate',
    },
    TIKTOK_BASE_URL: {
      schema: httpUrl.default('https://business-api.tiktok.com'),
      description: 'what stands before /open_api/v1.3',
      example: 'https://business-api.tiktok.com',
    },
  },
  build: (values): TikTokConfig => ({
    accessToken: values.TIKTOK_ACCESS_TOKEN,
    advertiserIds: values.TIKTOK_ADVERTISER_IDS,
    conversionMetric: values.TIKTOK_CONVERSION_METRIC,
    valueMetric: values.TIKTOK_VALUE_METRIC,
    baseUrl: values.TIKTOK_BASE_URL.replace(/\/+$/, ''),
  }),
});
