/** Makes sure that the pages of one list fit together: each goes on where the last one ended, and nothing else is in it. */
import type { ListOptions, Page } from './client.ts';
import { contractError } from './errors.ts';

export interface ListCheck {
  /** Throws when the page does not follow on those before. */
  add(page: Page, hasMore: boolean): void;
}

/** A check for one reading of a list. */
export function createListCheck(path: string, { created, anyOrder = false }: ListOptions): ListCheck {
  let before = new Set<string>();
  let oldest = Infinity;

  return {
    add({ objects, requestId }, hasMore) {
      const refuse = (problem: string, id?: string) =>
        contractError(`Stripe's list of ${path} can't be trusted: ${problem}`, {
          path,
          id,
          request_id: requestId,
        });
      if (hasMore && objects.length === 0) throw refuse('it says that there is more, and brings nothing');
      const ids = new Set<string>();
      for (const object of objects) {
        if (before.has(object.id) || ids.has(object.id)) throw refuse('it brings an object twice', object.id);
        ids.add(object.id);
        if (object.created === undefined) continue;
        if (created && (object.created < created.from || object.created >= created.to))
          throw refuse('it brings an object of another time', object.id);
        if (anyOrder) continue;
        if (object.created > oldest) throw refuse('it is not newest first', object.id);
        oldest = object.created;
      }
      before = ids;
    },
  };
}
