/** The Shopify connector: one account a shop, one stream of orders with their lines and refunds. */
import { type Connector, defineConnector } from '@floyo/shared/connector';

import { config, type ShopifyConfig } from './config.ts';
import { openShop, type ShopifySession } from './session.ts';
import { orders } from './streams/orders.ts';

export const shopify: Connector<ShopifyConfig, ShopifySession> = defineConnector({
  source: 'shopify',
  agent: 'etl-shopify',
  config,
  accounts: ({ shops }) => shops.map(({ shop }) => shop),
  open: openShop,
  streams: [orders],
});
