/** What the stripe world sells: products, prices and coupons, the same in every world. */
import { type Fields, type ObjectType, toSeconds } from './objects.ts';

const CREATED = toSeconds('2023-01-02T09:00:00Z');

interface Tier {
  readonly up_to: number | null;
  readonly unit_amount: number | null;
  readonly flat_amount: number | null;
}

interface PriceFacts {
  readonly id: string;
  readonly product: string;
  readonly currency?: string;
  readonly amount?: number;
  /** Where the amount has a fraction of the smallest unit. */
  readonly decimal?: string;
  readonly interval?: 'day' | 'week' | 'month' | 'year';
  readonly count?: number;
  readonly tiers?: { readonly mode: 'graduated' | 'volume'; readonly list: readonly Tier[] };
  /** What it costs in other currencies. */
  readonly options?: Readonly<Record<string, { readonly amount?: number; readonly tiers?: readonly Tier[] }>>;
  readonly transform?: { readonly divide_by: number; readonly round: 'up' | 'down' };
  readonly metered?: boolean;
}

const PRODUCTS = ['starter', 'team', 'enterprise', 'seats', 'storage', 'usage'] as const;

const PRICES: readonly PriceFacts[] = [
  { id: 'price_free', product: 'starter', amount: 0 },
  { id: 'price_starter_month', product: 'starter', amount: 1900 },
  { id: 'price_starter_year', product: 'starter', amount: 19_000, interval: 'year' },
  { id: 'price_starter_eur', product: 'starter', amount: 1800, currency: 'eur' },
  { id: 'price_starter_jpy', product: 'starter', amount: 2900, currency: 'jpy' },
  { id: 'price_starter_week', product: 'starter', amount: 600, interval: 'week' },
  { id: 'price_team_month', product: 'team', amount: 4900, options: { eur: { amount: 4500 } } },
  { id: 'price_team_month_2025', product: 'team', amount: 5900 },
  { id: 'price_team_quarter', product: 'team', amount: 13_500, count: 3 },
  { id: 'price_team_eur', product: 'team', amount: 4500, currency: 'eur' },
  { id: 'price_enterprise_year', product: 'enterprise', amount: 240_000, interval: 'year' },
  { id: 'price_seat_month', product: 'seats', amount: 1250 },
  { id: 'price_seat_fraction', product: 'seats', decimal: '1233.4' },
  {
    id: 'price_seat_graduated',
    product: 'seats',
    tiers: {
      mode: 'graduated',
      list: [
        { up_to: 5, unit_amount: 1000, flat_amount: 500 },
        { up_to: 20, unit_amount: 800, flat_amount: null },
        { up_to: null, unit_amount: 600, flat_amount: null },
      ],
    },
  },
  {
    id: 'price_seat_volume',
    product: 'seats',
    tiers: {
      mode: 'volume',
      list: [
        { up_to: 10, unit_amount: 900, flat_amount: null },
        { up_to: null, unit_amount: 700, flat_amount: 1000 },
      ],
    },
    options: { eur: { tiers: [{ up_to: null, unit_amount: 650, flat_amount: null }] } },
  },
  { id: 'price_storage_pack', product: 'storage', amount: 700, transform: { divide_by: 10, round: 'up' } },
  { id: 'price_usage', product: 'usage', amount: 2, metered: true },
];

interface CouponFacts {
  readonly id: string;
  readonly percent?: number;
  readonly amount?: number;
  /** What it takes off in other currencies. */
  readonly options?: Readonly<Record<string, number>>;
  readonly duration: 'forever' | 'repeating' | 'once';
  readonly months?: number;
  readonly products?: readonly string[];
}

const COUPONS: readonly CouponFacts[] = [
  { id: 'FOREVER20', percent: 20, duration: 'forever' },
  { id: 'THREE50', percent: 50, duration: 'repeating', months: 3 },
  { id: 'ONCE30', percent: 30, duration: 'once' },
  { id: 'TENOFF', amount: 1000, options: { eur: 900 }, duration: 'forever' },
  { id: 'SEATS25', percent: 25, duration: 'forever', products: ['prod_seats'] },
  { id: 'FREE100', percent: 100, duration: 'repeating', months: 2 },
];

/**
 * `tiers`, `applies_to` and `currency_options` are part of the objects; whoever renders leaves them out where they were not
 * asked for.
 */
export function catalogue(): { readonly type: ObjectType; readonly at: number; readonly object: Fields }[] {
  return [
    ...PRODUCTS.map((name, index) => entry('product', CREATED + index, productOf(name, CREATED + index))),
    ...PRICES.map((facts, index) =>
      entry('price', CREATED + 60 + index, priceOf(facts, CREATED + 60 + index)),
    ),
    ...COUPONS.map((facts, index) =>
      entry('coupon', CREATED + 120 + index, couponOf(facts, CREATED + 120 + index)),
    ),
  ];
}

function entry(type: ObjectType, at: number, object: Fields) {
  return { type, at, object };
}

function productOf(name: string, created: number): Fields {
  return {
    id: `prod_${name}`,
    object: 'product',
    active: true,
    created,
    default_price: null,
    description: null,
    livemode: true,
    metadata: {},
    name: `Floyo ${name}`,
    type: 'service',
    updated: created,
  };
}

function priceOf(facts: PriceFacts, created: number): Fields {
  const amount = facts.tiers !== undefined || facts.decimal !== undefined ? null : (facts.amount ?? 0);
  return {
    id: facts.id,
    object: 'price',
    active: true,
    billing_scheme: facts.tiers === undefined ? 'per_unit' : 'tiered',
    created,
    currency: facts.currency ?? 'usd',
    ...(facts.options === undefined ? {} : { currency_options: optionsOf(facts, facts.options) }),
    livemode: true,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: `prod_${facts.product}`,
    recurring: {
      interval: facts.interval ?? 'month',
      interval_count: facts.count ?? 1,
      meter: facts.metered === true ? 'mtr_usage' : null,
      trial_period_days: null,
      usage_type: facts.metered === true ? 'metered' : 'licensed',
    },
    tax_behavior: 'exclusive',
    ...(facts.tiers === undefined ? {} : { tiers: facts.tiers.list.map(tierOf) }),
    tiers_mode: facts.tiers?.mode ?? null,
    transform_quantity: facts.transform ?? null,
    type: 'recurring',
    unit_amount: amount,
    unit_amount_decimal: facts.decimal ?? (amount === null ? null : String(amount)),
  };
}

/** Its own currency is among the options. */
function optionsOf(
  { currency = 'usd', amount, tiers }: PriceFacts,
  options: NonNullable<PriceFacts['options']>,
): Fields {
  const own = {
    [currency]: {
      ...(amount === undefined ? {} : { amount }),
      ...(tiers === undefined ? {} : { tiers: tiers.list }),
    },
  };
  return Object.fromEntries(
    Object.entries({ ...own, ...options }).map(([name, option]) => [
      name,
      {
        custom_unit_amount: null,
        tax_behavior: 'exclusive',
        ...(option.tiers === undefined ? {} : { tiers: option.tiers.map(tierOf) }),
        unit_amount: option.amount ?? null,
        unit_amount_decimal: option.amount === undefined ? null : String(option.amount),
      },
    ]),
  );
}

function tierOf({ up_to, unit_amount, flat_amount }: Tier): Fields {
  return {
    flat_amount,
    flat_amount_decimal: flat_amount === null ? null : String(flat_amount),
    unit_amount,
    unit_amount_decimal: unit_amount === null ? null : String(unit_amount),
    up_to,
  };
}

function couponOf(facts: CouponFacts, created: number): Fields {
  return {
    id: facts.id,
    object: 'coupon',
    amount_off: facts.amount ?? null,
    created,
    currency: facts.amount === undefined ? null : 'usd',
    ...(facts.options === undefined
      ? {}
      : {
          currency_options: Object.fromEntries(
            Object.entries({ usd: facts.amount, ...facts.options }).map(([name, off]) => [
              name,
              { amount_off: off },
            ]),
          ),
        }),
    duration: facts.duration,
    duration_in_months: facts.months ?? null,
    livemode: true,
    max_redemptions: null,
    metadata: {},
    name: facts.id,
    percent_off: facts.percent ?? null,
    redeem_by: null,
    times_redeemed: 0,
    valid: true,
    ...(facts.products === undefined ? {} : { applies_to: { products: facts.products } }),
  };
}
