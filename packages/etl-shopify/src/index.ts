/** The Shopify connector: one account a shop, one stream of orders with their lines and refunds. */
import { type Connector, defineConnector } from '@floyo/shared/connector';

import { type BulkLimits, bulkLimits } from './bulk-desk.ts';
import { config, type ShopifyConfig } from './config.ts';
import { examineShop } from './examine.ts';
import { openShop, type ShopifySession } from './session.ts';
import { createOrders } from './streams/orders.ts';

/** The connector; `limits` tell when and how a backfill is read in bulk. */
export function createShopify(limits: BulkLimits = bulkLimits): Connector<ShopifyConfig, ShopifySession> {
  return defineConnector({
    source: 'shopify',
    agent: 'etl-shopify',
    config,
    accounts: ({ shops }) => shops.map(({ shop }) => shop),
    open: openShop,
    examine: examineShop,
    streams: [createOrders(limits)],
  });
}

export const shopify = createShopify();
