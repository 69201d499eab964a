/** The environment variables of the Shopify connector. Shops and their credentials are lists in the same order. */
import { z } from 'zod';

import { type ConfigSection, defineConfig, splitList } from '@floyo/shared/config';
import type { ConfigProblem } from '@floyo/shared/errors';

import { readAuth, type ShopAuth } from './auth.ts';

/** The Admin API version that queries are written for. Shopify supports a version for twelve months. */
export const API_VERSION = '2026-10';
export const API_VERSION_SUPPORTED_UNTIL = '2027-10-01';

export interface ShopifyConfig {
  readonly shops: readonly { readonly shop: string; readonly auth: ShopAuth }[];
  readonly apiVersion: string;
  /** Where shops are found as `<base>/<name.myshopify.com>`; unset, each at its own host. */
  readonly baseUrl: string | undefined;
}

const shopName = /^[a-z0-9][a-z0-9-]*\.myshopify\.com$/;
const list = z
  .string()
  .optional()
  .transform((text) => splitList(text ?? ''));

export const config: ConfigSection<ShopifyConfig> = defineConfig({
  optional: true,
  variables: {
    SHOPIFY_SHOPS: {
      schema: z.string().transform((text) => splitList(text.toLowerCase())),
      description: 'the shops, as a comma list of name.myshopify.com',
      example: 'floyo-us.myshopify.com,floyo-eu.myshopify.com',
    },
    SHOPIFY_ACCESS_TOKENS: {
      schema: list,
      description: 'an Admin API access token for each shop, in the order of SHOPIFY_SHOPS',
      secret: true,
      example: 'shpat_one,shpat_two',
    },
    SHOPIFY_CLIENT_IDS: {
      schema: list,
      description:
        'instead of access tokens: the client id of an app for each shop (client-credentials grant)',
    },
    SHOPIFY_CLIENT_SECRETS: {
      schema: list,
      description: 'the secrets of SHOPIFY_CLIENT_IDS, in the same order',
      secret: true,
    },
    SHOPIFY_REFRESH_TOKENS: {
      schema: list,
      description:
        'for expiring offline tokens: the first refresh token of each shop, beside SHOPIFY_CLIENT_IDS and SHOPIFY_CLIENT_SECRETS',
      secret: true,
    },
    SHOPIFY_TOKEN_KEY: {
      schema: z
        .string()
        .regex(/^[0-9a-f]{64}$/i, 'is no key of 32 bytes as 64 hexadecimal digits (openssl rand -hex 32)')
        .optional(),
      description:
        'seals the refresh tokens that Shopify gives in exchange, 64 hexadecimal digits: `openssl rand -hex 32`; keep it',
      secret: true,
    },
    SHOPIFY_API_VERSION: {
      schema: z
        .string()
        .regex(/^\d{4}-(01|04|07|10)$/, 'is no Admin API version such as 2026-10')
        .default(API_VERSION),
      description: 'Admin API version',
      example: API_VERSION,
    },
    SHOPIFY_BASE_URL: {
      schema: z.url({ protocol: /^https?$/, error: 'is no http(s) address' }).optional(),
      description: "for a proxy or the sandbox: a shop's API is then at <base>/<name.myshopify.com>/admin",
    },
  },
  build(values): ShopifyConfig | readonly ConfigProblem[] {
    const shops = values.SHOPIFY_SHOPS;
    const auth = readAuth(shops, {
      tokens: values.SHOPIFY_ACCESS_TOKENS,
      clientIds: values.SHOPIFY_CLIENT_IDS,
      clientSecrets: values.SHOPIFY_CLIENT_SECRETS,
      refreshTokens: values.SHOPIFY_REFRESH_TOKENS,
      tokenKey: values.SHOPIFY_TOKEN_KEY,
    });
    const problems = [...checkShops(shops), ...auth.problems];
    if (problems.length > 0) return problems;
    return {
      shops: auth.auths.map((shopAuth, index) => ({ shop: shops[index] ?? '', auth: shopAuth })),
      apiVersion: values.SHOPIFY_API_VERSION,
      baseUrl: values.SHOPIFY_BASE_URL?.replace(/\/+$/, ''),
    };
  },
});

function checkShops(shops: readonly string[]): ConfigProblem[] {
  const problem = (message: string): ConfigProblem => ({ variable: 'SHOPIFY_SHOPS', message });
  if (shops.length === 0) return [problem('names no shop')];
  return [
    ...shops
      .filter((shop) => !shopName.test(shop))
      .map((shop) =>
        problem(`'${shop}' is no shop: write name.myshopify.com, without https:// and without a path`),
      ),
    ...[...new Set(shops.filter((shop, index) => shops.indexOf(shop) !== index))].map((shop) =>
      problem(`${shop} is there more than once`),
    ),
  ];
}
