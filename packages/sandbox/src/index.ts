/** The sandbox: one local server with every vendor under a prefix of its own, a clock, faults and a log. */
import type { AddressInfo } from 'node:net';

import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';

import { createControlServer } from './control.ts';
import type { Faults, RequestLog, SandboxClock, VendorContext, VendorServer } from './core.ts';
import { createClock, createFaults, createRequestLog } from './core.ts';
import { createEcbServer } from './ecb/server.ts';
import { metaToken } from './meta/request.ts';
import { createMetaServer } from './meta/server.ts';
import { createShopifyServer, shopifyAccess, shopifyEnv } from './shopify/server.ts';
import { createTikTokServer, tiktokToken } from './tiktok/server.ts';
import { metaAccounts, tiktokAccounts } from './world/accounts.ts';

export interface SandboxOptions {
  /** The instant at which the clock stands; without it the system clock. */
  now?: string;
  seed?: number;
  /** 0 (the default) takes a free one. */
  port?: number;
  /** One shop more (or in place of a seeded one), served from a CSV of order lines. */
  shopCsv?: { shop: string; path: string };
  /** The first day of the rates; all since 2009 unless told. */
  ratesSince?: string;
  /** Told what a CSV became, and which of its lines no shop can have. */
  report?: (text: string) => void;
}

export interface Sandbox {
  url: string;
  /** The environment variables that point the pipeline at the sandbox, FLOYO_NOW included when `now` was given. */
  env: Record<string, string>;
  clock: SandboxClock;
  faults: Faults;
  log: RequestLog;
  close(): Promise<void>;
}

const defaultSeed = 7;
/** Those that take options are mounted on their own. */
const vendorServers: Record<string, VendorServer> = {
  '/meta': createMetaServer,
  '/tiktok': createTikTokServer,
};

/** Starts the sandbox on the loopback interface; `close` ends open connections, too. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const seed = options.seed ?? defaultSeed;
  const context: VendorContext = {
    clock: createClock(options.now),
    faults: createFaults(seed),
    log: createRequestLog(),
    seed,
  };
  const shop = {
    ...(options.shopCsv === undefined ? {} : { shopCsv: options.shopCsv }),
    ...(options.report === undefined ? {} : { report: options.report }),
  };
  const app = new Hono();
  app.route('/_sandbox', createControlServer(context));
  for (const [prefix, createServer] of Object.entries(vendorServers))
    app.route(prefix, createServer(context));
  app.route('/ecb', createEcbServer(context, options.ratesSince));
  app.route('/shopify', createShopifyServer(context, shop));

  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${portOf(server.address())}`;
  return {
    url,
    env: environment(url, options),
    clock: context.clock,
    faults: context.faults,
    log: context.log,
    close: () =>
      new Promise<void>((resolve, reject) => {
        server.close((error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function environment(url: string, { now, shopCsv }: SandboxOptions): Record<string, string> {
  return {
    ...(now === undefined ? {} : { FLOYO_NOW: now }),
    META_BASE_URL: `${url}/meta`,
    META_ACCESS_TOKEN: metaToken,
    META_AD_ACCOUNT_IDS: metaAccounts.map((account) => account.id).join(','),
    TIKTOK_BASE_URL: `${url}/tiktok`,
    TIKTOK_ACCESS_TOKEN: tiktokToken,
    TIKTOK_ADVERTISER_IDS: tiktokAccounts.map((account) => account.id).join(','),
    SHOPIFY_BASE_URL: `${url}/shopify`,
    ...shopVariables(shopCsv?.shop),
    ECB_BASE_URL: `${url}/ecb`,
  };
}

/** The seeded shops, and the shop of the CSV after them unless it stands in for one. */
function shopVariables(csvShop: string | undefined): Record<string, string> {
  const shops = shopifyEnv['SHOPIFY_SHOPS']?.split(',') ?? [];
  if (csvShop !== undefined && !shops.includes(csvShop)) shops.push(csvShop);
  const tokens = shops.map((shop) => shopifyAccess(shop).token);
  return { ...shopifyEnv, SHOPIFY_SHOPS: shops.join(','), SHOPIFY_ACCESS_TOKENS: tokens.join(',') };
}

function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === 'string') throw new Error('The sandbox has no TCP port.');
  return address.port;
}
