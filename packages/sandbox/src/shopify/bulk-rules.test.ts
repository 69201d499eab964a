/**
 * The rules for bulk queries, and the operations as a client meets them. The recorded refusals of a real shop are
 * compared where they are at hand; the skip is visible where they are not.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { buildClientSchema, type IntrospectionQuery } from 'graphql';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createClock, createFaults, createRequestLog, type VendorContext } from '../core.ts';
import { toBulkLines } from './bulk-lines.ts';
import { refuseBulkQuery } from './bulk-rules.ts';
import { adminSchema } from './schema.ts';
import { createShopifyServer, shopifyAccess } from './server.ts';

const folder = new URL('../../../../../shared/vendor-data/shopify/', import.meta.url);
const recordings = new URL('examples/bulk/', folder);
const withRecordings = it.skipIf(!existsSync(recordings));

const recordedSchema = z.object({
  validations: z.record(
    z.string(),
    z.object({
      variables: z.object({ query: z.string() }),
      response: z.object({
        data: z.object({
          bulkOperationRunQuery: z.object({ userErrors: z.array(z.object({ message: z.string() })) }),
        }),
      }),
    }),
  ),
});

withRecordings('refuse what a real shop refused, in its words', () => {
  const text = gunzipSync(readFileSync(new URL('schema/admin_2026-10.json.gz', folder))).toString();
  const { data } = JSON.parse(text) as { data: IntrospectionQuery };
  const schema = buildClientSchema(data, { assumeValid: true });
  const files = ['validators', 'user-error-codes'].map((name) =>
    readFileSync(
      new URL(`2026-04__bulk-operations__bulk-operation-run-query-${name}.json`, recordings),
      'utf8',
    ),
  );
  const cases = files.flatMap((file) => Object.entries(recordedSchema.parse(JSON.parse(file)).validations));
  expect(cases.length).toBeGreaterThanOrEqual(10);
  for (const [name, { variables, response }] of cases)
    expect(refuseBulkQuery(schema, variables.query), name).toEqual(
      response.data.bulkOperationRunQuery.userErrors.map(({ message }) => message),
    );
});

describe('the rules', () => {
  it.each([
    [
      '{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }',
      'within a list field',
    ],
    ['{ orders { nodes { id } } }', "Selecting via 'nodes' is not supported"],
    [
      '{ orders { edges { node { name lineItems { edges { node { id } } } } } } }',
      "Connection fields without 'id': orders.",
    ],
    ['{ orders { edges { node { gid: id lineItems { edges { node { id } } } } } } }', 'without an alias'],
    ['{ nodes(ids: []) { id } }', 'top level `nodes` field'],
    ['{ orders { edges { node { nothing } } } }', 'Invalid bulk query'],
  ])('refuse %s', (query, reason) => {
    expect(refuseBulkQuery(adminSchema, query).join(' ')).toContain(reason);
  });

  it('take five connections, two deep', () => {
    const query = `{ orders { edges { node { id
      lineItems { edges { node { id } } } shippingLines { edges { node { id } } }
      agreements { edges { node { id sales { edges { node { id } } } } } } } } } }`;
    expect(refuseBulkQuery(adminSchema, query)).toEqual([]);
  });
});

describe('the lines', () => {
  const data = {
    orders: {
      edges: [1, 2].map((id) => ({
        node: { id: `gid://shopify/Order/${id}`, lineItems: { edges: [{ node: { id: `l${id}` } }] } },
      })),
    },
  };
  const ids = (isGrouped: boolean): string[] => toBulkLines(data, isGrouped).map(({ text }) => text);

  it('escape slashes and name the parent; children stand apart unless they are grouped', () => {
    expect(ids(false)).toEqual([
      '{"id":"gid:\\/\\/shopify\\/Order\\/1"}',
      '{"id":"gid:\\/\\/shopify\\/Order\\/2"}',
      '{"id":"l1","__parentId":"gid:\\/\\/shopify\\/Order\\/1"}',
      '{"id":"l2","__parentId":"gid:\\/\\/shopify\\/Order\\/2"}',
    ]);
    expect(ids(true).map((text) => text.includes('__parentId'))).toEqual([false, true, false, true]);
  });
});

describe('operations', () => {
  const shop = 'floyo-us.myshopify.com';
  const fields = 'id status objectCount fileSize url partialDataUrl errorCode';
  const operationSchema = z.object({
    id: z.string(),
    status: z.string(),
    objectCount: z.string(),
    fileSize: z.string().nullable(),
    url: z.string().nullable(),
    partialDataUrl: z.string().nullable(),
    errorCode: z.string().nullable(),
  });
  const startSchema = z.object({
    bulkOperation: operationSchema.nullable(),
    userErrors: z.array(z.object({ message: z.string(), code: z.string() })),
  });
  const day = `{ orders(query: "processed_at:>='2026-11-20T00:00:00Z'") { edges { node { id lineItems { edges { node { id } } } } } } }`;
  let context: VendorContext;
  let app: ReturnType<typeof createShopifyServer>;
  beforeEach(() => {
    context = {
      clock: createClock('2026-11-21T09:00:00Z'),
      faults: createFaults(7),
      log: createRequestLog(),
      seed: 7,
    };
    app = createShopifyServer(context);
  });

  async function ask(query: string, variables: Record<string, unknown>): Promise<Record<string, unknown>> {
    const response = await app.request(`/${shop}/admin/api/2026-10/graphql.json`, {
      method: 'POST',
      headers: { 'x-shopify-access-token': shopifyAccess(shop).token },
      body: JSON.stringify({ query, variables }),
    });
    return z.object({ data: z.record(z.string(), z.unknown()) }).parse(await response.json()).data;
  }

  const mutation = `mutation($query: String!) { bulkOperationRunQuery(query: $query) { bulkOperation { ${fields} } userErrors { message code } } }`;
  async function start(): Promise<z.infer<typeof startSchema>> {
    return startSchema.parse((await ask(mutation, { query: day }))['bulkOperationRunQuery']);
  }
  async function poll(id: string): Promise<z.infer<typeof operationSchema>> {
    const query = `query($id: ID!) { bulkOperation(id: $id) { ${fields} } }`;
    return operationSchema.parse((await ask(query, { id }))['bulkOperation']);
  }

  it('run, end, and have a file of so many bytes and lines', async () => {
    const { bulkOperation } = await start();
    const id = bulkOperation?.id ?? '';
    expect(bulkOperation?.status).toBe('CREATED');
    expect((await poll(id)).status).toBe('RUNNING');
    await poll(id);
    const done = await poll(id);
    expect(done.status).toBe('COMPLETED');
    const file = await app.request(done.url ?? '');
    const text = await file.text();
    expect(Buffer.byteLength(text)).toBe(Number(done.fileSize));
    expect(text.trimEnd().split('\n')).toHaveLength(Number(done.objectCount));
    expect((await app.request((done.url ?? '').replace(/\?.*/, ''))).status).toBe(403);
  });

  it('are five at once; the sixth is told which', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push((await start()).bulkOperation?.id ?? '');
    expect(await start()).toEqual({
      bulkOperation: null,
      userErrors: [
        {
          code: 'OPERATION_IN_PROGRESS',
          message: `A bulk query operation for this app and shop is already in progress: ${ids.join(', ')}.`,
        },
      ],
    });
  });

  it('that fail have partial data under an address of its own', async () => {
    context.faults.add({ vendor: 'shopify', kind: 'report_failed', value: { errorCode: 'TIMEOUT' } });
    const id = (await start()).bulkOperation?.id ?? '';
    await poll(id);
    await poll(id);
    const failed = await poll(id);
    expect(failed).toMatchObject({ status: 'FAILED', errorCode: 'TIMEOUT', url: null });
    expect(failed.partialDataUrl).not.toBeNull();
  });
});
