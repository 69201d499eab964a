/**
 * What an ad did on a day, as a vendor would report it at a given age of that day: it grows while the day lasts,
 * conversions (and, hardly, spend) go on being restated until the day is 28 days old, and stay then.
 * A pure function of seed, ad, day and age.
 */
import { createRandom } from '../core.ts';
import type { WorldAccount } from './accounts.ts';
import type { WorldAd } from './ads.ts';
import { dayNumber, weekdayOf } from './days.ts';

/** Money in hundredths of the account's currency, as whole numbers, so that sums are exact. */
export interface DayNumbers {
  spendCents: number;
  impressions: number;
  clicks: number;
  linkClicks: number;
  reach: number;
  addsToCart: number;
  purchases: number;
  valueCents: number;
}

/** Vendors stop restating a day when it is this old. */
const finalAgeDays = 28;

const weekdayFactor = [1.12, 0.96, 0.92, 0.95, 1.0, 1.04, 1.1];
const refreshesADay = 96;
/** The day whose level is 1. */
const growthDay = dayNumber('2025-01-01');

/**
 * How old a day is: whole days since it (0 is today), and for today how much of it has passed,
 * in steps of a quarter of an hour as the vendors refresh.
 */
export interface DayAge {
  days: number;
  elapsed: number;
}

/** The ad's numbers on `day` at that age, or undefined when it did not deliver (yet). */
export function numbersOf(
  seed: number,
  account: WorldAccount,
  ad: WorldAd,
  day: number,
  age: DayAge,
): DayNumbers | undefined {
  if (day < ad.firstDay || day > ad.lastDay || age.days < 0) return undefined;
  const random = createRandom(`${seed}:${account.vendor}:${ad.id}:${day}`);
  // Now and then an ad does not deliver for a day; its row is then absent, not zero.
  if (random() < 0.02) return undefined;

  const learning = Math.min(1, 0.5 + (day - ad.firstDay) * 0.1);
  const level = growthOf(day) * seasonOf(day) * learning * (0.8 + random() * 0.4);
  const spendUsd = ad.dailyBudgetUsd * level;
  const impressions = (spendUsd / (ad.cpmUsd * (0.9 + random() * 0.2))) * 1000;
  const clicks = impressions * ad.clickRate * (0.85 + random() * 0.3);
  const linkClicks = clicks * (0.65 + random() * 0.2);
  const purchases = linkClicks * ad.purchaseRate * (0.6 + random() * 0.8);
  const basketUsd = ad.basketUsd * (0.9 + random() * 0.2);
  const reachShare = 0.72 + random() * 0.2;
  // The last fraction decides by a coin, or small ads would never sell.
  const wholePurchases = Math.floor(purchases + random());

  const delivered = deliveredShare(age);
  const credited = creditedShare(age);
  const shownImpressions = Math.floor(impressions * delivered);
  if (shownImpressions < 1) return undefined;
  const shownClicks = Math.min(Math.floor(clicks * delivered), shownImpressions);
  // Each purchase is credited at an age of its own, so that even a single one is restated on average as told.
  const shownPurchases = Array.from({ length: wholePurchases }, random).filter((at) => at < credited).length;
  return {
    spendCents: money(spendUsd * delivered, account),
    impressions: shownImpressions,
    clicks: shownClicks,
    linkClicks: Math.min(Math.floor(linkClicks * delivered), shownClicks),
    reach: Math.max(1, Math.floor(shownImpressions * reachShare)),
    addsToCart: Math.floor(wholePurchases * 3.1 * credited),
    purchases: shownPurchases,
    valueCents: shownPurchases * money(basketUsd, account),
  };
}

/** Sums over ads or days. Reach is not additive: people are met again, so a tenth of it is taken off. */
export function addNumbers(parts: readonly DayNumbers[]): DayNumbers {
  const total = {
    spendCents: 0,
    impressions: 0,
    clicks: 0,
    linkClicks: 0,
    reach: 0,
    addsToCart: 0,
    purchases: 0,
    valueCents: 0,
  };
  for (const part of parts) {
    total.spendCents += part.spendCents;
    total.impressions += part.impressions;
    total.clicks += part.clicks;
    total.linkClicks += part.linkClicks;
    total.reach += part.reach;
    total.addsToCart += part.addsToCart;
    total.purchases += part.purchases;
    total.valueCents += part.valueCents;
  }
  if (parts.length > 1) total.reach = Math.floor(total.reach * 0.9);
  return total;
}

/** Hundredths as text with the currency's decimals: 1435 is '14.35', and of yen '14'. */
export function moneyText(cents: number, decimals: 0 | 2 = 2): string {
  const whole = Math.trunc(cents / 100);
  return decimals === 0 ? String(whole) : `${whole}.${String(cents % 100).padStart(2, '0')}`;
}

/** Of the day's delivery: what is reported at that age. Spend ends 0.6 % above its first full-day figure. */
function deliveredShare(age: DayAge): number {
  if (age.days === 0) return Math.floor(age.elapsed * refreshesADay) / refreshesADay;
  return 1 - 0.006 * openShare(age.days);
}

/** Of the day's conversions: 70 % while it lasts, 82 % a day later, all after 28 days. */
function creditedShare(age: DayAge): number {
  if (age.days === 0) return deliveredShare(age) * 0.7;
  return 1 - 0.18 * openShare(age.days);
}

/** From 1 a day later to 0 after 28 days, ever more slowly. */
function openShare(days: number): number {
  const left = Math.max(0, finalAgeDays - days) / (finalAgeDays - 1);
  return left * left;
}

/** A steady growth of about a quarter a year, kept within bounds far from now. */
function growthOf(day: number): number {
  const years = (day - growthDay) / 365.25;
  return Math.min(3, Math.max(0.4, 1 + 0.25 * years));
}

/** The weekday, and the weeks before Christmas. */
function seasonOf(day: number): number {
  const weekday = weekdayFactor[weekdayOf(day)] ?? 1;
  const month = new Date(day * 86_400_000).getUTCMonth();
  return weekday * (month === 10 ? 1.35 : month === 11 ? 1.2 : 1);
}

function money(usd: number, account: WorldAccount): number {
  const units = usd * account.perDollar;
  return account.decimals === 0 ? Math.round(units) * 100 : Math.round(units * 100);
}
