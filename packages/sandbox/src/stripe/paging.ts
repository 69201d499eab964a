/** One page of a list by cursor. https://docs.stripe.com/api/pagination */
import { missing } from './errors.ts';
import type { Query } from './query.ts';

export interface Listing<T> {
  /** Everything in its order, newest first where a list has one. */
  readonly all: readonly T[];
  readonly idOf: (entry: T) => string;
  /** Whether it is in the list that was asked for; a cursor need not be, it says where to go on. */
  readonly isListed?: (entry: T) => boolean;
  /** What the entries are called when a cursor names none. */
  readonly what: string;
}

/** The entries after a cursor, or those right before one. Throws 400 for a cursor that names nothing. */
export function pageOf<T>(
  { all, idOf, isListed = () => true, what }: Listing<T>,
  { limit, startingAfter, endingBefore }: Query,
): { readonly entries: T[]; readonly hasMore: boolean } {
  const indexOf = (id: string, param: string): number => {
    const index = all.findIndex((entry) => idOf(entry) === id);
    if (index < 0) throw missing(what, id, param);
    return index;
  };
  const step = endingBefore === undefined ? 1 : -1;
  let index =
    endingBefore === undefined
      ? startingAfter === undefined
        ? 0
        : indexOf(startingAfter, 'starting_after') + 1
      : indexOf(endingBefore, 'ending_before') - 1;
  const entries: T[] = [];
  for (; index >= 0 && index < all.length; index += step) {
    const entry = all[index];
    if (entry === undefined || !isListed(entry)) continue;
    if (entries.length === limit) return { entries: inOrder(entries, step), hasMore: true };
    entries.push(entry);
  }
  return { entries: inOrder(entries, step), hasMore: false };
}

function inOrder<T>(entries: T[], step: number): T[] {
  return step < 0 ? entries.reverse() : entries;
}
