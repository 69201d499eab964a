/**
 * The fact groups: what the files in sql/ give, per day, source and currency. A metric is made of these columns and of
 * nothing else, so conversion, coverage and status are handled once, for all of them.
 */

/** An area is what coverage speaks of: the sources that must have been read for its facts to be whole. */
export const AREAS = {
  ads: { sources: ['meta', 'tiktok'], clock: 'ad_account' },
  shop: { sources: ['shopify'], clock: 'business' },
} as const satisfies Record<string, { readonly sources: readonly string[]; readonly clock: string }>;

export type Area = keyof typeof AREAS;

interface FactGroup {
  readonly area: Area;
  /** Columns of sql/<group>.sql besides day, source and currency. Money is converted at the day's rate, a count is not. */
  readonly columns: Readonly<Record<string, 'money' | 'count'>>;
}

export const FACTS = {
  ads: {
    area: 'ads',
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
    columns: { returns: 'money', shipping_returned: 'money', taxes_returned: 'money' },
  },
} as const satisfies Record<string, FactGroup>;

export type FactGroupName = keyof typeof FACTS;

/** A column of any fact group; names are unique across groups. */
export type FactColumn = { [G in FactGroupName]: keyof (typeof FACTS)[G]['columns'] }[FactGroupName];

/** One fact column with the group it comes from. */
export interface Fact {
  readonly column: string;
  readonly group: string;
  readonly area: string;
  readonly money: boolean;
}

/** Every fact column, in the order of the groups. */
export function listFacts(): Fact[] {
  return Object.entries(FACTS).flatMap(([group, { area, columns }]) =>
    Object.entries(columns).map(([column, kind]) => ({ column, group, area, money: kind === 'money' })),
  );
}
