/** The query of a request as Stripe reads it: brackets for lists and ranges, nothing that it doesn't know. */
import { badParameter } from './errors.ts';

export interface Query {
  readonly limit: number;
  readonly startingAfter: string | undefined;
  readonly endingBefore: string | undefined;
  /** Whether a time of creation (epoch seconds) is asked for. */
  readonly isCreated: (at: number) => boolean;
  readonly expand: readonly string[];
  readonly types: readonly string[];
  /** The other parameters. */
  readonly values: ReadonlyMap<string, string>;
}

const LISTS = new Set(['expand', 'types']);
const MOST = { limit: 100, types: 20, levels: 4 };
const COMPARE: Readonly<Record<string, (at: number, bound: number) => boolean>> = {
  '': (at, bound) => at === bound,
  gt: (at, bound) => at > bound,
  gte: (at, bound) => at >= bound,
  lt: (at, bound) => at < bound,
  lte: (at, bound) => at <= bound,
};

/** Reads the parameters that are allowed; `expand` always is. Throws 400 for anything else. */
export function readQuery(search: URLSearchParams, allowed: readonly string[]): Query {
  const values = new Map<string, string>();
  const lists = new Map<string, string[]>();
  const bounds: ((at: number) => boolean)[] = [];
  for (const [key, value] of search) {
    const [, name = key, , inner] = /^(\w+)(\[(\w*)\])?$/.exec(key) ?? [];
    const isList = LISTS.has(name) && inner !== undefined && /^\d*$/.test(inner);
    const compare = name === 'created' ? COMPARE[inner ?? ''] : undefined;
    const isKnown = isList || compare !== undefined || (inner === undefined && !LISTS.has(name));
    if (!isKnown || ![...allowed, 'expand'].includes(name))
      throw badParameter(key, `Received unknown parameter: ${key}`, 'parameter_unknown');
    if (isList) lists.set(name, [...(lists.get(name) ?? []), value]);
    else if (compare === undefined) values.set(name, value);
    else {
      const bound = readInteger(key, value);
      bounds.push((at) => compare(at, bound));
    }
  }
  return {
    ...readPaging(values),
    isCreated: (at) => bounds.every((holds) => holds(at)),
    expand: readExpand(lists.get('expand') ?? []),
    types: readTypes(lists.get('types') ?? []),
    values,
  };
}

function readPaging(values: Map<string, string>): Pick<Query, 'limit' | 'startingAfter' | 'endingBefore'> {
  const limit = readInteger('limit', values.get('limit') ?? '10');
  if (limit < 1) throw badParameter('limit', 'This value must be greater than or equal to 1.');
  if (limit > MOST.limit)
    throw badParameter('limit', `This value must be less than or equal to 100 (it currently is '${limit}').`);
  const [startingAfter, endingBefore] = [values.get('starting_after'), values.get('ending_before')];
  if (startingAfter !== undefined && endingBefore !== undefined)
    throw badParameter(
      'starting_after',
      'You cannot parameterize starting_after and ending_before at the same time.',
    );
  return { limit, startingAfter, endingBefore };
}

function readExpand(paths: readonly string[]): readonly string[] {
  const deep = paths.find((path) => path.split('.').length > MOST.levels);
  if (deep !== undefined)
    throw badParameter('expand', `You cannot expand more than 4 levels of a property. Property: ${deep}`);
  return paths;
}

function readTypes(types: readonly string[]): readonly string[] {
  if (types.length > MOST.types) throw badParameter('types', 'You can only pass up to 20 types.');
  return types;
}

function readInteger(key: string, value: string): number {
  if (!/^\d+$/.test(value)) throw badParameter(key, `Invalid integer: ${value}`, 'parameter_invalid_integer');
  return Number(value);
}
