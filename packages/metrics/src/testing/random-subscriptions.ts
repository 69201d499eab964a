/**
 * Histories of subscriptions at random, the same for the same seed, and what follows from them said once more: day by day
 * and customer by customer, from the definitions alone and without SQL. What the tests hold the stored values against.
 */
import { addDays, type Day } from '@floyo/shared/window';

import { discount, item, price, type Version } from './billing.ts';

/** Numbers that look random and are the same in every run (a linear congruential generator). */
function createRandom(seed: number) {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = <T>(choices: readonly [T, ...T[]]): T => choices[next(choices.length)] ?? choices[0];
  return { next, pick };
}

/** A version with what its value follows from, so that nobody has to read the items back. */
interface Known extends Version {
  readonly day: Day;
  readonly currency: string;
  readonly status: string;
  readonly customer: string;
  /** Monthly, in major units, before the coupon. */
  readonly gross: number;
  readonly percentOff: number;
  readonly couponEnds: string | null;
}

/** Makes versions of some 12 subscriptions of 8 customers within `days` days from `first`. */
export function createHistories(seed: number, first: Day, days: number) {
  const { next, pick } = createRandom(seed);
  const version = (): Known => {
    const id = `sub_${next(12)}`;
    const day = addDays(first, next(days));
    const at = `${day}T${String(10 + next(10))}:00:00Z`;
    const currency = pick(['USD', 'USD', 'EUR', 'GBP']);
    const quantity = next(4);
    const unit = pick(['1000', '2500', '12000']);
    const interval = pick(['month', 'month', 'year']);
    const percentOff = pick([0, 0, 50, 100]);
    const couponEnds = pick([null, `${addDays(day, 1 + next(20))}T12:00:00Z`]);
    const status = pick([
      'active',
      'active',
      'active',
      'active',
      'past_due',
      'canceled',
      'unpaid',
      'trialing',
    ]);
    return {
      id,
      at,
      day,
      customer: `cus_${Number(id.slice(4)) % 8}`,
      status,
      currency,
      items: [item(price(unit, { currency: currency.toLowerCase(), interval }), { quantity })],
      discounts:
        percentOff === 0
          ? []
          : [discount({ percent_off: String(percentOff) }, { start: `${first}T00:00:00Z`, end: couponEnds })],
      trial_end: next(8) === 0 ? `${addDays(day, next(10))}T12:00:00Z` : null,
      pause_behavior: next(10) === 0 ? 'void' : null,
      cancel_at: next(10) === 0 ? `${addDays(day, 1 + next(10))}T12:00:00Z` : null,
      gross: (quantity * Number(unit)) / 100 / (interval === 'year' ? 12 : 1),
      percentOff,
      couponEnds,
    };
  };
  return { next, versions: (count: number): Known[] => Array.from({ length: count }, version) };
}

/** What a version is worth a month at the end of a day. */
function worth(version: Known, day: Day): number {
  const end = `${day}T23:59:59Z`;
  const counts =
    ['active', 'past_due'].includes(version.status) &&
    (version.trial_end ?? '') <= end &&
    version.pause_behavior !== 'void' &&
    (version.cancel_at ?? '9999') > end;
  if (!counts) return 0;
  const off = version.couponEnds === null || version.couponEnds > end ? version.percentOff : 0;
  return (version.gross * (100 - off)) / 100;
}

export type Figures = Record<string, number>;

/**
 * Every day's metrics from all versions, later ones of a day in place of earlier ones. `rate` gives what one unit of a
 * currency is in the reporting currency on a day.
 */
export function figuresOf(
  versions: readonly Known[],
  from: Day,
  to: Day,
  rate: (currency: string, day: Day) => number,
): Map<Day, Figures> {
  const rows = new Map<string, Known>();
  for (const version of versions) {
    const key = `${version.id} ${version.day}`;
    const present = rows.get(key);
    if (present === undefined || present.at <= version.at) rows.set(key, version);
  }
  const bySubscription = Map.groupBy(rows.values(), (version) => version.id);
  const states: Map<string, number>[] = [];
  const ever = new Set<string>();
  const everCustomer = new Set<string>();
  const figures = new Map<Day, Figures>();
  const customersOf = (state: Map<string, number> | undefined) =>
    new Set([...(state ?? [])].filter(([, mrr]) => mrr > 0).map(([key]) => key.split(' ')[0] ?? ''));
  for (let day = from, index = 0; day <= to; day = addDays(day, 1), index++) {
    const state = new Map<string, number>();
    for (const own of bySubscription.values()) {
      const last = own
        .filter((version) => version.day <= day)
        .sort((a, b) => (a.day < b.day ? -1 : 1))
        .at(-1);
      if (last === undefined) continue;
      const key = `${last.customer} ${last.currency}`;
      state.set(key, (state.get(key) ?? 0) + worth(last, day));
    }
    const before = states.at(-1) ?? new Map<string, number>();
    const f: Figures = Object.fromEntries(
      ['mrr', 'new_mrr', 'reactivation_mrr', 'expansion_mrr', 'contraction_mrr', 'churned_mrr', 'fx_mrr'].map(
        (name) => [name, 0],
      ),
    );
    const add = (name: string, amount: number) => (f[name] = (f[name] ?? 0) + amount);
    for (const key of new Set([...state.keys(), ...before.keys()])) {
      const currency = key.split(' ')[1] ?? '';
      const [m0, m1] = [before.get(key) ?? 0, state.get(key) ?? 0];
      const now = rate(currency, day);
      add('mrr', m1 * now);
      add('fx_mrr', m0 * (now - rate(currency, addDays(day, -1))));
      if (m0 === 0 && m1 > 0) add(ever.has(key) ? 'reactivation_mrr' : 'new_mrr', m1 * now);
      else if (m1 === 0 && m0 > 0) add('churned_mrr', m0 * now);
      else if (m1 > m0) add('expansion_mrr', (m1 - m0) * now);
      else if (m1 < m0) add('contraction_mrr', (m0 - m1) * now);
      if (m1 > 0) ever.add(key);
    }
    const [today, yesterday] = [customersOf(state), customersOf(before)];
    f['active_subscribers'] = today.size;
    f['new_subscribers'] = [...today].filter((customer) => !everCustomer.has(customer)).length;
    f['churned_subscribers'] = [...yesterday].filter((customer) => !today.has(customer)).length;
    for (const customer of today) everCustomer.add(customer);
    const then = states[index - 30];
    const base = customersOf(then);
    f['base'] = base.size;
    f['lost'] = [...base].filter((customer) => !today.has(customer)).length;
    f['base_mrr'] = 0;
    f['lost_mrr'] = 0;
    f['kept_mrr'] = 0;
    for (const [key, m0] of then ?? []) {
      const was = rate(key.split(' ')[1] ?? '', addDays(day, -30));
      const m1 = state.get(key) ?? 0;
      if (m0 === 0) continue;
      add('base_mrr', m0 * was);
      add('lost_mrr', Math.max(0, m0 - m1) * was);
      add('kept_mrr', m1 * was);
    }
    figures.set(day, f);
    states.push(state);
  }
  return figures;
}
