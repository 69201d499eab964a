/**
 * What a query costs: a mutation and a count 10, an object 1, scalars and money 0, a list of objects as one of them, a connection
 * 2 + ⌊2·ln(first)⌋ times its node. The actual cost counts what came back instead of what was asked for.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  getVariableValues,
  type GraphQLCompositeType,
  type GraphQLSchema,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
} from 'graphql';
import { z } from 'zod';

/** What a mutation and a count of everything cost, however little they give back. */
const fixedCost = 10;
const freeTypes = new Set(['MoneyBag', 'MoneyV2', 'PageInfo']);
const recordSchema = z.record(z.string(), z.unknown());

interface Walk {
  readonly schema: GraphQLSchema;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly variables: Readonly<Record<string, unknown>>;
}

export interface QueryCost {
  readonly requested: number;
  /** What was used, given the answer's data. */
  readonly actual: (data: unknown) => number;
}

/** The document must be valid. */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): QueryCost {
  const fragments = new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  );
  const coerced =
    getVariableValues(schema, operation.variableDefinitions ?? [], variables).coerced ?? variables;
  const walk: Walk = { schema, fragments, variables: coerced };
  if (operation.operation === OperationTypeNode.MUTATION)
    return { requested: fixedCost, actual: () => fixedCost };
  const root = schema.getQueryType();
  if (root == null) throw new Error('The schema has no query type.');
  return {
    requested: childrenCost(walk, operation.selectionSet, root, undefined),
    actual: (data) => childrenCost(walk, operation.selectionSet, root, data === undefined ? null : data),
  };
}

/** `data` undefined: nothing is known, everything counts as asked for; null: nothing came back. */
function childrenCost(walk: Walk, set: SelectionSetNode, type: GraphQLCompositeType, data: unknown): number {
  let sum = 0;
  for (const field of fieldsOf(walk, set)) sum += fieldCost(walk, field, type, data);
  return sum;
}

function fieldCost(walk: Walk, field: FieldNode, type: GraphQLCompositeType, data: unknown): number {
  if (field.selectionSet === undefined || !(isObjectType(type) || isInterfaceType(type))) return 0;
  const definition = type.getFields()[field.name.value];
  if (definition === undefined) return 0;
  const named = getNamedType(definition.type);
  if (!isCompositeType(named) || freeTypes.has(named.name)) return 0;
  if (named.name === 'Count') return fixedCost;
  const value =
    data === undefined
      ? undefined
      : (recordSchema.safeParse(data).data?.[(field.alias ?? field.name).value] ?? null);
  if (named.name.endsWith('Connection')) return connectionCost(walk, field, named, value);
  if (value === null || (Array.isArray(value) && value.length === 0)) return 0;
  return 1 + childrenCost(walk, field.selectionSet, named, Array.isArray(value) ? value[0] : value);
}

function connectionCost(walk: Walk, field: FieldNode, type: GraphQLCompositeType, value: unknown): number {
  const nodes = value === undefined ? undefined : nodesOf(value);
  const size = nodes?.length ?? numberArgument(walk, field, 'first');
  if (size === 0 || field.selectionSet === undefined) return 2;
  const samples = nodes ?? [undefined];
  const perNode =
    samples.reduce<number>((sum, node) => sum + nodeCost(walk, field, type, node), 0) / samples.length;
  return 2 + Math.ceil(Math.max(1, Math.floor(2 * Math.log(size))) * perNode);
}

/** What one node costs, read through `nodes` or through `edges { node }`. */
function nodeCost(walk: Walk, field: FieldNode, type: GraphQLCompositeType, node: unknown): number {
  let cost = 0;
  for (const child of fieldsOf(walk, field.selectionSet)) {
    if (child.name.value === 'nodes') cost += fieldCost(walk, child, type, wrap(child, node));
    if (child.name.value !== 'edges' || !isObjectType(type)) continue;
    const edges = type.getFields()['edges'];
    const edge = edges === undefined ? undefined : getNamedType(edges.type);
    for (const inner of fieldsOf(walk, child.selectionSet))
      if (inner.name.value === 'node' && isObjectType(edge))
        cost += fieldCost(walk, inner, edge, wrap(inner, node));
  }
  return cost;
}

function wrap(field: FieldNode, node: unknown): unknown {
  return node === undefined ? undefined : { [(field.alias ?? field.name).value]: node };
}

function nodesOf(value: unknown): readonly unknown[] {
  const connection = recordSchema.safeParse(value).data ?? {};
  if (Array.isArray(connection['nodes'])) return connection['nodes'];
  if (!Array.isArray(connection['edges'])) return [];
  return connection['edges'].map((edge) => recordSchema.safeParse(edge).data?.['node']);
}

function fieldsOf(walk: Walk, set: SelectionSetNode | undefined): FieldNode[] {
  return (set?.selections ?? []).flatMap((selection) => {
    if (isLeftOut(walk, selection)) return [];
    if (selection.kind === Kind.FIELD) return [selection];
    if (selection.kind === Kind.INLINE_FRAGMENT) return fieldsOf(walk, selection.selectionSet);
    return fieldsOf(walk, walk.fragments.get(selection.name.value)?.selectionSet);
  });
}

function isLeftOut(walk: Walk, selection: SelectionSetNode['selections'][number]): boolean {
  return (selection.directives ?? []).some((directive) => {
    const condition = directive.arguments?.find((argument) => argument.name.value === 'if')?.value;
    const holds =
      condition?.kind === Kind.VARIABLE
        ? walk.variables[condition.name.value]
        : condition?.kind === Kind.BOOLEAN && condition.value;
    return directive.name.value === 'include'
      ? holds === false
      : directive.name.value === 'skip' && holds === true;
  });
}

function numberArgument(walk: Walk, field: FieldNode, name: string): number {
  const value = field.arguments?.find((argument) => argument.name.value === name)?.value;
  if (value?.kind === Kind.INT) return Number(value.value);
  const given = value?.kind === Kind.VARIABLE ? walk.variables[value.name.value] : undefined;
  return typeof given === 'number' ? given : 1;
}
