/** Cuts a sorted list into a connection's page, with keyset cursors as Shopify writes them. */
import { GraphQLError } from 'graphql';
import { z } from 'zod';

/** What identifies a place in a sorted list. */
export interface Place {
  readonly id: number;
  readonly value: number;
}

export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
  readonly reverse?: boolean | null;
}

export interface Connection {
  readonly nodes: readonly unknown[];
  readonly edges: readonly { readonly cursor: string; readonly node: unknown }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

/** A bulk operation gets everything; a fault makes pages smaller than what was asked for. */
export interface PageLimits {
  readonly isBulk: boolean;
  readonly mostNodes: number;
}

const mostPerPage = 250;
const cursorSchema = z.object({ last_id: z.number(), last_value: z.number() });

/** A page of `items`, which are sorted by place here; a bulk operation gets them all. */
export function connect<T>(
  items: readonly T[],
  args: PageArguments,
  placeOf: (item: T) => Place,
  toNode: (item: T) => unknown,
  { isBulk, mostNodes }: PageLimits,
): Connection {
  const first = isBulk ? Number.POSITIVE_INFINITY : Math.min(readFirst(args), mostNodes);
  const direction = args.reverse === true ? -1 : 1;
  const order = (a: Place, b: Place): number => direction * (a.value - b.value || a.id - b.id);
  const sorted = items
    .map((item) => ({ item, place: placeOf(item) }))
    .sort((a, b) => order(a.place, b.place));
  const after = args.after == null ? undefined : readCursor(args.after);
  const rest = after === undefined ? sorted : sorted.filter(({ place }) => order(place, after) > 0);
  const edges = rest
    .slice(0, first)
    .map(({ item, place }) => ({ cursor: writeCursor(place), node: toNode(item) }));
  return {
    nodes: edges.map((edge) => edge.node),
    edges,
    pageInfo: {
      hasNextPage: rest.length > first,
      hasPreviousPage: rest.length < sorted.length,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

function readFirst(args: PageArguments): number {
  if (args.last != null && args.first != null)
    throw badRequest('providing both first and last is not supported');
  if (args.last != null || args.before != null) throw badRequest('the sandbox pages forward only');
  if (args.first == null) throw badRequest('you must provide one of first or last');
  if (args.first < 1 || args.first > mostPerPage)
    throw badRequest(`first must be between 1 and ${mostPerPage}, it is ${args.first}`);
  return args.first;
}

function writeCursor(place: Place): string {
  return Buffer.from(JSON.stringify({ last_id: place.id, last_value: place.value })).toString('base64');
}

function readCursor(text: string): Place {
  try {
    const { last_id: id, last_value: value } = cursorSchema.parse(
      JSON.parse(Buffer.from(text, 'base64').toString()),
    );
    return { id, value };
  } catch {
    throw badRequest('Invalid cursor for current pagination sort.');
  }
}

function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } });
}
