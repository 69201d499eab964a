/**
 * Prices, plans, coupons and discounts of every API version in one shape. Amounts stay in minor units, as decimal texts.
 * Before 2020-08 a subscription had plans; since 2025-03-31 it has discounts as ids; since 2025-09-30 a discount has its
 * coupon as an id under `source`. https://docs.stripe.com/changelog
 */
import {
  arrayAt,
  decimalAt,
  type Fields,
  idAt,
  instantAt,
  integerAt,
  isFields,
  objectAt,
  requiredText,
  textAt,
} from './read.ts';

export interface Tier {
  /** The last unit of the tier; null: no end. */
  readonly up_to: number | null;
  readonly unit_amount: string | null;
  readonly flat_amount: string | null;
}

/** What a price of several currencies costs in one that is not its own. */
export interface CurrencyAmounts {
  readonly unit_amount: string | null;
  readonly tiers: readonly Tier[] | null;
  readonly tax_behavior: string | null;
}

export interface Price {
  readonly id: string;
  readonly product: string | null;
  readonly currency: string;
  readonly type: 'recurring' | 'one_time';
  readonly billing_scheme: 'per_unit' | 'tiered';
  readonly tiers_mode: 'graduated' | 'volume' | null;
  /** Null: not told; events never tell them. */
  readonly tiers: readonly Tier[] | null;
  readonly unit_amount: string | null;
  readonly transform: { readonly divide_by: number; readonly round: 'up' | 'down' } | null;
  readonly usage_type: 'licensed' | 'metered';
  readonly interval: 'day' | 'week' | 'month' | 'year' | null;
  readonly interval_count: number | null;
  readonly tax_behavior: string | null;
}

/** A price as it is kept for what names it. */
export interface KnownPrice extends Price {
  /** By currency in upper case, without its own. Absent: not told; events never tell them. */
  readonly currency_options?: Readonly<Record<string, CurrencyAmounts>>;
}

export interface Coupon {
  readonly id: string;
  readonly percent_off: string | null;
  readonly amount_off: string | null;
  readonly currency: string | null;
  readonly duration: string | null;
  readonly duration_in_months: number | null;
  /** Null: every product. Absent: not told. */
  readonly applies_to?: readonly string[] | null;
  /** What it takes off in other currencies, by currency in upper case. Absent: not told. */
  readonly currency_options?: Readonly<Record<string, { readonly amount_off: string | null }>>;
}

export interface Discount {
  readonly id: string | null;
  readonly coupon: Coupon | { readonly id: string } | null;
  readonly start: string | null;
  readonly end: string | null;
}

const INTERVALS = ['day', 'week', 'month', 'year'] as const;
const TIER_MODES = ['graduated', 'volume'] as const;

function oneOf<T extends string>(allowed: readonly T[], value: unknown): T | null {
  return allowed.find((one) => one === value) ?? null;
}

export function upper(text: string | null): string | null {
  return text === null ? null : text.toUpperCase();
}

/**
 * A price or an old plan. `currency` (upper case) is the subscription's: a price of several currencies shows the amounts
 * of its own, so those of another have to come from `currency_options`, or are not told.
 */
export function mapPrice(from: Fields, currency?: string | null): Price {
  const recurring = from['object'] === 'plan' ? from : objectAt(from, 'recurring');
  const own = requiredText(from, 'currency').toUpperCase();
  const foreign = currency !== undefined && currency !== null && currency !== own;
  const amounts = foreign ? optionOf(from, currency) : from;
  const transform = objectAt(from, 'transform_quantity') ?? objectAt(from, 'transform_usage');
  const divideBy = transform === undefined ? null : integerAt(transform, 'divide_by');
  return {
    id: requiredText(from, 'id'),
    product: idAt(from, 'product'),
    currency: foreign ? currency : own,
    type: recurring === undefined ? 'one_time' : 'recurring',
    billing_scheme: from['billing_scheme'] === 'tiered' ? 'tiered' : 'per_unit',
    tiers_mode: oneOf(TIER_MODES, from['tiers_mode']),
    tiers: amounts === undefined ? null : mapTiers(amounts),
    unit_amount: amounts === undefined ? null : mapUnitAmount(amounts),
    transform:
      transform === undefined || divideBy === null
        ? null
        : { divide_by: divideBy, round: transform['round'] === 'up' ? 'up' : 'down' },
    usage_type: recurring?.['usage_type'] === 'metered' ? 'metered' : 'licensed',
    interval: oneOf(INTERVALS, recurring?.['interval']),
    interval_count: recurring === undefined ? null : (integerAt(recurring, 'interval_count') ?? 1),
    // Each currency has its own.
    tax_behavior: amounts === undefined ? null : textAt(amounts, 'tax_behavior'),
  };
}

/** A price that was read for itself, its amounts in other currencies asked for. https://docs.stripe.com/api/prices/object */
export function mapWholePrice(from: Fields): KnownPrice {
  const price = mapPrice(from);
  return {
    ...price,
    currency_options: mapOptions(from, price.currency, (option) => ({
      unit_amount: mapUnitAmount(option),
      tiers: mapTiers(option),
      tax_behavior: textAt(option, 'tax_behavior'),
    })),
  };
}

/** What is told for another currency; undefined when nothing is. */
function optionOf(from: Fields, currency: string): Fields | undefined {
  return objectAt(objectAt(from, 'currency_options') ?? {}, currency.toLowerCase());
}

/** The options of other currencies than its own, which Stripe lists among them. */
function mapOptions<T>(from: Fields, own: string | null, toOption: (option: Fields) => T): Record<string, T> {
  return Object.fromEntries(
    Object.entries(objectAt(from, 'currency_options') ?? {}).flatMap(([name, option]) =>
      isFields(option) && name.toUpperCase() !== own ? [[name.toUpperCase(), toOption(option)]] : [],
    ),
  );
}

function mapUnitAmount(from: Fields): string | null {
  return (
    decimalAt(from, 'unit_amount_decimal') ??
    decimalAt(from, 'unit_amount') ??
    decimalAt(from, 'amount_decimal') ??
    decimalAt(from, 'amount')
  );
}

function mapTiers(from: Fields): Tier[] | null {
  if (!Array.isArray(from['tiers']) || from['tiers'].length === 0) return null;
  return arrayAt(from, 'tiers')
    .filter(isFields)
    .map((tier) => ({
      up_to: tier['up_to'] === 'inf' ? null : integerAt(tier, 'up_to'),
      unit_amount: mapUnitAmount(tier),
      flat_amount: decimalAt(tier, 'flat_amount_decimal') ?? decimalAt(tier, 'flat_amount'),
    }));
}

/**
 * With `whole`, a coupon without `applies_to` is known to apply to every product, and one without `currency_options` to
 * have one currency: both were asked for.
 */
export function mapCoupon(from: Fields, whole = false): Coupon {
  const appliesTo = objectAt(from, 'applies_to');
  const currency = upper(textAt(from, 'currency'));
  return {
    id: requiredText(from, 'id'),
    percent_off: decimalAt(from, 'percent_off_precise') ?? decimalAt(from, 'percent_off'),
    amount_off: decimalAt(from, 'amount_off'),
    currency,
    duration: textAt(from, 'duration'),
    duration_in_months: integerAt(from, 'duration_in_months'),
    ...(appliesTo === undefined
      ? whole
        ? { applies_to: null }
        : {}
      : { applies_to: arrayAt(appliesTo, 'products').map(String) }),
    ...(whole || objectAt(from, 'currency_options') !== undefined
      ? {
          currency_options: mapOptions(from, currency, (option) => ({
            amount_off: decimalAt(option, 'amount_off'),
          })),
        }
      : {}),
  };
}

/**
 * A discount in full, or its id alone. A coupon under `source` is its id unless the whole of it was asked for; before
 * 2025-09-30 a discount held its coupon, without what has to be asked for.
 */
export function mapDiscount(from: unknown): Discount {
  if (!isFields(from)) return { id: String(from), coupon: null, start: null, end: null };
  const source = objectAt(from, 'source');
  const coupon = from['coupon'] ?? source?.['coupon'] ?? null;
  return {
    id: textAt(from, 'id'),
    coupon: isFields(coupon)
      ? mapCoupon(coupon, !isFields(from['coupon']))
      : typeof coupon === 'string'
        ? { id: coupon }
        : null,
    start: instantAt(from, 'start'),
    end: instantAt(from, 'end'),
  };
}

/** The discounts of a subscription or an item: `discounts` (ids or objects), with what the older `discount` tells of them. */
export function mapDiscounts(from: Fields): Discount[] {
  const single = isFields(from['discount']) ? mapDiscount(from['discount']) : undefined;
  const listed = arrayAt(from, 'discounts').map(mapDiscount);
  if (listed.length === 0) return single === undefined ? [] : [single];
  return listed.map((discount) =>
    discount.coupon === null && single !== undefined && single.id === discount.id ? single : discount,
  );
}
