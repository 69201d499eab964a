/** Expressions as functions of an event, with the types that decide how values are compared. Unknown names are errors. */
import { badQuery } from '../errors.ts';
import type { StoredEvent } from '../world.ts';
import { type Aggregate, createAggregate } from './aggregates.ts';
import type { Expression } from './parse.ts';
import {
  comparer,
  instantText,
  isZone,
  offsetAt,
  PROJECT_ZONE,
  readInstant,
  type Type,
  type Value,
} from './values.ts';

/** What an expression is evaluated for: an event, and the aggregates of its group. */
export interface Context {
  readonly event: StoredEvent;
  readonly slots: readonly Value[];
}

export interface Compiled {
  readonly types: readonly Type[];
  readonly of: (context: Context) => Value;
  /** Of an instant: the zone that it is told in. */
  readonly zone?: string;
  /** Known without an event. */
  readonly constant?: Value;
}

export interface Scope {
  /** Aliases of the select list. */
  readonly aliases: ReadonlyMap<string, Expression>;
  /** Filled with what has to be gathered over a group. */
  readonly aggregates: Aggregate[];
  readonly now: number;
}

const DAY_US = 86_400_000_000;
const one = (type: Type, of: Compiled['of'], more: Partial<Compiled> = {}): Compiled => ({
  types: [type],
  of,
  ...more,
});
const fixed = (type: Type, value: Value): Compiled => one(type, () => value, { constant: value });

const COLUMNS: Readonly<Record<string, Compiled>> = {
  uuid: one('uuid', ({ event }) => event.uuid),
  event: one('string', ({ event }) => event.event),
  distinct_id: one('string', ({ event }) => event.distinct_id),
  timestamp: one('datetime', ({ event }) => event.timestamp, { zone: PROJECT_ZONE }),
  created_at: one('datetime', ({ event }) => event.created_at, { zone: PROJECT_ZONE }),
  properties: one('json', ({ event }) => JSON.stringify(event.properties)),
};

export function compile(expression: Expression, scope: Scope): Compiled {
  switch (expression.kind) {
    case 'constant': {
      const { value } = expression;
      return fixed(
        typeof value === 'object' ? 'array' : typeof value === 'number' ? 'number' : 'string',
        value,
      );
    }
    case 'column': {
      const alias = scope.aliases.get(expression.name);
      const column = COLUMNS[expression.name];
      if (column !== undefined) return column;
      if (expression.name.startsWith('properties.'))
        return property(expression.name.slice('properties.'.length));
      if (alias === undefined) throw badQuery(`Unable to resolve field: ${expression.name}`);
      return compile(alias, { ...scope, aliases: new Map() });
    }
    case 'array':
    case 'tuple': {
      const items = expression.items.map((item) => compile(item, scope));
      return {
        types: expression.kind === 'array' ? ['array'] : items.flatMap(({ types }) => types),
        of: (context) => items.map((item) => item.of(context)),
      };
    }
    case 'binary':
      return compileBinary(
        expression.operator,
        compile(expression.left, scope),
        compile(expression.right, scope),
      );
    case 'call': {
      const aggregate = createAggregate(
        expression.name,
        expression.args.map((arg) => compile(arg, scope)),
      );
      if (aggregate === undefined) return compileCall(expression.name, expression.args, scope);
      const slot = scope.aggregates.push(aggregate) - 1;
      const zone = aggregate.zone;
      return {
        types: [aggregate.type],
        of: ({ slots }) => slots[slot] ?? '',
        ...(zone === undefined ? {} : { zone }),
      };
    }
  }
}

/** A property by name is a text, and null where there is none; null is kept as an empty text. */
function property(name: string): Compiled {
  return one('string', ({ event }) => {
    const value = event.properties[name];
    if (value === undefined || value === null) return '';
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

function compileBinary(operator: string, left: Compiled, right: Compiled): Compiled {
  const truth = (of: (context: Context) => boolean): Compiled =>
    one('number', (context) => (of(context) ? 1 : 0));
  switch (operator) {
    case 'AND':
      return truth((context) => left.of(context) !== 0 && right.of(context) !== 0);
    case 'OR':
      return truth((context) => left.of(context) !== 0 || right.of(context) !== 0);
    case 'IN': {
      const members = new Set<Value>(Array.isArray(right.constant) ? right.constant : []);
      return truth((context) => members.has(left.of(context)));
    }
    case 'LIKE': {
      const pattern = toPattern(textConstant(right, 'LIKE'));
      return truth((context) => pattern.test(String(left.of(context))));
    }
  }
  if (left.types.join() !== right.types.join())
    throw badQuery(`There is no supertype for types ${left.types.join()}, ${right.types.join()}`);
  const compare = comparer(left.types);
  const holds: Readonly<Record<string, (order: number) => boolean>> = {
    '=': (order) => order === 0,
    '!=': (order) => order !== 0,
    '<': (order) => order < 0,
    '<=': (order) => order <= 0,
    '>': (order) => order > 0,
    '>=': (order) => order >= 0,
  };
  const isTrue = holds[operator];
  if (isTrue === undefined) throw badQuery(`Unsupported operator ${operator}`);
  return truth((context) => isTrue(compare(left.of(context), right.of(context))));
}

function compileCall(name: string, parts: readonly Expression[], scope: Scope): Compiled {
  const args = parts.map((part) => compile(part, scope));
  const [first, second, third] = args;
  switch (`${name}/${args.length}`) {
    case 'now/0':
      return one('datetime', () => scope.now, { constant: scope.now, zone: PROJECT_ZONE });
    case 'toTimeZone/2': {
      const zone = textConstant(second, name);
      if (first?.types.join() !== 'datetime' || !isZone(zone)) throw badQuery(`Illegal arguments of ${name}`);
      return { ...first, zone };
    }
    // Two arguments are refused for an instant, as in HogQL.
    case 'toDate/1': {
      const zone = first?.zone ?? PROJECT_ZONE;
      if (first?.types.join() !== 'datetime') throw badQuery(`Illegal arguments of ${name}`);
      return one('date', (context) => {
        const at = Number(first.of(context));
        return Math.floor((at + offsetAt(zone, at)) / DAY_US);
      });
    }
    case 'toDateTime64/2':
    case 'toDateTime64/3': {
      const zone = third === undefined ? PROJECT_ZONE : textConstant(third, name);
      return { ...fixed('datetime', readInstant(textConstant(first, name), zone)), zone };
    }
    case 'toUUID/1':
      return fixed('uuid', textConstant(first, name).toLowerCase());
    case 'toString/1':
      return compileToString(first);
    case 'cityHash64/1':
      return one('number', (context) => hash(String(first?.of(context))));
    case 'modulo/2':
      return one('number', (context) => Number(first?.of(context)) % Number(second?.of(context)));
    case 'ifNull/2':
      if (first === undefined || second === undefined) throw badQuery(`Illegal arguments of ${name}`);
      return one('string', (context) => first.of(context) || second.of(context));
    case 'JSONExtractRaw/2':
    case 'JSONExtractString/2': {
      const wanted = textConstant(second, name);
      if (first?.types.join() !== 'json') throw badQuery(`Illegal arguments of ${name}`);
      const isRaw = name === 'JSONExtractRaw';
      return one('string', ({ event }) => {
        const value = event.properties[wanted];
        if (isRaw) return value === undefined ? '' : JSON.stringify(value);
        return typeof value === 'string' ? value : '';
      });
    }
    default:
      throw badQuery(`Unsupported function call '${name}(...)' with ${args.length} arguments`);
  }
}

/** Any hash will do, as long as it is the same every time. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}

function compileToString(inner: Compiled | undefined): Compiled {
  if (inner === undefined) throw badQuery('toString takes an argument');
  const [type] = inner.types;
  const zone = inner.zone ?? PROJECT_ZONE;
  if (type === 'datetime') return one('string', (context) => instantText(Number(inner.of(context)), zone));
  if (type === 'date') {
    const texts = new Map<number, string>();
    return one('string', (context) => {
      const day = Number(inner.of(context));
      const text = texts.get(day) ?? new Date(day * 86_400_000).toISOString().slice(0, 10);
      texts.set(day, text);
      return text;
    });
  }
  return one('string', (context) => String(inner.of(context)));
}

function textConstant(compiled: Compiled | undefined, of: string): string {
  if (typeof compiled?.constant !== 'string') throw badQuery(`${of} takes a constant text`);
  return compiled.constant;
}

/** `%` is any text, `_` any character, a backslash takes the meaning away. */
function toPattern(like: string): RegExp {
  const source = like.replaceAll(/\\(.)|%|_|[.*+?^${}()|[\]]/g, (found, escaped: string | undefined) => {
    if (found === '%') return '[\\s\\S]*';
    if (found === '_') return '[\\s\\S]';
    return (escaped ?? found).replace(/[.*+?^${}()|[\]\\]/, String.raw`\$&`);
  });
  return new RegExp(`^${source}$`);
}
