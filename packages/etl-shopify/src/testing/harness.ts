/** For this package's tests: the sandbox's Shopify on a port of its own, and a shop opened on it. */
import { createServer } from 'node:http';

import { getRequestListener } from '@hono/node-server';

import { createClock, createFaults, createRequestLog, type VendorContext } from '@floyo/sandbox/core';
import { createGrants, type Grants } from '@floyo/sandbox/shopify/grants';
import { createShopifyServer, shopifyAccess, type ShopifyServerOptions } from '@floyo/sandbox/shopify/server';
import { readConfig } from '@floyo/shared/config';
import type { Io } from '@floyo/shared/connector';
import { createTestIo } from '@floyo/shared/testing/vendor';

import type { ShopifyConfig } from '../config.ts';
import { shopify } from '../index.ts';
import type { ShopifySession } from '../session.ts';

export const usShop = 'floyo-us.myshopify.com';
export const euShop = 'floyo-eu.myshopify.com';
const NOW = '2026-11-21T09:00:00Z';

export interface Harness extends VendorContext {
  readonly url: string;
  readonly grants: Grants;
  /** What the connector gets from the runner: a client that counts its own calls, and Berlin as the reporting zone. */
  createIo(): Io;
  /** The configuration for one shop and its token. */
  configOf(shop: string, auth?: 'token' | 'client'): ShopifyConfig;
  /** Opens a shop by its token, or by the client-credentials grant. */
  open(shop: string, io: Io, auth?: 'token' | 'client'): Promise<ShopifySession>;
  close(): Promise<void>;
}

/** Starts with the clock at 2026-11-21 09:00 UTC. */
export async function startHarness(options: ShopifyServerOptions = {}): Promise<Harness> {
  const context: VendorContext = {
    clock: createClock(NOW),
    faults: createFaults(7),
    log: createRequestLog(),
    seed: 7,
  };
  const grants = createGrants();
  const listener = getRequestListener(createShopifyServer(context, { grants, ...options }).fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The sandbox has no TCP port.');
  const url = `http://127.0.0.1:${address.port}`;
  const configOf: Harness['configOf'] = (shop, auth = 'token') => {
    const { token, clientId, clientSecret } = shopifyAccess(shop);
    const credentials =
      auth === 'client'
        ? { SHOPIFY_CLIENT_IDS: clientId, SHOPIFY_CLIENT_SECRETS: clientSecret }
        : { SHOPIFY_ACCESS_TOKENS: token };
    const config = readConfig(shopify.config, { SHOPIFY_SHOPS: shop, SHOPIFY_BASE_URL: url, ...credentials });
    if (config === undefined) throw new Error('Shopify is not configured.');
    return config;
  };
  return {
    ...context,
    url,
    grants,
    createIo: () => ({
      ...createTestIo({ now: NOW, waitBudgetMs: 5_000 }),
      reporting: { timezone: 'Europe/Berlin', currency: 'EUR' },
    }),
    configOf,
    open: (shop, io, auth) => shopify.open(configOf(shop, auth), shop, io),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
