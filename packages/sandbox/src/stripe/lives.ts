/**
 * The lives of a company's customers at Stripe, made up from a seed: who subscribes to what, changes, pays, fails to pay
 * and leaves, with every event of it and the truth to compare with. Every kind of life comes before any comes twice.
 */
import { createRandom } from '../core.ts';
import { type Book, createBook } from './book.ts';
import { catalogue } from './catalogue.ts';
import type { References } from './families.ts';
import { DAY, FAMILIES, type Family, type Happening, HOUR, toSeconds, type Version } from './objects.ts';
import { SCRIPTS } from './scripts.ts';

export interface LivesOptions {
  readonly seed: number;
  readonly customers: number;
  /** The first and the last instant: nothing happens outside, but for the catalogue. */
  readonly from: string;
  readonly to: string;
  /** The API versions of the account's events, one after the other in equal stretches; the newest alone unless told. */
  readonly families?: readonly Family[];
}

export interface Lives {
  /** In the order in which they happened, also within a second. */
  readonly happenings: readonly Happening[];
  /** The versions of every object by `<type>/<id>`, oldest first. */
  readonly versions: ReadonlyMap<string, readonly Version[]>;
  readonly references: References;
  /** The API version that an event was rendered in when it was made. */
  familyOf(happening: Happening): Family;
  /** To make more happen: what it adds is in `versions` and `happenings`. */
  readonly book: Book;
}

export function makeLives(options: LivesOptions): Lives {
  const { seed, customers } = options;
  const from = toSeconds(options.from);
  const to = toSeconds(options.to);
  const families = options.families ?? [FAMILIES[FAMILIES.length - 1] ?? '2026-10-28.endive'];
  const book = createBook(`F${seed.toString(36)}x`);
  for (const { type, at, object } of catalogue())
    book.put(type, Math.min(at, from), object, [`${type}.created`]);
  for (let index = 0; index < customers; index += 1) {
    const random = createRandom(`${seed}:stripe:customer:${index}`);
    // Those of the first fifth of the time are more: a company does not begin with nobody.
    const reach = random() < 0.35 ? 0.2 : 0.95;
    const at = from + HOUR + Math.floor(random() * reach * (to - from));
    const script = SCRIPTS[index % SCRIPTS.length];
    script?.play({ book, customer: enroll(book, at, index, script.name), at: at + 60, to, random });
  }
  book.close(to);
  const stretch = Math.max(to - from, DAY) / families.length;
  return {
    happenings: book.happenings,
    versions: book.versions,
    references: {
      discount: (id) => book.current('discount', id),
      coupon: (id) => book.current('coupon', id),
    },
    familyOf: ({ created }) => {
      const index = Math.floor(Math.max(created - from, 0) / stretch);
      return families[Math.min(index, families.length - 1)] ?? '2026-10-28.endive';
    },
    book,
  };
}

function enroll(book: Book, at: number, index: number, life: string): string {
  const id = book.nextId('cus');
  book.put(
    'customer',
    at,
    {
      id,
      object: 'customer',
      balance: 0,
      created: at,
      currency: null,
      delinquent: false,
      description: life,
      discount: null,
      email: `customer-${index}@example.com`,
      invoice_prefix: id.slice(-8).toUpperCase(),
      livemode: true,
      metadata: {},
      name: `Customer ${index}`,
      test_clock: life === 'testClock' ? 'clock_1' : null,
    },
    ['customer.created'],
  );
  return id;
}
