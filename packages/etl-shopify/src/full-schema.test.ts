/** The documents against Shopify's whole schema, where it is at hand; the skip is visible where it is not. */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { buildClientSchema, type GraphQLSchema, type IntrospectionQuery, parse, validate } from 'graphql';
import { expect, it } from 'vitest';

import { refuseBulkQuery } from '@floyo/sandbox/shopify/bulk-rules';
import { adminSchema } from '@floyo/sandbox/shopify/schema';

import { bulkQuery } from './bulk-query.ts';
import { API_VERSION } from './config.ts';
import * as queries from './queries.ts';

const file = new URL(
  `../../../../shared/vendor-data/shopify/schema/admin_${API_VERSION}.json.gz`,
  import.meta.url,
);
const withSchema = it.skipIf(!existsSync(file));

function readSchema(): GraphQLSchema {
  const { data } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { data: IntrospectionQuery };
  return buildClientSchema(data, { assumeValid: true });
}

withSchema('every document and the bulk query are valid on it', () => {
  const schema = readSchema();
  const bulk = bulkQuery(
    { from: '2026-11-01', to: '2026-12-01' },
    { search: 'id:1', withProducts: true, startedAt: '2026-11-21T09:00:00Z' },
  );
  for (const [name, query] of [...Object.entries(queries), ['bulkQuery', bulk] as const])
    expect(validate(schema, parse(typeof query === 'string' ? query : query(20))), name).toEqual([]);
  expect(refuseBulkQuery(schema, bulk)).toEqual([]);
});

withSchema("the sandbox's schema is a part of it", () => {
  const schema = readSchema();
  for (const [name, type] of Object.entries(adminSchema.getTypeMap())) {
    const whole = schema.getType(name);
    expect(whole, name).toBeDefined();
    if (!('getFields' in type) || whole === undefined || !('getFields' in whole)) continue;
    const fields = whole.getFields();
    for (const [field, { type: fieldType }] of Object.entries(type.getFields()))
      expect(String(fields[field]?.type), `${name}.${field}`).toBe(String(fieldType));
  }
});
