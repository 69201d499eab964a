/** The cost model against figures of real answers. */
import { Kind, parse } from 'graphql';
import { expect, it } from 'vitest';

import { costOf } from './cost.ts';
import { adminSchema } from './schema.ts';

function requested(query: string, variables: Record<string, unknown> = {}): number {
  const document = parse(query);
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (operation === undefined) throw new Error('there is no operation');
  return costOf(adminSchema, document, operation, variables).requested;
}

// The first is Shopify's own figure for a sweep of ids; the others follow from the model fitted on recorded answers.
it.each([
  ['a page of ids', '{ orders(first: 250) { nodes { id name } pageInfo { endCursor } } }', 13],
  ['the same through edges', '{ orders(first: 250) { edges { cursor node { id } } } }', 13],
  ['money, which is free', '{ orders(first: 1) { nodes { totalPriceSet { shopMoney { amount } } } } }', 3],
  ['a list, which counts as one of it', '{ orders(first: 1) { nodes { refunds(first: 50) { id } } } }', 4],
  [
    'connections within connections',
    '{ orders(first: 100) { nodes { lineItems(first: 50) { nodes { id product { id } } } } } }',
    155,
  ],
  ['fragments', '{ orders(first: 1) { nodes { ...o } } } fragment o on Order { customer { id } }', 4],
])('prices %s', (_name, query, cost) => {
  expect(requested(query)).toBe(cost);
});

it('takes page sizes from variables and leaves out what is not included', () => {
  const query =
    'query($n: Int!, $all: Boolean!) { orders(first: $n) { nodes { customer @include(if: $all) { id } } } }';
  expect(requested(query, { n: 250, all: true })).toBe(24);
  expect(requested(query, { n: 250, all: false })).toBe(13);
});
