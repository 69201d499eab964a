/**
 * The fact groups: what the files in sql/ give, per day, source and currency. A metric is made of these columns and of
 * nothing else, so conversion, coverage, maturity and status are handled once, for all of them.
 */
import { COMMERCE_FACTS } from './facts/commerce.ts';
import { type Area, type FactGroup, readColumn } from './facts/define.ts';
import { MARKETING_FACTS } from './facts/marketing.ts';
import { PRODUCT_FACTS } from './facts/product.ts';
import { SUBSCRIPTION_FACTS } from './facts/subscriptions.ts';

export const FACTS = {
  ...MARKETING_FACTS,
  ...COMMERCE_FACTS,
  ...PRODUCT_FACTS,
  ...SUBSCRIPTION_FACTS,
} as const satisfies Record<string, FactGroup>;

export type FactGroupName = keyof typeof FACTS;

/** A column of any fact group; names are unique across groups. */
export type FactColumn = { [G in FactGroupName]: keyof (typeof FACTS)[G]['columns'] }[FactGroupName];

/** One fact column with the group it comes from. */
export interface Fact {
  readonly column: string;
  readonly group: string;
  readonly area: Area;
  readonly money: boolean;
  /** Whether rows of its group may be left out for want of a price. */
  readonly unpriced: boolean;
  /** How many days after its own day it looks; 0 for none. */
  readonly withinDays: number;
  /** How many days before its own day it looks; 0 for none. */
  readonly backDays: number;
}

/** Every fact column, in the order of the groups. */
export function listFacts(): Fact[] {
  return listGroups().flatMap(({ name, area, columns, unpriced }) =>
    Object.entries(columns).map(([column, declared]) => {
      const { kind, withinDays, backDays } = readColumn(declared);
      return {
        column,
        group: name,
        area,
        money: kind === 'money',
        unpriced: unpriced ?? false,
        withinDays,
        backDays,
      };
    }),
  );
}

/** Every fact group with its name. */
export function listGroups(): (FactGroup & { readonly name: string })[] {
  return Object.entries<FactGroup>(FACTS).map(([name, group]) => ({ name, ...group }));
}
