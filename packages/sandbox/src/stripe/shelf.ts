/** What a stripe world holds at an instant: every object in its version of then, and the events of the last 30 days. */
import type { Lives } from './lives.ts';
import { DAY, type Fields, type Happening, type ObjectType, type Version } from './objects.ts';

/** Stripe tells events for so long. */
const EVENT_DAYS = 30;

export interface Shelf {
  /** The version of an object at `now` (epoch seconds), a deleted one too; undefined before it was there. */
  find(type: ObjectType, id: string, now: number): Version | undefined;
  /** The objects of a type that there are or were, newest first. */
  list(type: ObjectType, now: number): readonly Version[];
  /** Newest first. */
  events(now: number): readonly Happening[];
}

interface Kept {
  readonly created: number;
  readonly versions: readonly Version[];
}

/** A shelf over lives that may go on: what is added to them is on it. */
export function createShelf(lives: Pick<Lives, 'versions' | 'happenings'>): Shelf {
  let counted = { objects: -1, events: -1 };
  let byType = new Map<string, Kept[]>();
  let happenings: readonly Happening[] = [];

  function refresh(): void {
    if (counted.objects === lives.versions.size && counted.events === lives.happenings.length) return;
    counted = { objects: lives.versions.size, events: lives.happenings.length };
    byType = new Map();
    for (const versions of lives.versions.values()) {
      const [first] = versions;
      if (first === undefined) continue;
      const known = byType.get(first.type) ?? [];
      byType.set(first.type, known);
      known.push({ created: createdOf(first.object) ?? first.at, versions });
    }
    // Sorting is stable and what is younger in the book comes last, so that turning it round is newest first.
    for (const [type, known] of byType)
      byType.set(type, known.sort((a, b) => a.created - b.created).reverse());
    happenings = lives.happenings.toSorted((a, b) => a.created - b.created).reverse();
  }

  return {
    find: (type, id, now) => lives.versions.get(`${type}/${id}`)?.findLast(({ at }) => at <= now),
    list(type, now) {
      refresh();
      return (byType.get(type) ?? []).flatMap(({ versions }) => {
        const version = versions.findLast(({ at }) => at <= now);
        return version ?? [];
      });
    },
    events(now) {
      refresh();
      return happenings.filter(({ created }) => created <= now && created > now - EVENT_DAYS * DAY);
    },
  };
}

/** When an object was created, where it says so. */
export function createdOf(object: Fields): number | undefined {
  const { created } = object;
  return typeof created === 'number' ? created : undefined;
}
