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
import { createPostHogServer, type PostHogControls, posthogKey, posthogProject } from './posthog/server.ts';
import type { Volume } from './posthog/world.ts';
import { createShopifyServer, shopifyAccess, shopifyEnv } from './shopify/server.ts';
import { stripeKey, stripeWebhookSecret } from './stripe/access.ts';
import { createStripeControl } from './stripe/control.ts';
import { createStripeServer, type StripeControls, type StripeOptions } from './stripe/server.ts';
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
  /** Of each seeded shop on an ordinary day; 18 unless told. */
  ordersPerDay?: number;
  /** The first day of the rates; all since 2009 unless told. */
  ratesSince?: string;
  /** How much happens in PostHog's project; a small product unless told. */
  posthog?: Volume;
  /** What happened in Stripe's account, and its limits; a small company of two years unless told. */
  stripe?: StripeOptions;
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
  /** PostHog's project: what to add and take away, and what was asked of it and sent to its capture endpoint. */
  posthog: PostHogControls;
  /** Stripe's account: what happens in it, and what may happen between an answer's making and its sending. */
  stripe: StripeControls;
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
    ...(options.ordersPerDay === undefined ? {} : { ordersPerDay: options.ordersPerDay }),
    ...(options.report === undefined ? {} : { report: options.report }),
  };
  const app = new Hono();
  const posthog = createPostHogServer(context, options.posthog);
  const stripe = createStripeServer(context, options.stripe);
  app.route('/_sandbox/stripe', createStripeControl(context, stripe.controls));
  app.route('/_sandbox', createControlServer(context, posthog.controls));
  for (const [prefix, createServer] of Object.entries(vendorServers))
    app.route(prefix, createServer(context));
  app.route('/ecb', createEcbServer(context, options.ratesSince));
  app.route('/shopify', createShopifyServer(context, shop));
  app.route('/posthog', posthog.app);
  app.route('/stripe', stripe.app);
  // Stripe's own SDK takes a host and a port, and no path before /v1.
  app.get('/v1/*', (c) => stripe.app.fetch(c.req.raw, c.env));

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
    posthog: posthog.controls,
    stripe: stripe.controls,
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
    POSTHOG_HOST: `${url}/posthog`,
    POSTHOG_PROJECT_ID: posthogProject,
    POSTHOG_PERSONAL_API_KEY: posthogKey,
    STRIPE_BASE_URL: `${url}/stripe`,
    STRIPE_SECRET_KEY: stripeKey,
    STRIPE_WEBHOOK_SECRET: stripeWebhookSecret,
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
