/** The book of a stripe world: every version of every object and every event, in the order in which they happened. */
import type { Fields, Happening, ObjectType, Version } from './objects.ts';

export interface Book {
  readonly happenings: Happening[];
  /** The versions of each object, oldest first, by `<type>/<id>`. */
  readonly versions: Map<string, Version[]>;
  /** The next id of a kind, e.g. `in_…`. */
  nextId(prefix: string): string;
  /** The object as it is now. */
  current(type: ObjectType, id: string): Fields;
  /**
   * A new object, or the same one changed at `at`; with the events of these types. What changed is told by events that
   * end in `.updated`.
   */
  put(type: ObjectType, at: number, object: Fields, events?: readonly string[]): Fields;
  /** Changes some fields. */
  change(type: ObjectType, id: string, at: number, changes: Fields, events?: readonly string[]): Fields;
  remove(type: ObjectType, id: string, at: number, event: string): void;
  /** When the object changed last. */
  lastAt(type: ObjectType, id: string): number;
  /** Takes out what is later than `end`, and puts the events in the order of time. */
  close(end: number): void;
}

/** An empty book; `tag` keeps ids of two books apart. */
export function createBook(tag: string): Book {
  const happenings: Happening[] = [];
  const versions = new Map<string, Version[]>();
  let made = 0;

  function add(version: Version, events: readonly string[]): void {
    const key = `${version.type}/${version.id}`;
    const known = versions.get(key) ?? [];
    const before = known.at(-1);
    known.push(version);
    versions.set(key, known);
    for (const type of events)
      happenings.push({
        id: book.nextId('evt'),
        type,
        created: version.at,
        version,
        before: type.endsWith('.updated') ? before : undefined,
      });
  }

  const book: Book = {
    happenings,
    versions,
    nextId(prefix) {
      made += 1;
      return `${prefix}_${tag}${made.toString(36).padStart(5, '0')}`;
    },
    current(type, id) {
      const found = versions.get(`${type}/${id}`)?.at(-1);
      if (found === undefined) throw new Error(`There is no ${type} ${id} in this world.`);
      return found.object;
    },
    put(type, at, object, events = []) {
      const id = String(object['id']);
      const known = versions.get(`${type}/${id}`)?.at(-1);
      const seq = (known?.seq ?? 0) + 1;
      const metadata = 'metadata' in object ? { metadata: { seq: String(seq) } } : {};
      add({ type, id, at, seq, object: { ...object, ...metadata }, deleted: false }, events);
      return book.current(type, id);
    },
    change: (type, id, at, changes, events = []) =>
      book.put(type, at, { ...book.current(type, id), ...changes }, events),
    remove(type, id, at, event) {
      const seq = (versions.get(`${type}/${id}`)?.length ?? 0) + 1;
      add({ type, id, at, seq, object: book.current(type, id), deleted: true }, [event]);
    },
    lastAt: (type, id) => versions.get(`${type}/${id}`)?.at(-1)?.at ?? -Infinity,
    close(end) {
      for (const [key, known] of versions) {
        const kept = known.filter(({ at }) => at < end);
        if (kept.length === 0) versions.delete(key);
        else versions.set(key, kept);
      }
      const kept = happenings.filter(({ created }) => created < end);
      // A stable sort: events of one object that share a second stay in the order in which they were written.
      kept.sort((a, b) => a.created - b.created);
      happenings.splice(0, happenings.length, ...kept);
    },
  };
  return book;
}
