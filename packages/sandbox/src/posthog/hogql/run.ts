/** Answers a parsed select from the events of the days that its conditions on `timestamp` leave. */
import { badQuery, PostHogFailure } from '../errors.ts';
import type { EventStore } from '../store.ts';
import type { StoredEvent } from '../world.ts';
import { compile, type Compiled, type Context, type Scope } from './compile.ts';
import type { Expression, Select } from './parse.ts';
import { comparer, type Value } from './values.ts';

export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 50_000;
const DAY_US = 86_400_000_000;
const HOUR_US = 3_600_000_000;

export interface Outcome {
  readonly columns: readonly string[];
  readonly rows: Value[][];
  readonly hasMore: boolean;
  readonly limit: number;
  /** The stretch of time that the query looked at. */
  readonly hours: number;
  /** Of an aggregate: how many groups it has, whatever the limit. */
  readonly groups: number;
}

/** Runs the query at `now` (microseconds). Throws what PostHog answers to a query that can't be run. */
export function runSelect(select: Select, store: EventStore, now: number): Outcome {
  if (select.offset !== undefined)
    throw badQuery(
      'OFFSET is not supported on queries made with a personal API key. For pagination, use keyset pagination on the `timestamp` column',
    );
  const limit = Math.min(select.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
  const columns = select.items.map(({ name }) => name);
  const aliases = new Map(select.items.map(({ name, expression }) => [name, expression]));
  const scope: Scope = { aliases, aggregates: [], now };
  const items = select.items.map(({ expression }) => compile(expression, scope));
  const orderBy = select.orderBy.map(({ expression, descending }) => ({
    ...compile(expression, scope),
    descending,
  }));
  if (!select.fromEvents) {
    const context: Context = { event: NOBODY, slots: [] };
    return {
      columns,
      rows: [items.map((item) => item.of(context))],
      hasMore: false,
      limit,
      hours: 0,
      groups: 0,
    };
  }
  const where = select.where === undefined ? undefined : compile(select.where, { ...scope, aggregates: [] });
  const range = rangeOf(select.where, scope, now);
  const days = Array.from(
    { length: Math.max(0, range.last - range.first + 1) },
    (_, index) => range.first + index,
  );
  const isGrouped = select.groupBy.length > 0 || scope.aggregates.length > 0;
  const contexts = isGrouped
    ? group(select, scope, where, store, days)
    : collect(select, where, store, days, limit);
  contexts.sort(orderOf(orderBy));
  const rows = contexts.slice(0, limit).map((context) => items.map((item) => item.of(context)));
  return {
    columns,
    rows,
    hasMore: contexts.length > limit,
    limit,
    hours: range.hours,
    groups: isGrouped ? contexts.length : 0,
  };
}

const NOBODY: StoredEvent = {
  uuid: '',
  event: '',
  distinct_id: '',
  timestamp: 0,
  created_at: 0,
  properties: {},
};

/** Single events. Ordered by time, later days are not looked at once there are enough. */
function collect(
  select: Select,
  where: Compiled | undefined,
  store: EventStore,
  days: readonly number[],
  limit: number,
): Context[] {
  const first = select.orderBy[0];
  const byTime =
    first?.expression.kind === 'column' && first.expression.name === 'timestamp' && !first.descending;
  const found: Context[] = [];
  for (const day of days) {
    for (const event of store.ofDay(day)) {
      const context = { event, slots: [] };
      if (where === undefined || where.of(context) !== 0) found.push(context);
    }
    if (byTime && found.length > limit) break;
  }
  return found;
}

function group(
  { items, groupBy }: Select,
  scope: Scope,
  where: Compiled | undefined,
  store: EventStore,
  days: readonly number[],
): Context[] {
  const keys = groupBy.map((expression) => compile(expression, scope));
  refuseUngrouped(items, groupBy);
  const { aggregates } = scope;
  const groups = new Map<string, { readonly event: StoredEvent; readonly states: unknown[] }>();
  for (const day of days)
    for (const event of store.ofDay(day)) {
      const context = { event, slots: [] };
      if (where !== undefined && where.of(context) === 0) continue;
      const key = keys.map((part) => String(part.of(context))).join('\n');
      let known = groups.get(key);
      if (known === undefined) {
        known = { event, states: [] };
        groups.set(key, known);
      }
      for (const [index, aggregate] of aggregates.entries())
        known.states[index] = aggregate.add(known.states[index], context);
    }
  return [...groups.values()].map(({ event, states }) => ({
    event,
    slots: aggregates.map((aggregate, index) => aggregate.finish(states[index])),
  }));
}

/** What is neither an aggregate nor grouped by has no value for a group. */
function refuseUngrouped(items: Select['items'], groupBy: readonly Expression[]): void {
  const known = new Set(groupBy.map((expression) => JSON.stringify(expression)));
  for (const { expression, name } of items) {
    const alias = JSON.stringify({ kind: 'column', name });
    if (known.has(JSON.stringify(expression)) || known.has(alias) || holdsAggregate(expression)) continue;
    throw badQuery(`Column ${name} is not under aggregate function and not in GROUP BY keys`);
  }
}

function holdsAggregate(expression: Expression): boolean {
  switch (expression.kind) {
    case 'call':
      return (
        ['count', 'min', 'max', 'uniqExact'].includes(expression.name) || expression.args.some(holdsAggregate)
      );
    case 'binary':
      return holdsAggregate(expression.left) || holdsAggregate(expression.right);
    case 'array':
    case 'tuple':
      return expression.items.some(holdsAggregate);
    case 'column':
    case 'constant':
      return false;
  }
}

function orderOf(
  keys: readonly (Compiled & { readonly descending: boolean })[],
): (left: Context, right: Context) => number {
  const parts = keys.map((key) => ({ ...key, compare: comparer(key.types) }));
  return (left, right) => {
    for (const { of, compare, descending } of parts) {
      const order = compare(of(left), of(right));
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  };
}

/** The UTC days that conditions on `timestamp` leave. Without a lower one PostHog would read everything, and gives up. */
function rangeOf(
  where: Expression | undefined,
  scope: Scope,
  now: number,
): { first: number; last: number; hours: number } {
  let from = Number.NEGATIVE_INFINITY;
  let to = now + DAY_US;
  for (const { operator, left, right } of conditionsOf(where)) {
    const [column, bound] =
      left.kind === 'tuple' && right.kind === 'tuple' ? [left.items[0], right.items[0]] : [left, right];
    if (column?.kind !== 'column' || column.name !== 'timestamp' || bound === undefined) continue;
    const { constant } = compile(bound, scope);
    if (typeof constant !== 'number') continue;
    if (operator === '>=' || operator === '>') from = Math.max(from, constant);
    if (operator === '<' || operator === '<=') to = Math.min(to, constant);
  }
  if (from === Number.NEGATIVE_INFINITY)
    throw new PostHogFailure(
      504,
      'server_error',
      'error',
      'Query has hit the max execution time before completing.',
    );
  return {
    first: Math.floor(from / DAY_US),
    last: Math.floor((to - 1) / DAY_US),
    hours: (to - from) / HOUR_US,
  };
}

function conditionsOf(where: Expression | undefined): Extract<Expression, { kind: 'binary' }>[] {
  if (where?.kind !== 'binary') return [];
  return where.operator === 'AND' ? [...conditionsOf(where.left), ...conditionsOf(where.right)] : [where];
}
