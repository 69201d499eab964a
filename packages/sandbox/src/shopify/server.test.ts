/** The Shopify server as an unmodified client meets it. */
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createClock, createFaults, createRequestLog, type VendorContext } from '../core.ts';
import { createShopifyServer, shopifyAccess, type ShopifyServerOptions } from './server.ts';

const shop = 'floyo-us.myshopify.com';
const orderSchema = z.object({
  id: z.string(),
  createdAt: z.string().default(''),
  updatedAt: z.string().default(''),
});
const answerSchema = z.looseObject({
  data: z
    .looseObject({
      orders: z
        .object({
          pageInfo: z
            .object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() })
            .default({ hasNextPage: false, endCursor: null }),
          nodes: z.array(orderSchema),
        })
        .nullish(),
    })
    .nullish(),
  errors: z
    .array(z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string() }).optional() }))
    .optional(),
  extensions: z
    .looseObject({
      cost: z
        .object({
          requestedQueryCost: z.number(),
          actualQueryCost: z.number().nullable(),
          throttleStatus: z.object({ currentlyAvailable: z.number(), maximumAvailable: z.number() }).loose(),
        })
        .optional(),
      search: z
        .array(z.object({ warnings: z.array(z.object({ field: z.string(), code: z.string() })) }).loose())
        .optional(),
    })
    .optional(),
});
type Answer = z.infer<typeof answerSchema>;

const ordersQuery = `query($first: Int!, $after: String, $query: String, $sortKey: OrderSortKeys!) {
  orders(first: $first, after: $after, query: $query, sortKey: $sortKey) {
    pageInfo { hasNextPage endCursor }
    nodes { id createdAt updatedAt }
  }
}`;

let context: VendorContext;
let app: ReturnType<typeof createShopifyServer>;

function start(options: ShopifyServerOptions = {}): void {
  context = {
    clock: createClock('2026-11-21T09:00:00Z'),
    faults: createFaults(7),
    log: createRequestLog(),
    seed: 7,
  };
  app = createShopifyServer(context, options);
}
beforeEach(() => {
  start();
});

interface Post {
  readonly version?: string;
  readonly token?: string;
  readonly shop?: string;
}

function post(query: string, variables: Record<string, unknown> = {}, how: Post = {}): Promise<Response> {
  const domain = how.shop ?? shop;
  return Promise.resolve(
    app.request(`/${domain}/admin/api/${how.version ?? '2026-10'}/graphql.json`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-shopify-access-token': how.token ?? shopifyAccess(domain).token,
      },
      body: JSON.stringify({ query, variables }),
    }),
  );
}

async function ask(query: string, variables?: Record<string, unknown>): Promise<Answer> {
  return answerSchema.parse(await (await post(query, variables)).json());
}

async function findAll(
  query: string,
  first = 50,
  sortKey = 'CREATED_AT',
): Promise<z.infer<typeof orderSchema>[]> {
  const found: z.infer<typeof orderSchema>[] = [];
  for (let after: string | null = null; ;) {
    const { data } = await ask(ordersQuery, { query, first, after, sortKey });
    const page = data?.orders;
    if (page == null) throw new Error('there is no page');
    found.push(...page.nodes);
    if (!page.pageInfo.hasNextPage) return found;
    after = page.pageInfo.endCursor;
  }
}

describe('orders', () => {
  const week = "created_at:>='2026-11-01T00:00:00Z' AND created_at:<'2026-11-08T00:00:00Z'";

  it('come once each and in order, whatever the page size', async () => {
    const whole = await findAll(week, 250);
    expect(whole.length).toBeGreaterThan(100);
    expect(await findAll(week, 7)).toEqual(whole);
    const instants = whole.map((order) => order.createdAt);
    expect([...instants].sort()).toEqual(instants);
  });

  it('are the same in another sandbox of the same seed', async () => {
    const first = await findAll(week);
    start();
    expect(await findAll(week)).toEqual(first);
  });

  it('appear as the clock moves, and come up again when something happens to them', async () => {
    const today = "created_at:>='2026-11-21T00:00:00Z'";
    const before = await findAll(today);
    const updatedThen = (await findAll("updated_at:>='2026-11-21T09:00:00Z'", 50, 'UPDATED_AT')).length;
    context.clock.set('2026-11-21T21:00:00Z');
    const after = await findAll(today);
    expect(after.length).toBeGreaterThan(before.length);
    expect(after.map((order) => order.id)).toEqual(expect.arrayContaining(before.map((order) => order.id)));
    const updated = await findAll("updated_at:>='2026-11-21T09:00:00Z'", 50, 'UPDATED_AT');
    expect(updatedThen).toBe(0);
    expect(updated.some((order) => order.createdAt < '2026-11-20')).toBe(true);
  });

  it('older than 60 days are left out without a word where the scope is missing', async () => {
    const old = "created_at:<'2026-09-01T00:00:00Z' AND created_at:>='2026-08-30T00:00:00Z'";
    expect(await findAll(old)).not.toHaveLength(0);
    context.faults.add({ vendor: 'shopify', kind: 'missing_scope', times: -1 });
    const answer = await ask(ordersQuery, { query: old, first: 10, sortKey: 'ID' });
    expect(answer.data?.orders?.nodes).toEqual([]);
    expect(answer.errors).toBeUndefined();
  });

  it('are found by a filter that is not known as if it were not there, with a warning', async () => {
    const answer = await ask(ordersQuery, {
      query: "changed_at:>='2026-11-20' id:>0",
      first: 5,
      sortKey: 'ID',
    });
    expect(answer.data?.orders?.nodes).toHaveLength(5);
    expect(answer.extensions?.search?.[0]?.warnings).toEqual(
      [{ field: 'changed_at', code: 'invalid_field', message: 'Invalid search field for this query.' }].map(
        ({ field, code }) => ({ field, code }),
      ),
    );
  });
});

describe('the protocol', () => {
  it('refuses a wrong token with 401 and grants one to a known client', async () => {
    expect((await post('{ shop { name } }', {}, { token: 'wrong' })).status).toBe(401);
    const { clientId, clientSecret } = shopifyAccess(shop);
    const granted = await app.request(`/${shop}/admin/oauth/access_token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
      }),
    });
    const { access_token: token } = z.object({ access_token: z.string() }).parse(await granted.json());
    expect((await post('{ shop { name } }', {}, { token })).status).toBe(200);
    expect((await post('{ shop { name } }', {}, { token, shop: 'floyo-eu.myshopify.com' })).status).toBe(401);
  });

  it.each([
    ['2026-10', '2026-10'],
    ['2026-04', '2026-04'],
    ['2025-01', '2026-01'],
  ])('serves version %s as %s', async (asked, served) => {
    const response = await post('{ shop { name } }', {}, { version: asked });
    expect(response.headers.get('x-shopify-api-version')).toBe(served);
  });

  it('does not know a version of the future or another shop', async () => {
    expect((await post('{ shop { name } }', {}, { version: '2027-04' })).status).toBe(404);
    expect((await post('{ shop { name } }', {}, { shop: 'other.myshopify.com' })).status).toBe(404);
  });

  it.each([
    [
      'a field that does not exist',
      '{ orders(first: 1) { nodes { colour } } }',
      'Cannot query field "colour"',
    ],
    ['no page size', '{ orders { nodes { id } } }', 'you must provide one of first or last'],
    ['a page over 250', '{ orders(first: 251) { nodes { id } } }', 'between 1 and 250'],
    ['no GraphQL', 'orders please', 'Syntax Error'],
  ])('refuses %s with status 200 and errors', async (_name, query, message) => {
    const response = await post(query);
    const answer = answerSchema.parse(await response.json());
    expect(response.status).toBe(200);
    expect(answer.errors?.[0]?.message).toContain(message);
  });

  it('denies a field for which the scope is missing', async () => {
    context.faults.add({ vendor: 'shopify', kind: 'missing_scope', value: { scopes: ['read_orders'] } });
    const answer = await ask('{ orders(first: 1) { nodes { id } } }');
    expect(answer.errors?.[0]?.extensions?.code).toBe('ACCESS_DENIED');
    expect(answer.data).toBeNull();
  });
});

describe('cost', () => {
  it('is told, and what was not used is given back', async () => {
    const { extensions } = await ask('{ orders(first: 250) { nodes { id } } }');
    expect(extensions?.cost).toMatchObject({ requestedQueryCost: 13, actualQueryCost: 13 });
    const empty = await ask(ordersQuery, { query: "created_at:>'2030-01-01'", first: 250, sortKey: 'ID' });
    expect(empty.extensions?.cost).toMatchObject({ requestedQueryCost: 13, actualQueryCost: 2 });
  });

  it('over what the bucket holds is throttled in an answer of status 200 without data', async () => {
    start({ bucket: { maximum: 20, restoreRate: 1 } });
    await ask('{ orders(first: 250) { nodes { id } } }');
    const response = await post('{ orders(first: 250) { nodes { id } } }');
    const answer = answerSchema.parse(await response.json());
    expect(response.status).toBe(200);
    expect(answer.errors?.[0]?.extensions?.code).toBe('THROTTLED');
    expect(answer.data).toBeUndefined();
    expect(answer.extensions?.cost).toMatchObject({ requestedQueryCost: 13, actualQueryCost: null });
  });

  it('over 1,000 is refused for good', async () => {
    const line =
      'product { id } variant { id } taxLines { title } discountAllocations { allocationMethod: __typename }';
    const lists = `lineItems(first: 250) { nodes { id ${line} } } shippingLines(first: 250) { nodes { id taxLines { title } } } refunds { refundLineItems(first: 250) { nodes { id } } }`;
    const answer = await ask(
      `{ orders(first: 250) { nodes { id customer { id } attribution { handle } ${lists} } } }`,
    );
    expect(answer.errors?.[0]?.extensions?.code).toBe('MAX_COST_EXCEEDED');
  });
});
