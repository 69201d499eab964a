/** What the declaration of a metric is made of: its type, and the beginnings that many of them share. */
import type { FactColumn } from '../facts.ts';

/** A fact column, taken away, or times a number. A formula is the sum of its terms; null when any of them is null. */
export type Term = FactColumn | `-${FactColumn}` | `${number}*${FactColumn}`;

/** One side of a quotient: a sum, or (of what is made of ratios) the product of terms over the product of others. */
export type Side = readonly Term[] | { readonly times: readonly Term[]; readonly per: readonly Term[] };

/** A sum of facts, or a quotient that keeps its parts so that it can be made again at any grain. */
export type Formula =
  { readonly value: readonly Term[] } | { readonly numerator: Side; readonly denominator: Side };

export interface Metric {
  readonly label: string;
  readonly description: string;
  readonly kind: 'count' | 'money' | 'ratio';
  /** `currency` is stored as the code of the reporting currency. `fraction` is 0.05 for 5 %. */
  readonly unit: 'count' | 'currency' | 'fraction' | 'ratio';
  /** Which way is good. */
  readonly direction: 'up' | 'down' | 'none';
  /** Besides the total. Only a metric of ads alone can be had by source. */
  readonly dimensions: readonly 'source'[];
  readonly additivity: 'sum' | 'ratio' | 'distinct' | 'snapshot';
  /** How many days after its own day it looks at: before they are over its value is null. */
  readonly maturityDays: number;
  /** Raise it when the meaning changes: every day is computed again. */
  readonly version: number;
  readonly formula: Formula;
}

export const money = {
  kind: 'money',
  unit: 'currency',
  additivity: 'sum',
  maturityDays: 0,
  version: 1,
} as const;
export const count = {
  kind: 'count',
  unit: 'count',
  additivity: 'sum',
  maturityDays: 0,
  version: 1,
} as const;
export const ratio = { kind: 'ratio', additivity: 'ratio', maturityDays: 0, version: 1 } as const;
export const bySource = { dimensions: ['source'] } as const;
export const total = { dimensions: [] } as const;
