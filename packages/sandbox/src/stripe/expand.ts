/** Objects as an answer holds them: in the newest shape, with what was asked to be expanded, inner lists cut off at ten. */
import { badParameter } from './errors.ts';
import { type Expand, type References, renderObject } from './families.ts';
import { FAMILIES, type Fields, type ObjectType, type Version } from './objects.ts';

const NEWEST = FAMILIES[FAMILIES.length - 1] ?? '2026-10-28.endive';
/** Lists inside an object hold so many. */
const INNER_ENTRIES = 10;

/** What can be expanded, and what is behind the id there; `own` is part of the object and left out unless asked for. */
const EXPANDABLE: Readonly<Partial<Record<ObjectType, Readonly<Record<string, ObjectType | 'own'>>>>> = {
  subscription: {
    discounts: 'discount',
    'discounts.source.coupon': 'coupon',
    'discounts.source.coupon.applies_to': 'own',
    'discounts.source.coupon.currency_options': 'own',
    'items.data.discounts': 'discount',
    'items.data.price.tiers': 'own',
    'items.data.price.currency_options': 'own',
    customer: 'customer',
    latest_invoice: 'invoice',
  },
  invoice: { discounts: 'discount', 'lines.data.discounts': 'discount', customer: 'customer' },
  invoice_payment: { invoice: 'invoice' },
  payment_intent: { customer: 'customer', latest_charge: 'charge' },
  charge: {
    balance_transaction: 'balance_transaction',
    customer: 'customer',
    payment_intent: 'payment_intent',
  },
  refund: { balance_transaction: 'balance_transaction', charge: 'charge', payment_intent: 'payment_intent' },
  dispute: { charge: 'charge', payment_intent: 'payment_intent' },
  price: { tiers: 'own', currency_options: 'own', product: 'product' },
  coupon: { applies_to: 'own', currency_options: 'own' },
};
/** The tiers in another currency, which has to be named. */
const TIERS_OF = /^currency_options\.([a-z]{3})\.tiers$/;

export interface Surroundings {
  readonly references: References;
  /** The object behind an id as it is at the time of the answer. */
  readonly find: (type: ObjectType, id: string) => Version | undefined;
}

/**
 * An object with the expanded properties of these paths, which begin at the object; what is on the way to one is expanded
 * with it. Throws 400 for a wrong path.
 */
export function renderExpanded(
  version: Version,
  asked: readonly string[],
  { references, find }: Surroundings,
): Fields {
  const expandable = EXPANDABLE[version.type] ?? {};
  const paths = withParents(asked, expandable);
  const tiersOf =
    version.type === 'price' ? asked.flatMap((path) => TIERS_OF.exec(path)?.slice(1) ?? []) : [];
  const own = (at: string): Expand => ({
    tiers: paths.includes(`${at}tiers`),
    appliesTo: paths.includes(`${at}applies_to`),
    currencyOptions: paths.includes(`${at}currency_options`),
    tiersOf,
  });
  let object = renderObject(
    version,
    NEWEST,
    references,
    own(version.type === 'subscription' ? 'items.data.price.' : ''),
  );
  if (version.deleted) return object;
  for (const path of paths) {
    const target = expandable[path];
    if (target === undefined) {
      if (version.type === 'price' && TIERS_OF.test(path)) continue;
      throw badParameter('expand', `This property cannot be expanded (${path}).`);
    }
    if (target === 'own') continue;
    object = asFields(
      replaceIds(object, path.split('.'), (id) => {
        const found = find(target, id);
        return found === undefined
          ? id
          : renderObject({ ...found, deleted: false }, NEWEST, references, own(`${path}.`));
      }),
    );
  }
  return object;
}

/** The paths with those that lead to them, which come first. */
function withParents(paths: readonly string[], expandable: Readonly<Record<string, unknown>>): string[] {
  const all = paths.flatMap((path) => {
    const parts = path.split('.');
    const parents = parts.map((_, index) => parts.slice(0, index).join('.'));
    return [...parents.filter((parent) => parent in expandable), path];
  });
  return [...new Set(all)];
}

/** Cuts off the lists inside an object as Stripe does: the rest is asked for by itself. */
export function cutInnerLists(object: Fields): Fields {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => {
      const list = asFields(value);
      const { data } = list;
      const isCut = list['object'] === 'list' && Array.isArray(data) && data.length > INNER_ENTRIES;
      return [key, isCut ? { ...list, data: data.slice(0, INNER_ENTRIES), has_more: true } : value];
    }),
  );
}

/** The ids at the end of a path replaced; a path goes through lists. */
export function replaceIds(
  value: unknown,
  path: readonly string[],
  replace: (id: string) => unknown,
): unknown {
  if (Array.isArray(value)) return value.map((entry: unknown) => replaceIds(entry, path, replace));
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === 'string' ? replace(value) : value;
  const fields = asFields(value);
  return key in fields ? { ...fields, [key]: replaceIds(fields[key], rest, replace) } : value;
}

/** Fields of anything; none of what is no object. */
export function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
