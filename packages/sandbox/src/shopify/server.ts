/**
 * Shopify's Admin GraphQL API as far as a reader of orders sees it, executed by graphql-js on the official schema.
 * What it answers follows the vendor's documentation; README.md lists the traps that it keeps.
 */
import {
  type DocumentNode,
  executeSync,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import type { Context } from 'hono';
import { Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { connectionFaults, halfBody } from '../middleware.ts';
import { dayNumber } from '../world/days.ts';
import { type Bucket, createBucket } from './bucket.ts';
import { costOf } from './cost.ts';
import { describeCsvShop, readCsvShop } from './csv-shop.ts';
import { type FaultAnswer, faultAnswer, mostCost, overCost, spoilOrders, throttledAnswer } from './faults.ts';
import { createGrants, type Grants } from './grants.ts';
import { rootOf } from './resolvers.ts';
import { adminSchema } from './schema.ts';
import type { RequestScope } from './scope.ts';
import type { ShopWorld, WorldShop } from './shop.ts';
import { seededShops } from './shops.ts';
import { servedVersion, supportedVersions } from './versions.ts';
import { createShopWorld } from './world.ts';

export { shopifyAccess, shopifyEnv } from './shops.ts';

export interface ShopifyServerOptions {
  /** One more shop, or one of the seeded ones replaced, with the orders of a CSV; read at once. */
  readonly shopCsv?: { readonly shop: string; readonly path: string };
  /** Told what was made of the CSV, and what was left out. */
  readonly report?: (text: string) => void;
  /** Another cost bucket for every shop, e.g. a small one to see a client wait. */
  readonly bucket?: WorldShop['bucket'];
}

interface Shop {
  readonly world: ShopWorld;
  readonly bucket: Bucket;
}

const allScopes = ['read_orders', 'read_all_orders', 'read_customers', 'read_products'];
const historyMonths = 24;
const bodySchema = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});
const grantSchema = z.object({
  grant_type: z.literal('client_credentials'),
  client_id: z.string(),
  client_secret: z.string(),
});
const missingScopeSchema = z.object({ scopes: z.array(z.string()) });

export function createShopifyServer(context: VendorContext, options: ShopifyServerOptions = {}): Hono {
  const shops = createShops(context, options);
  const grants = createGrants();
  const documents = new Map<string, DocumentNode | readonly GraphQLError[]>();
  const app = new Hono();

  app.use('*', connectionFaults(context, 'shopify', domainOf));
  app.post('/:shop/admin/oauth/access_token', async (c) => grantToken(c, grants, shops));
  app.post('/:shop/admin/api/:version/graphql.json', async (c) => {
    const shop = shops.get(c.req.param('shop'));
    const target = { account: c.req.param('shop'), path: c.req.path };
    const asked = servedVersion(c.req.param('version'));
    if (shop === undefined || asked === undefined) return c.json({ errors: 'Not Found' }, 404);
    const version =
      context.faults.take('shopify', 'wrong_version', target) === undefined ? asked : supportedVersions[0];
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
    const answer = answerQuery(context, shop, target, body.data, documents);
    for (const [name, value] of Object.entries(answer.headers ?? {})) c.header(name, value);
    const response = c.json(answer.body, statusOf(answer.status));
    return context.faults.take('shopify', 'truncated', target) === undefined ? response : halfBody(response);
  });
  app.all('*', (c) => c.json({ errors: 'Not Found' }, 404));
  return app;
}

function createShops(context: VendorContext, options: ShopifyServerOptions): Map<string, Shop> {
  const begin = context.clock
    .now()
    .toZonedDateTimeISO('UTC')
    .toPlainDate()
    .subtract({ months: historyMonths });
  const firstDay = dayNumber(begin.with({ day: 1 }).toString());
  const worlds = seededShops.map((shop, index) =>
    createShopWorld(shop, context.seed, firstDay, (5 + index) * 100_000_000_000),
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
      { world, bucket: createBucket(options.bucket ?? world.shop.bucket) },
    ]),
  );
}

function answerQuery(
  context: VendorContext,
  { world, bucket }: Shop,
  target: { account: string; path: string },
  body: z.infer<typeof bodySchema>,
  documents: Map<string, DocumentNode | readonly GraphQLError[]>,
): FaultAnswer {
  const document = documents.get(body.query) ?? parseQuery(body.query);
  documents.set(body.query, document);
  if (!('kind' in document)) return { status: 200, body: { errors: document } };
  const operation = findOperation(document, body.operationName ?? undefined);
  if (operation === undefined)
    return { status: 200, body: { errors: [{ message: 'No operation named so' }] } };
  const variables = body.variables ?? {};
  const cost = costOf(adminSchema, document, operation, variables);
  const first = z.number().safeParse(variables['first']).data ?? 0;
  const fault = faultAnswer(context.faults, target, {
    requestedCost: cost.requested,
    first,
    throttle: bucket.status(),
  });
  if (fault !== undefined) return fault;
  if (cost.requested > mostCost) return overCost(cost.requested);
  if (!bucket.take(cost.requested)) return throttledAnswer(cost.requested, bucket.status());

  const scope: RequestScope = {
    world,
    now: context.clock.now().epochMilliseconds,
    scopes: scopesOf(context, target),
    isFilterIgnored: context.faults.take('shopify', 'ignored_filter', target) !== undefined,
    isGone: isDrain(operation) && context.faults.take('shopify', 'vanished_ad', target) !== undefined,
    searches: [],
  };
  const result = executeSync({
    schema: adminSchema,
    document,
    rootValue: rootOf(scope),
    variableValues: variables,
    operationName: body.operationName ?? null,
  });
  const actual = Math.min(cost.requested, Math.ceil(cost.actual(result.data)));
  bucket.giveBack(cost.requested - actual);
  const spoilt = context.faults.take('shopify', 'invalid_record', target);
  return {
    status: 200,
    body: {
      ...(result.errors === undefined ? {} : { errors: result.errors }),
      data: spoilt === undefined ? result.data : spoilOrders(spoilt.value, result.data),
      extensions: {
        cost: {
          requestedQueryCost: cost.requested,
          actualQueryCost: actual,
          throttleStatus: bucket.status(),
        },
        ...(scope.searches.length === 0 ? {} : { search: scope.searches }),
      },
    },
  };
}

/** The document, or why it is none, as Shopify tells it: with status 200 and the place. */
function parseQuery(query: string): DocumentNode | readonly GraphQLError[] {
  try {
    const document = parse(query);
    const errors = validate(adminSchema, document);
    return errors.length === 0 ? document : errors;
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

function findOperation(
  document: DocumentNode,
  name: string | undefined,
): OperationDefinitionNode | undefined {
  return document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .find((operation) => name === undefined || operation.name?.value === name);
}

/** Whether the query asks for one order or refund by its id. */
function isDrain(operation: OperationDefinitionNode): boolean {
  return operation.selectionSet.selections.some(
    (selection) => selection.kind === Kind.FIELD && ['order', 'refund'].includes(selection.name.value),
  );
}

/** The fault takes away `value.scopes`, or read_all_orders. */
function scopesOf(context: VendorContext, target: { account: string; path: string }): string[] {
  const fault = context.faults.take('shopify', 'missing_scope', target);
  if (fault === undefined) return allScopes;
  const missing = missingScopeSchema.safeParse(fault.value).data?.scopes ?? ['read_all_orders'];
  return allScopes.filter((scope) => !missing.includes(scope));
}

async function grantToken(c: Context, grants: Grants, shops: ReadonlyMap<string, Shop>): Promise<Response> {
  const shop = c.req.param('shop') ?? '';
  const form = grantSchema.safeParse(await c.req.parseBody());
  if (!shops.has(shop) || !form.success) return c.json({ error: 'invalid_request' }, 400);
  const granted = grants.grant(shop, form.data.client_id, form.data.client_secret);
  if (granted === undefined) return c.json({ error: 'application_cannot_be_found' }, 400);
  return c.json({ access_token: granted.token, scope: allScopes.join(','), expires_in: granted.expiresIn });
}

function domainOf(c: Context): string | undefined {
  return /\/([\w-]+\.myshopify\.com)\//.exec(c.req.path)?.[1];
}

function statusOf(status: number): ContentfulStatusCode {
  return z
    .custom<ContentfulStatusCode>((value) => typeof value === 'number' && value >= 200 && value < 600)
    .parse(status);
}
