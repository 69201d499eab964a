/** Answers a query as the Admin API does: faults, cost, bucket, then graphql-js on the schema. */
import {
  type DocumentNode,
  executeSync,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import type { Bucket } from './bucket.ts';
import type { BulkDesk } from './bulk.ts';
import { costOf } from './cost.ts';
import { type FaultAnswer, faultAnswer, mostCost, overCost, spoilOrders, throttledAnswer } from './faults.ts';
import { rootOf } from './resolvers.ts';
import { adminSchema } from './schema.ts';
import type { RequestScope } from './scope.ts';
import type { ShopWorld } from './shop.ts';

export interface ServedShop {
  readonly world: ShopWorld;
  readonly bucket: Bucket;
  readonly bulk: BulkDesk;
}

interface QueryTarget {
  readonly account: string;
  readonly path: string;
  /** The shop's own address, under which files are served. */
  readonly fileBase: string;
}

interface QueryBody {
  readonly query: string;
  readonly variables?: Record<string, unknown> | null | undefined;
  readonly operationName?: string | null | undefined;
}

export const allScopes = [
  'read_orders',
  'read_all_orders',
  'read_customers',
  'read_products',
  'read_reports',
];
const missingScopeSchema = z.object({ scopes: z.array(z.string()) });

/** Answers one query; `documents` keeps what was parsed before. */
export function answerQuery(
  context: VendorContext,
  { world, bucket, bulk }: ServedShop,
  target: QueryTarget,
  body: QueryBody,
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
    isBulk: false,
    mostNodes: smallPages(context, target),
    bulk,
    bulkContext: {
      now: context.clock.now().epochMilliseconds,
      faults: context.faults,
      target,
      fileBase: target.fileBase,
      run: (text) => runBulk(text, scope),
    },
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

/** Everything that the query of a bulk operation finds at once; what it warns of nobody is told. */
function runBulk(text: string, scope: RequestScope): unknown {
  const rootValue = rootOf({ ...scope, isBulk: true, searches: [] });
  const { data, errors } = executeSync({ schema: adminSchema, document: parse(text), rootValue });
  if (errors?.[0] !== undefined) throw errors[0];
  return data;
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
    (selection) =>
      selection.kind === Kind.FIELD && ['order', 'refund', 'nodes'].includes(selection.name.value),
  );
}

/** The fault makes every list of an answer at most `value.size` (1) long. */
function smallPages(context: VendorContext, target: QueryTarget): number {
  const fault = context.faults.take('shopify', 'small_pages', target);
  if (fault === undefined) return Number.POSITIVE_INFINITY;
  return z.object({ size: z.number().int().positive() }).safeParse(fault.value).data?.size ?? 1;
}

/** The fault takes away `value.scopes`, or read_all_orders. */
function scopesOf(context: VendorContext, target: { account: string; path: string }): string[] {
  const fault = context.faults.take('shopify', 'missing_scope', target);
  if (fault === undefined) return allScopes;
  const missing = missingScopeSchema.safeParse(fault.value).data?.scopes ?? ['read_all_orders'];
  return allScopes.filter((scope) => !missing.includes(scope));
}
