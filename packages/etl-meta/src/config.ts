/** The environment variables of the Meta source: their shapes and what people read when one is wrong. */
import { z } from 'zod';

import { defineConfig } from '@floyo/shared/config';
import { httpUrl, idList, tokenText } from '@floyo/shared/schemas';

import { DEFAULT_API_VERSION } from './versions.ts';

export interface MetaConfig {
  readonly accessToken: string;
  /** Ad account numbers, without `act_`. */
  readonly accountIds: readonly string[];
  /** `v26.0` */
  readonly apiVersion: string;
  /** The one action type that counts as a conversion. */
  readonly conversionAction: string;
  /** Without the version and without a slash at the end. */
  readonly baseUrl: string;
}

export const metaConfig = defineConfig({
  optional: true,
  variables: {
    META_ACCESS_TOKEN: {
      schema: tokenText,
      description: 'access token of a system user with ads_read on every ad account',
      secret: true,
    },
    META_AD_ACCOUNT_IDS: {
      schema: idList('ad account', 'act_'),
      description: 'ad accounts to read, comma list, act_ optional',
      example: 'act_1234567890,2345678901',
    },
    META_API_VERSION: {
      schema: z
        .string()
        .regex(/^v\d+\.\d+$/, 'must look like v26.0')
        .default(DEFAULT_API_VERSION),
      description: 'version of the Marketing API',
      example: DEFAULT_API_VERSION,
    },
    META_CONVERSION_ACTION: {
      schema: z
        .string()
        .regex(/^[\w.:-]+$/, 'must be one action type, e.g. purchase or offsite_conversion.fb_pixel_purchase')
        .default('purchase'),
      description: 'the one action type that counts as a conversion (types overlap: they are never added up)',
      example: 'purchase',
    },
    META_BASE_URL: {
      schema: httpUrl.default('https://graph.facebook.com'),
      description: 'base URL without the version',
      example: 'https://graph.facebook.com',
    },
  },
  build: (values): MetaConfig => ({
    accessToken: values.META_ACCESS_TOKEN,
    accountIds: values.META_AD_ACCOUNT_IDS,
    apiVersion: values.META_API_VERSION,
    conversionAction: values.META_CONVERSION_ACTION,
    baseUrl: values.META_BASE_URL.replace(/\/+$/, ''),
  }),
});
