/**
 * The fact groups: what the files in sql/ give, per day, source and currency. A metric is made of these columns and of
 * nothing else, so conversion, coverage, maturity and status are handled once, for all of them.
 */

/** An area is what coverage speaks of: the sources that must have been read for its facts to be whole. */
export const AREAS = {
  ads: { sources: ['meta', 'tiktok'], clock: 'ad_account' },
  shop: { sources: ['shopify'], clock: 'business' },
} as const satisfies Record<string, { readonly sources: readonly string[]; readonly clock: string }>;

export type Area = keyof typeof AREAS;

/** Money is converted at the rate of `rate_day`, a count is not. */
type ColumnKind = 'money' | 'count';

interface FactGroup {
  readonly area: Area;
  /** Tables whose changed days are the days of this group. What else reaches it is in due-groups.ts. */
  readonly tables: readonly ('spend' | 'orders' | 'refunds')[];
  /** Columns of sql/<group>.sql besides day, rate_day, source and currency. */
  readonly columns: Readonly<Record<string, ColumnKind | AheadColumn>>;
}

/** A column that looks ahead: it sums what happened from its day to so many days after it, both included. */
interface AheadColumn {
  readonly kind: ColumnKind;
  readonly withinDays: number;
}

const within = (kind: ColumnKind, withinDays: number): AheadColumn => ({ kind, withinDays });

export const FACTS = {
  ads: {
    area: 'ads',
    tables: ['spend'],
    columns: {
      ad_spend: 'money',
      impressions: 'count',
      clicks: 'count',
      conversions: 'count',
      conversion_value: 'money',
    },
  },
  orders: {
    area: 'shop',
    tables: ['orders'],
    columns: {
      orders: 'count',
      gross_sales: 'money',
      discounts: 'money',
      shipping: 'money',
      taxes: 'money',
      new_customers: 'count',
      returning_customers: 'count',
    },
  },
  refunds: {
    area: 'shop',
    tables: ['refunds'],
    columns: { returns: 'money', shipping_returned: 'money', taxes_returned: 'money' },
  },
  order_returns: {
    area: 'shop',
    tables: ['orders'],
    columns: { sold: 'money', returned_30d: within('money', 30) },
  },
  cohorts: {
    area: 'shop',
    tables: ['orders'],
    columns: {
      cohort_customers: 'count',
      cohort_repeaters_90d: within('count', 90),
      cohort_value_30d: within('money', 30),
      cohort_value_90d: within('money', 90),
      cohort_value_365d: within('money', 365),
    },
  },
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
  /** How many days after its own day it looks; 0 for none. */
  readonly withinDays: number;
}

/** Every fact column, in the order of the groups. */
export function listFacts(): Fact[] {
  return listGroups().flatMap(({ name, area, columns }) =>
    Object.entries(columns).map(([column, declared]) => {
      const { kind, withinDays } =
        typeof declared === 'string' ? { kind: declared, withinDays: 0 } : declared;
      return { column, group: name, area, money: kind === 'money', withinDays };
    }),
  );
}

/** Every fact group with its name. */
export function listGroups(): (FactGroup & { readonly name: string })[] {
  return Object.entries<FactGroup>(FACTS).map(([name, group]) => ({ name, ...group }));
}
