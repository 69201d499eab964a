/**
 * Shopify's Admin GraphQL API as far as a reader of orders sees it, executed by graphql-js on the official schema.
 * What it answers follows the vendor's documentation; README.md lists the traps that it keeps.
 */
import type { DocumentNode, GraphQLError } from 'graphql';
import type { Context } from 'hono';
import { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { connectionFaults, halfBody } from '../middleware.ts';
import { firstDayOf } from '../world/world.ts';
import { allScopes, answerQuery, type ServedShop } from './answer.ts';
import { createBucket } from './bucket.ts';
import { createBulkDesk } from './bulk.ts';
import { describeCsvShop, readCsvShop } from './csv-shop.ts';
import { faultStatus } from './faults.ts';
import { createGrants, type Grants } from './grants.ts';
import { adminSchema } from './schema.ts';
import type { WorldShop } from './shop.ts';
import { seededShops } from './shops.ts';
import { servedVersion, supportedVersions } from './versions.ts';
import { createShopWorld } from './world.ts';

export { shopifyAccess, shopifyEnv } from './shops.ts';

export interface ShopifyServerOptions {
  /** One more shop, or one of the seeded ones replaced, with the orders of a CSV; read at once. */
  readonly shopCsv?: { readonly shop: string; readonly path: string };
  /** Of the seeded shops, on an ordinary day; 18 unless told. */
  readonly ordersPerDay?: number;
  /** Told what was made of the CSV, and what was left out. */
  readonly report?: (text: string) => void;
  /** The tokens that were granted, to look at them. */
  readonly grants?: Grants;
  /** Another cost bucket for every shop, e.g. a small one to see a client wait. */
  readonly bucket?: WorldShop['bucket'];
}

const bodySchema = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});
const deprecationSchema = z.object({ deprecated: z.string() });
const clientSchema = z.object({ client_id: z.string(), client_secret: z.string() });
const grantSchema = z.discriminatedUnion('grant_type', [
  clientSchema.extend({ grant_type: z.literal('client_credentials') }),
  clientSchema.extend({ grant_type: z.literal('refresh_token'), refresh_token: z.string() }),
]);

export function createShopifyServer(context: VendorContext, options: ShopifyServerOptions = {}): Hono {
  const shops = createShops(context, options);
  const grants = options.grants ?? createGrants();
  const documents = new Map<string, DocumentNode | readonly GraphQLError[]>();
  const app = new Hono();

  app.use('*', connectionFaults(context, 'shopify', domainOf));
  app.post('/:shop/admin/oauth/access_token', async (c) => {
    const target = { account: c.req.param('shop'), path: c.req.path };
    const broken = context.faults.take('shopify', 'server_error', target);
    if (broken !== undefined) return c.json({ error: 'unavailable' }, statusOf(faultStatus(broken.value)));
    return grantToken(c, grants, shops);
  });
  app.post('/:shop/admin/api/:version/graphql.json', async (c) => {
    const shop = shops.get(c.req.param('shop'));
    const target = { account: c.req.param('shop'), path: c.req.path };
    const asked = servedVersion(c.req.param('version'));
    if (shop === undefined || asked === undefined) return c.json({ errors: 'Not Found' }, 404);
    const retired = context.faults.take('shopify', 'wrong_version', target);
    const deprecated = deprecationSchema.safeParse(retired?.value).data?.deprecated;
    const version = retired === undefined || deprecated !== undefined ? asked : supportedVersions[0];
    if (deprecated !== undefined) c.header('x-shopify-api-deprecated-reason', deprecated);
    c.header('x-shopify-api-version', version);
    c.header('x-request-id', `sandbox-${context.log.count('shopify') + 1}`);
    const token = c.req.header('x-shopify-access-token') ?? '';
    if (
      !grants.isValid(target.account, token) ||
      context.faults.take('shopify', 'wrong_token', target) !== undefined
    )
      return c.json(
        { errors: '[API] Invalid API key or access token (unrecognized login or wrong password)' },
        401,
      );

    const body = bodySchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ errors: { query: 'Required parameter missing or invalid' } }, 400);
    const fileBase = c.req.url.slice(0, c.req.url.indexOf('/admin/'));
    const answer = answerQuery(context, shop, { ...target, fileBase }, body.data, documents);
    for (const [name, value] of Object.entries(answer.headers ?? {})) c.header(name, value);
    const response = c.json(answer.body, statusOf(answer.status));
    return context.faults.take('shopify', 'truncated', target) === undefined ? response : halfBody(response);
  });
  app.get('/:shop/bulk/:file', (c) => {
    const id = c.req.param('file').replace(/\.jsonl$/, '');
    const target = { account: c.req.param('shop'), path: c.req.path };
    const broken = context.faults.take('shopify', 'server_error', target);
    if (broken !== undefined) return c.text('<Error><Code>InternalError</Code></Error>', 503);
    const text = shops.get(target.account)?.bulk.file(id);
    // The address is signed: the token is not asked for, and must not be sent there.
    if (text === undefined || c.req.query('Signature') !== `sandbox-${id}`)
      return c.text('<Error><Code>AccessDenied</Code></Error>', 403);
    if (c.req.header('x-shopify-access-token') !== undefined) return c.text('a token was sent here', 400);
    const response = c.body(text, 200, { 'content-type': 'application/jsonl' });
    return context.faults.take('shopify', 'truncated', target) === undefined ? response : halfBody(response);
  });
  app.all('*', (c) => c.json({ errors: 'Not Found' }, 404));
  return app;
}

function createShops(context: VendorContext, options: ShopifyServerOptions): Map<string, ServedShop> {
  const firstDay = firstDayOf(context);
  const worlds = seededShops.map((shop, index) =>
    createShopWorld(shop, {
      seed: context.seed,
      firstDay,
      firstId: (5 + index) * 100_000_000_000,
      ...(options.ordersPerDay === undefined ? {} : { ordersPerDay: options.ordersPerDay }),
    }),
  );
  if (options.shopCsv !== undefined) {
    const { shop, path } = options.shopCsv;
    const { world, summary } = readCsvShop(shop, path);
    options.report?.(describeCsvShop(shop, summary));
    worlds.push(world);
  }
  return new Map(
    worlds.map((world) => [
      world.shop.domain,
      {
        world,
        bucket: createBucket(options.bucket ?? world.shop.bucket),
        bulk: createBulkDesk(adminSchema),
      },
    ]),
  );
}

async function grantToken(
  c: Context,
  grants: Grants,
  shops: ReadonlyMap<string, ServedShop>,
): Promise<Response> {
  const shop = c.req.param('shop') ?? '';
  const form = grantSchema.safeParse(await c.req.parseBody());
  if (!shops.has(shop) || !form.success) return c.json({ error: 'invalid_request' }, 400);
  const { client_id: id, client_secret: secret, ...rest } = form.data;
  const refreshToken = rest.grant_type === 'refresh_token' ? rest.refresh_token : undefined;
  const granted = grants.grant(shop, { id, secret, refreshToken });
  if (granted === undefined)
    return c.json(
      { error: refreshToken === undefined ? 'application_cannot_be_found' : 'invalid_grant' },
      400,
    );
  return c.json({
    access_token: granted.token,
    scope: allScopes.join(','),
    expires_in: granted.expiresIn,
    ...(granted.refreshToken === undefined
      ? {}
      : { refresh_token: granted.refreshToken, refresh_token_expires_in: granted.refreshExpiresIn }),
  });
}

function domainOf(c: Context): string | undefined {
  return /\/([\w-]+\.myshopify\.com)\//.exec(c.req.path)?.[1];
}

function statusOf(status: number): ContentfulStatusCode {
  return z
    .custom<ContentfulStatusCode>((value) => typeof value === 'number' && value >= 200 && value < 600)
    .parse(status);
}
