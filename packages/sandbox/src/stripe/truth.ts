/**
 * What a metrics pipeline should find: the monthly value of every customer at any instant, by plain decimal arithmetic on
 * the objects themselves, and the last version of everything. Knows no database.
 */
import { Decimal } from 'decimal.js';

import { parseCoupon, parsePrice, periodAmount, type Share, takeOff } from './amounts.ts';
import type { Lives } from './lives.ts';
import type { Fields, Version } from './objects.ts';

/** A currency's smallest unit; two decimals unless named. */
const ZERO_DECIMALS = new Set(['jpy', 'krw', 'clp', 'vnd']);
/** How many periods make a month. */
const MONTHLY: Readonly<Record<string, Decimal>> = {
  day: new Decimal(365).div(12),
  week: new Decimal(52).div(12),
  month: new Decimal(1),
  year: new Decimal(1).div(12),
};

/** The version of an object at an instant (epoch seconds); undefined before it was there. */
export function versionAt(versions: readonly Version[], at: number): Version | undefined {
  return versions.findLast((version) => version.at <= at);
}

/** The last version of every object, those of test clocks left out. */
export function finalObjects(lives: Lives): Version[] {
  return [...lives.versions.values()]
    .flatMap((versions) => versions.at(-1) ?? [])
    .filter(({ object }) => (object['test_clock'] ?? null) === null);
}

/**
 * Monthly recurring revenue at an instant, in major units, by `<customer>/<CURRENCY>`; customers with none left out.
 * Counted are active and past due subscriptions whose trial is over and whose collection is not paused for good.
 */
export function mrrOf(lives: Lives, { at }: { readonly at: number }): Map<string, Decimal> {
  const sums = new Map<string, Decimal>();
  for (const [key, versions] of lives.versions) {
    if (!key.startsWith('subscription/')) continue;
    const version = versionAt(versions, at);
    if (version === undefined || !counts(version.object, at)) continue;
    const customer = String(version.object['customer']);
    const owner = lives.versions.get(`customer/${customer}`);
    if (owner !== undefined && versionAt(owner, at)?.deleted === true) continue;
    const value = monthlyValue(lives, version.object, at);
    if (value.isZero()) continue;
    const name = `${customer}/${String(version.object['currency']).toUpperCase()}`;
    sums.set(name, (sums.get(name) ?? new Decimal(0)).plus(value));
  }
  return sums;
}

function counts(subscription: Fields, at: number): boolean {
  const pause = subscription['pause_collection'] as { behavior: string } | null;
  const trialEnd = subscription['trial_end'];
  return (
    (subscription['test_clock'] ?? null) === null &&
    (subscription['status'] === 'active' || subscription['status'] === 'past_due') &&
    (typeof trialEnd !== 'number' || at >= trialEnd) &&
    (pause === null || pause.behavior === 'keep_as_draft')
  );
}

/** What a subscription's items come to in a month, less its lasting discounts, in major units. */
function monthlyValue(lives: Lives, subscription: Fields, at: number): Decimal {
  const list = subscription['items'] as {
    data: readonly { price: Fields; quantity: number; discounts: readonly string[] }[];
  };
  const shares = list.data.map(({ price, quantity, discounts }) => {
    const parsed = parsePrice(price);
    return { product: parsed.product, amount: periodAmount(parsed, quantity), price: parsed, discounts };
  });
  for (const share of shares) applyAll(lives, [share], share.discounts, at);
  applyAll(lives, shares, subscription['discounts'] as readonly string[], at);
  const units = ZERO_DECIMALS.has(String(subscription['currency'])) ? 1 : 100;
  return shares.reduce((sum, { amount, price }) => {
    const { interval, interval_count: count } = price.recurring;
    return sum.plus(
      amount
        .times(MONTHLY[interval] ?? 0)
        .div(count)
        .div(units),
    );
  }, new Decimal(0));
}

function applyAll(lives: Lives, shares: readonly Share[], discounts: readonly string[], at: number): void {
  for (const id of discounts) {
    const discount = lives.references.discount(id) as {
      start: number;
      end: number | null;
      source: { coupon: string };
    };
    const coupon = parseCoupon(lives.references.coupon(discount.source.coupon));
    const lasts = at >= discount.start && (discount.end === null || at < discount.end);
    if (coupon.duration !== 'once' && lasts) takeOff(shares, coupon);
  }
}
