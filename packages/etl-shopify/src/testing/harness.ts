/** For this package's tests: the sandbox's Shopify on a port of its own, and a shop opened on it. */
import { createServer, type Server } from 'node:http';

import { getRequestListener } from '@hono/node-server';
import { createClock, createFaults, createRequestLog, type VendorContext } from '@floyo/sandbox/core';
import {
  createShopifyServer,
  shopifyAccess,
  shopifyEnv,
  type ShopifyServerOptions,
} from '@floyo/sandbox/shopify/server';
import { readConfig } from '@floyo/shared/config';
import type { Io } from '@floyo/shared/connector';
import { createHttpClient } from '@floyo/shared/http';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';

import type { ShopifyConfig } from '../config.ts';
import { shopify } from '../index.ts';
import type { ShopifySession } from '../session.ts';

export const usShop = 'floyo-us.myshopify.com';
export const euShop = 'floyo-eu.myshopify.com';

export interface Harness extends VendorContext {
  readonly url: string;
  readonly config: ShopifyConfig;
  /** What the connector gets from the runner; counts calls of its own. */
  createIo(): Io;
  /** Opens a shop, by the client-credentials grant when told. */
  open(shop: string, io: Io, auth?: 'client'): Promise<ShopifySession>;
  close(): Promise<void>;
}

/** Starts at 2026-11-21 09:00 UTC with Berlin as the reporting zone. */
export async function startHarness(options: ShopifyServerOptions = {}): Promise<Harness> {
  const context: VendorContext = {
    clock: createClock('2026-11-21T09:00:00Z'),
    faults: createFaults(7),
    log: createRequestLog(),
    seed: 7,
  };
  const listener = getRequestListener(createShopifyServer(context, options).fetch);
  const server = createServer((request, response) => void listener(request, response));
  const url = await listen(server);
  const read = (env: Record<string, string>): ShopifyConfig => {
    const config = readConfig(shopify.config, { ...env, SHOPIFY_BASE_URL: url });
    if (config === undefined) throw new Error('Shopify is not configured');
    return config;
  };
  return {
    ...context,
    url,
    config: read(shopifyEnv),
    createIo() {
      const { signal } = new AbortController();
      return {
        http: createHttpClient({ signal, now: Date.now, retryBaseMs: 5, waitBudgetMs: 5_000 }),
        log: createLogger({ level: 'silent', redactor: createRedactor([]) }),
        signal,
        now: () => context.clock.now(),
        reporting: { timezone: 'Europe/Berlin', currency: 'EUR' },
      };
    },
    open(shop, io, auth) {
      const { token, clientId, clientSecret } = shopifyAccess(shop);
      const credentials =
        auth === 'client'
          ? { SHOPIFY_CLIENT_IDS: clientId, SHOPIFY_CLIENT_SECRETS: clientSecret }
          : { SHOPIFY_ACCESS_TOKENS: token };
      return shopify.open(read({ SHOPIFY_SHOPS: shop, ...credentials }), shop, io);
    },
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
        server.closeAllConnections();
      }),
  };
}

/** All records of all pages. */
export async function collect(pages: AsyncIterable<readonly unknown[]>): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const page of pages) records.push(...page);
  return records;
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('There is no port.');
  return `http://127.0.0.1:${address.port}`;
}
