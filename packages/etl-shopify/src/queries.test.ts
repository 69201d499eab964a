/** The documents against the official schema: valid, affordable, without personal data. */
import { type DocumentNode, Kind, parse, TypeInfo, validate, visit, visitWithTypeInfo } from 'graphql';
import { describe, expect, it } from 'vitest';

import { costOf } from '@floyo/sandbox/shopify/cost';
import { adminSchema } from '@floyo/sandbox/shopify/schema';

import * as queries from './queries.ts';

const documents = Object.entries(queries).map(([name, query]): [string, DocumentNode] => [
  name,
  parse(typeof query === 'string' ? query : query(20)),
]);

/** Fields that tell who a buyer is. */
const personal = /email|phone|name$|address|note$|clientip|locale|tags/i;
const allowed = new Set([
  'Order.name',
  'Order.sourceName',
  'Shop.name',
  'ShopPlan.publicDisplayName',
  'ShopifyqlTableDataColumn.name',
]);

function costAt(name: string, variables: Record<string, unknown>): number {
  const document = documents.find(([candidate]) => candidate === name)?.[1];
  const operation = document?.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (document === undefined || operation === undefined) throw new Error(`there is no ${name}`);
  return costOf(adminSchema, document, operation, {
    withProducts: true,
    query: '',
    sortKey: 'ID',
    id: '1',
    ...variables,
  }).requested;
}

describe('the queries', () => {
  it.each(documents)('%s is valid on the official schema', (_name, document) => {
    expect(validate(adminSchema, document)).toEqual([]);
  });

  it.each(documents)('%s asks for no personal data', (_name, document) => {
    const asked: string[] = [];
    const types = new TypeInfo(adminSchema);
    visit(
      document,
      visitWithTypeInfo(types, {
        Field: (field) => void asked.push(`${types.getParentType()?.name ?? ''}.${field.name.value}`),
      }),
    );
    expect(asked.filter((field) => personal.test(field) && !allowed.has(field))).toEqual([]);
    expect(asked.filter((field) => field.startsWith('Customer.') && field !== 'Customer.id')).toEqual([]);
  });

  it('keeps every page under the 1,000 points that one query may cost', () => {
    expect(costAt('ordersQuery', { first: 100 })).toBe(632);
    expect(costAt('idsQuery', { first: 250 })).toBe(13);
    expect(costAt('agreementsQuery', {})).toBeLessThan(200);
    expect(costAt('countsQuery', {})).toBe(200);
    expect(costAt('nodesQuery', { ids: [] })).toBeLessThan(100);
    expect(costAt('linesQuery', {})).toBeLessThan(100);
  });
});
