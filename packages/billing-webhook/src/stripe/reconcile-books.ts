/** Subscriptions by status and currency, here and there: how many, and what they are worth a month. */
import { Decimal } from 'decimal.js';

/** One status and currency. Money is decimal text in major units. */
export interface StatusBook {
  readonly status: string;
  readonly currency: string;
  readonly count: number;
  readonly count_there: number;
  readonly mrr: string;
  readonly mrr_there: string;
}

interface Sums {
  count: number;
  mrr: Decimal;
}

export interface Books {
  /** Adds one subscription on one side; what is not known counts with no value. */
  add(side: 'here' | 'there', status: string, currency: string, mrr: string | null): void;
  list(): StatusBook[];
}

export function createBooks(): Books {
  const sides = { here: new Map<string, Sums>(), there: new Map<string, Sums>() };
  return {
    add(side, status, currency, mrr) {
      const key = `${status} ${currency}`;
      const sums = sides[side].get(key) ?? { count: 0, mrr: new Decimal(0) };
      sums.count++;
      sums.mrr = sums.mrr.plus(mrr ?? 0);
      sides[side].set(key, sums);
    },
    list() {
      const keys = [...new Set([...sides.here.keys(), ...sides.there.keys()])].sort();
      return keys.map((key) => {
        const [status = '', currency = ''] = key.split(' ');
        const here = sides.here.get(key);
        const there = sides.there.get(key);
        return {
          status,
          currency,
          count: here?.count ?? 0,
          count_there: there?.count ?? 0,
          mrr: (here?.mrr ?? new Decimal(0)).toFixed(),
          mrr_there: (there?.mrr ?? new Decimal(0)).toFixed(),
        };
      });
    },
  };
}
