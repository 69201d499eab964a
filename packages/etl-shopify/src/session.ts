/** A shop as it was found when the run opened it: its calendar and currency, and what the token may see. */
import { z } from 'zod';

import type { Account, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';

import type { BulkDesk } from './bulk-desk.ts';
import { createShopClient, type ShopClient } from './client.ts';
import type { ShopifyConfig } from './config.ts';
import { createPageSize, type PageSize } from './page-size.ts';
import { shopQuery } from './queries.ts';

export interface ShopifySession extends Account {
  readonly client: ShopClient;
  readonly pageSize: PageSize;
  /** Without it Shopify shows the last 60 days of orders and does not say so. */
  readonly seesAllOrders: boolean;
  /** Without it product and variant ids stay empty. */
  readonly seesProducts: boolean;
  /** Whether the shop's prices include tax now; each order tells for itself. */
  readonly taxesIncluded: boolean;
  /** The bulk operations of the backfill that runs, if it reads in bulk. */
  bulk: BulkDesk | undefined;
  /** Whether the app may read the shop's own sales report. */
  readonly readsReports: boolean;
}

/** What a token must be allowed. Customers by id alone: without them every order would look like a guest's. */
export const REQUIRED_SCOPES: readonly string[] = ['read_orders', 'read_customers'];

const shopSchema = z.object({
  shop: z.object({
    name: z.string(),
    ianaTimezone: z.string(),
    currencyCode: z.string(),
    taxesIncluded: z.boolean(),
  }),
  currentAppInstallation: z.object({ accessScopes: z.array(z.object({ handle: z.string() })) }),
});

/** Whether a scope is granted: one to write includes the one to read, and is then the only one listed. */
export function createScopeCheck(granted: readonly string[]): (scope: string) => boolean {
  return (scope) => granted.includes(scope) || granted.includes(scope.replace(/^read_/, 'write_'));
}

/** Asks for the shop. Throws a permission error that names the scopes that are missing. */
export async function openShop(config: ShopifyConfig, shop: string, io: Io): Promise<ShopifySession> {
  const entry = config.shops.find((candidate) => candidate.shop === shop);
  if (entry === undefined) throw new Error(`${shop} is not in SHOPIFY_SHOPS`);
  const client = createShopClient({ ...entry, apiVersion: config.apiVersion, baseUrl: config.baseUrl });
  const answer = await client.ask(io, { operation: 'Shop', document: shopQuery, variables: {} }, shopSchema);
  const granted = answer.currentAppInstallation.accessScopes.map((scope) => scope.handle);
  const has = createScopeCheck(granted);
  const missing = REQUIRED_SCOPES.filter((scope) => !has(scope));
  if (missing.length > 0)
    throw new PipelineError({
      type: 'permission',
      message: `The app may not read what is needed of ${shop}: it lacks ${missing.join(' and ')}`,
      advice: `Add ${missing.join(', ')} to the app's Admin API scopes, install it again in ${shop}, and replace its token.`,
      context: { shop, granted, missing },
    });
  const seesAllOrders = has('read_all_orders');
  const seesProducts = has('read_products');
  if (!seesAllOrders)
    io.log.warn({ shop }, 'without the scope read_all_orders Shopify shows orders of the last 60 days only');
  if (!seesProducts)
    io.log.warn({ shop }, 'without the scope read_products product and variant ids stay empty');
  return {
    id: shop,
    name: answer.shop.name,
    timezone: answer.shop.ianaTimezone,
    currency: answer.shop.currencyCode,
    client,
    pageSize: createPageSize(),
    seesAllOrders,
    seesProducts,
    taxesIncluded: answer.shop.taxesIncluded,
    bulk: undefined,
    readsReports: has('read_reports'),
  };
}
