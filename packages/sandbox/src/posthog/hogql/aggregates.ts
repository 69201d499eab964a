/** What is gathered over a group of events. */
import type { Compiled, Context } from './compile.ts';
import { comparer, type Type, type Value } from './values.ts';

/** One aggregate of a query; its state is kept a group. */
export interface Aggregate {
  readonly type: Type;
  readonly zone?: string | undefined;
  readonly add: (state: unknown, context: Context) => unknown;
  readonly finish: (state: unknown) => Value;
}

/** The aggregate of that name, or undefined when it is none. */
export function createAggregate(name: string, args: readonly Compiled[]): Aggregate | undefined {
  const [first] = args;
  if (name === 'count' && args.length === 0)
    return { type: 'number', add: (state) => Number(state ?? 0) + 1, finish: (state) => Number(state ?? 0) };
  if (name === 'uniqExact' && args.length > 0) return uniqExact(args);
  if ((name !== 'min' && name !== 'max') || first === undefined || args.length > 1) return undefined;
  const [type = 'string'] = first.types;
  const compare = comparer([type]);
  const sign = name === 'min' ? -1 : 1;
  return {
    type,
    zone: first.zone,
    add: (state, context) => {
      const value = first.of(context);
      return state === undefined || compare(value, state as Value) * sign > 0 ? value : state;
    },
    finish: (state) => (state as Value | undefined) ?? '',
  };
}

/** Most groups are of one event: a set is made with the second. */
function uniqExact(args: readonly Compiled[]): Aggregate {
  return {
    type: 'number',
    add: (state, context) => {
      const value = args.map((arg) => String(arg.of(context))).join('\n');
      if (state === undefined || state === value) return value;
      const members = state instanceof Set ? state : new Set<unknown>([state]);
      return members.add(value);
    },
    finish: (state) => (state === undefined ? 0 : state instanceof Set ? state.size : 1),
  };
}
