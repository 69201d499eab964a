/** What the declaration of a fact group is made of: its area, its tables, and columns that look ahead or back. */

/** An area is what coverage speaks of: the sources that must have been read for its facts to be whole. */
export const AREAS = {
  ads: { sources: ['meta', 'tiktok'], clock: 'ad_account' },
  shop: { sources: ['shopify'], clock: 'business' },
  product: { sources: ['posthog'], clock: 'business' },
  billing: { sources: ['stripe'], clock: 'business' },
  // The state of subscriptions follows from all that ever happened to them: a day needs every day since the first one read.
  subscriptions: { sources: ['stripe'], clock: 'business', history: true },
} as const satisfies Record<
  string,
  { readonly sources: readonly string[]; readonly clock: string; readonly history?: true }
>;

export type Area = keyof typeof AREAS;

/** Money is converted at the rate of `rate_day`, a count is not. */
type ColumnKind = 'money' | 'count';

/** A column that looks at other days than its own. All such columns of one group look the same way. */
interface LookingColumn {
  readonly kind: ColumnKind;
  /** How many days after its own day it looks; 0 for none. */
  readonly withinDays: number;
  /** How many days before its own day it looks; 0 for none. */
  readonly backDays: number;
}

/**
 * ISO 4217 for no currency: the currency of a row of facts that stands for what is left out for want of a price. It has no
 * rate, so it is told and makes its day incomplete like any amount without one.
 */
export const UNPRICED = 'XXX';

export interface FactGroup {
  readonly area: Area;
  /** Some of its rows may be UNPRICED: then its counts are incomplete too. */
  readonly unpriced?: true;
  /**
   * Names in marks of days: those days are the days of this group, with the days that look back at them. What else
   * reaches it is in due-groups.ts.
   */
  readonly tables: readonly string[];
  /** Columns of sql/<group>.sql besides day, rate_day, source and currency. */
  readonly columns: Readonly<Record<string, ColumnKind | LookingColumn>>;
}

/** It sums what happened from its day to so many days after it, both included. */
export const within = (kind: ColumnKind, withinDays: number): LookingColumn => ({
  kind,
  withinDays,
  backDays: 0,
});

/**
 * It is about the `days` days that end on its day, itself included: 7 for a week, 1 for the day alone. All of them must
 * have been read, so at the beginning of history the first `days - 1` days are incomplete.
 */
export const over = (kind: ColumnKind, days: number): LookingColumn => ({
  kind,
  withinDays: 0,
  backDays: days - 1,
});

/** A declared column in full. */
export function readColumn(declared: ColumnKind | LookingColumn): LookingColumn {
  return typeof declared === 'string' ? { kind: declared, withinDays: 0, backDays: 0 } : declared;
}
