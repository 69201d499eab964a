/** What an item costs a period, and what discounts leave of it: plain decimal arithmetic, in the smallest unit of the currency. */
import { Decimal } from 'decimal.js';
import { z } from 'zod';

import type { Fields } from './objects.ts';

const tierSchema = z.object({
  up_to: z.number().nullable(),
  unit_amount_decimal: z.string().nullable(),
  flat_amount_decimal: z.string().nullable(),
});

export const priceSchema = z.looseObject({
  id: z.string(),
  product: z.string(),
  currency: z.string(),
  recurring: z.object({
    interval: z.enum(['day', 'week', 'month', 'year']),
    interval_count: z.number(),
    usage_type: z.enum(['licensed', 'metered']),
  }),
  tiers: z.array(tierSchema).optional(),
  tiers_mode: z.enum(['graduated', 'volume']).nullable(),
  transform_quantity: z.object({ divide_by: z.number(), round: z.enum(['up', 'down']) }).nullable(),
  unit_amount_decimal: z.string().nullable(),
});
export type Price = z.infer<typeof priceSchema>;

export const couponSchema = z.looseObject({
  id: z.string(),
  percent_off: z.number().nullable(),
  amount_off: z.number().nullable(),
  duration: z.enum(['forever', 'repeating', 'once']),
  duration_in_months: z.number().nullable(),
  applies_to: z.object({ products: z.array(z.string()) }).optional(),
});
export type Coupon = z.infer<typeof couponSchema>;

/** A period's amount before discounts; metered use is not known beforehand and counts nothing. */
export function periodAmount(price: Price, quantity: number): Decimal {
  if (price.recurring.usage_type === 'metered') return new Decimal(0);
  const { transform_quantity: transform } = price;
  const packs = transform === null ? new Decimal(quantity) : new Decimal(quantity).div(transform.divide_by);
  const units = transform?.round === 'up' ? packs.ceil() : packs.floor();
  if (price.tiers === undefined) return units.times(price.unit_amount_decimal ?? '0');
  return price.tiers_mode === 'volume'
    ? volumeAmount(price.tiers, units)
    : graduatedAmount(price.tiers, units);
}

function volumeAmount(tiers: readonly z.infer<typeof tierSchema>[], units: Decimal): Decimal {
  const tier = tiers.find(({ up_to }) => up_to === null || units.lte(up_to));
  if (tier === undefined || units.isZero()) return new Decimal(0);
  return units.times(tier.unit_amount_decimal ?? '0').plus(tier.flat_amount_decimal ?? '0');
}

function graduatedAmount(tiers: readonly z.infer<typeof tierSchema>[], units: Decimal): Decimal {
  let amount = new Decimal(0);
  let below = new Decimal(0);
  for (const tier of tiers) {
    if (units.lte(below)) break;
    const upTo = tier.up_to === null ? units : Decimal.min(units, tier.up_to);
    amount = amount.plus(upTo.minus(below).times(tier.unit_amount_decimal ?? '0'));
    amount = amount.plus(tier.flat_amount_decimal ?? '0');
    below = upTo;
  }
  return amount;
}

/** One item's amount while discounts are taken off. */
export interface Share {
  readonly product: string;
  amount: Decimal;
}

/** Takes one coupon off the shares that it covers: a percentage of each, or an amount spread over them by their size. */
export function takeOff(shares: readonly Share[], coupon: Coupon): void {
  const covered = shares.filter(
    ({ product }) => coupon.applies_to === undefined || coupon.applies_to.products.includes(product),
  );
  const total = covered.reduce((sum, { amount }) => sum.plus(amount), new Decimal(0));
  if (total.isZero()) return;
  const off = Decimal.min(total, coupon.amount_off ?? 0);
  for (const share of covered)
    share.amount =
      coupon.percent_off === null
        ? share.amount.minus(off.times(share.amount).div(total))
        : share.amount.times(new Decimal(100).minus(coupon.percent_off)).div(100);
}

/** Whole periods later on the calendar (UTC), the day cut to the month's last one. */
export function addInterval(at: number, interval: string, count: number): number {
  if (interval === 'day' || interval === 'week') return at + count * (interval === 'day' ? 1 : 7) * 86_400;
  const from = new Date(at * 1000);
  const months = interval === 'year' ? 12 * count : count;
  const to = new Date(at * 1000);
  to.setUTCDate(1);
  to.setUTCMonth(from.getUTCMonth() + months);
  const last = new Date(Date.UTC(to.getUTCFullYear(), to.getUTCMonth() + 1, 0)).getUTCDate();
  to.setUTCDate(Math.min(from.getUTCDate(), last));
  return to.getTime() / 1000;
}

export function parsePrice(object: Fields): Price {
  return priceSchema.parse(object);
}

export function parseCoupon(object: Fields): Coupon {
  return couponSchema.parse(object);
}
