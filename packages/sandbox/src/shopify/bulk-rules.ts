/**
 * What Shopify's bulk operations refuse before they run, in the words that it was seen to use. A query that is valid
 * on the schema may still be refused here.
 */
import {
  type DocumentNode,
  type FieldNode,
  getNamedType,
  getNullableType,
  type GraphQLCompositeType,
  GraphQLError,
  type GraphQLSchema,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  validate,
} from 'graphql';

const mostConnections = 5;
const deepest = 2;

interface Found {
  connections: number;
  depth: number;
  readonly throughNodes: string[];
  readonly withoutId: Set<string>;
  isWithinList: boolean;
}

interface Place {
  /** How many connections it stands in. */
  readonly depth: number;
  readonly isInList: boolean;
  /** The connection it stands in: its field's name, and whether its node selects `id`. */
  readonly parent: { readonly name: string; readonly hasId: boolean } | undefined;
}

/** The reasons for which the query is refused; none when it may run. */
export function refuseBulkQuery(schema: GraphQLSchema, text: string): string[] {
  const document = readDocument(text);
  if (typeof document === 'string') return [`Invalid bulk query: syntax error, ${document}`];
  const operation = document.definitions.find((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (operation?.operation !== OperationTypeNode.QUERY)
    return ['Invalid operation type. Only `query` operations are supported.'];
  const invalid = validate(schema, document)[0];
  if (invalid !== undefined) return [`Invalid bulk query: ${invalid.message}`];
  const root = schema.getQueryType();
  if (root == null) throw new Error('The schema has no query type.');
  const found: Found = {
    connections: 0,
    depth: 0,
    throughNodes: [],
    withoutId: new Set(),
    isWithinList: false,
  };
  const walk = createWalk(document, found);
  walk(operation.selectionSet, root, { depth: 0, isInList: false, parent: undefined });
  return reasonsOf(operation, found);
}

function reasonsOf(operation: OperationDefinitionNode, found: Found): string[] {
  const nodes = operation.selectionSet.selections.flatMap((selection) =>
    selection.kind === Kind.FIELD && ['node', 'nodes'].includes(selection.name.value)
      ? [selection.name.value]
      : [],
  );
  const reasons = nodes.map((name) => `Bulk queries cannot contain a top level \`${name}\` field.`);
  if (found.throughNodes.length > 0)
    reasons.push(
      `All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: '${found.throughNodes[0] ?? ''} { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: '${found.throughNodes.join("', '")}'.`,
    );
  if (found.connections === 0) reasons.push('Bulk queries must contain at least one connection.');
  if (found.connections > mostConnections)
    reasons.push(`Bulk queries cannot contain more than ${mostConnections} connections.`);
  if (found.depth > deepest)
    reasons.push(`Bulk queries cannot contain connections with a nesting depth greater than ${deepest}.`);
  if (found.withoutId.size > 0)
    reasons.push(
      `The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. Connection fields without 'id': ${[...found.withoutId].join(', ')}.`,
    );
  if (found.isWithinList)
    reasons.push('Queries that contain a connection field within a list field are not currently supported.');
  return reasons;
}

type Walk = (set: SelectionSetNode, type: GraphQLCompositeType, place: Place) => void;

function createWalk(document: DocumentNode, found: Found): Walk {
  const fragments = new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment.selectionSet]),
  );
  const fieldsOf = (set: SelectionSetNode | undefined): FieldNode[] =>
    (set?.selections ?? []).flatMap((selection) =>
      selection.kind === Kind.FIELD
        ? [selection]
        : fieldsOf(
            selection.kind === Kind.INLINE_FRAGMENT
              ? selection.selectionSet
              : fragments.get(selection.name.value),
          ),
    );
  const connectionIn = (field: FieldNode, place: Place): Place => {
    const name = field.name.value;
    found.connections += 1;
    found.depth = Math.max(found.depth, place.depth);
    if (place.isInList) found.isWithinList = true;
    if (place.parent !== undefined && !place.parent.hasId) found.withoutId.add(place.parent.name);
    const inside = fieldsOf(field.selectionSet);
    if (inside.some((child) => child.name.value === 'nodes')) found.throughNodes.push(name);
    const selected = inside
      .filter((child) => child.name.value === 'edges')
      .flatMap((edges) => fieldsOf(edges.selectionSet))
      .filter((child) => child.name.value === 'node')
      .flatMap((node) => fieldsOf(node.selectionSet));
    const hasId = selected.some((child) => child.name.value === 'id' && child.alias === undefined);
    return { depth: place.depth + 1, isInList: false, parent: { name, hasId } };
  };
  const walk: Walk = (set, type, place) => {
    for (const field of fieldsOf(set)) {
      if (!(isObjectType(type) || isInterfaceType(type))) continue;
      const definition = type.getFields()[field.name.value];
      if (definition === undefined || field.selectionSet === undefined) continue;
      const named = getNamedType(definition.type);
      if (!isCompositeType(named)) continue;
      const isConnection = named.name.endsWith('Connection');
      const isPage = type.name.endsWith('Connection');
      const isList = isListType(getNullableType(definition.type)) && !isPage;
      walk(
        field.selectionSet,
        named,
        isConnection ? connectionIn(field, place) : { ...place, isInList: place.isInList || isList },
      );
    }
  };
  return walk;
}

/** The document, or what is wrong with its text. */
function readDocument(text: string): DocumentNode | string {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return error.message.includes('<EOF>')
      ? 'unexpected end of file'
      : error.message.replace('Syntax Error: ', '');
  }
}
