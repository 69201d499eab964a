/**
 * A subscription of every API version as a row of `subscriptions`: the state, and its items in the shape that its
 * monthly value is computed from. Since 2025-03-31 the billing period is the items' own.
 */
import { type Discount, mapDiscounts, mapPrice, type Price, upper } from './prices.ts';
import {
  arrayAt,
  booleanAt,
  decimalAt,
  type Fields,
  idAt,
  instantAt,
  integerAt,
  isFields,
  listAt,
  objectAt,
  requiredInstant,
  requiredText,
  textAt,
} from './read.ts';

export interface Item {
  readonly id: string;
  readonly quantity: number | null;
  readonly current_period_start: string | null;
  readonly current_period_end: string | null;
  /** Of a trial of the item's own. */
  readonly trial_end: string | null;
  readonly price: Price;
  readonly discounts: readonly Discount[];
  /** The sum of the rates that the price includes; null when none is told. */
  readonly inclusive_tax_percent: string | null;
}

export interface SubscriptionRow {
  readonly customer_id: string;
  readonly status: string;
  readonly currency: string | null;
  readonly quantity: number | null;
  readonly product_id: string | null;
  readonly price_id: string | null;
  readonly interval: string | null;
  readonly interval_count: number | null;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly trial_start: string | null;
  readonly trial_end: string | null;
  readonly current_period_start: string | null;
  readonly current_period_end: string | null;
  readonly cancel_at: string | null;
  readonly cancel_at_period_end: boolean;
  readonly canceled_at: string | null;
  readonly ended_at: string | null;
  readonly cancellation_reason: string | null;
  readonly pause_behavior: string | null;
  readonly items: readonly Item[];
  readonly discounts: readonly Discount[];
  /** The payload holds only the first of its items: the monthly value is not known from it. */
  readonly incomplete: boolean;
}

export function mapSubscription(from: Fields): SubscriptionRow {
  const list = listAt(from, 'items');
  const currency = upper(textAt(from, 'currency'));
  const items = (list.length === 0 ? itemOfPlan(from) : list).map((item) => mapItem(item, from, currency));
  // What is told of a subscription in one word is told of its first item that recurs.
  const main = items.find((item) => item.price.type === 'recurring') ?? items[0];
  const ends = items.flatMap((item) => item.current_period_end ?? []).sort();
  const starts = items.flatMap((item) => item.current_period_start ?? []).sort();
  const pause = objectAt(from, 'pause_collection');
  return {
    customer_id: idAt(from, 'customer') ?? requiredText(from, 'customer'),
    status: requiredText(from, 'status'),
    currency: currency ?? main?.price.currency ?? null,
    quantity: totalQuantity(items),
    product_id: main?.price.product ?? null,
    price_id: main?.price.id ?? null,
    interval: main?.price.interval ?? null,
    interval_count: main?.price.interval_count ?? null,
    created_at: requiredInstant(from, 'created'),
    started_at: instantAt(from, 'start_date'),
    trial_start: instantAt(from, 'trial_start'),
    trial_end: instantAt(from, 'trial_end'),
    current_period_start: instantAt(from, 'current_period_start') ?? starts[0] ?? null,
    current_period_end: instantAt(from, 'current_period_end') ?? ends[0] ?? null,
    cancel_at: instantAt(from, 'cancel_at'),
    cancel_at_period_end: booleanAt(from, 'cancel_at_period_end'),
    canceled_at: instantAt(from, 'canceled_at'),
    ended_at: instantAt(from, 'ended_at'),
    cancellation_reason: textAt(objectAt(from, 'cancellation_details') ?? {}, 'reason'),
    pause_behavior: pause === undefined ? null : textAt(pause, 'behavior'),
    items,
    discounts: mapDiscounts(from),
    incomplete: objectAt(from, 'items')?.['has_more'] === true,
  };
}

/** The oldest versions have one plan and no items. */
function itemOfPlan(from: Fields): Fields[] {
  const plan = objectAt(from, 'plan');
  return plan === undefined ? [] : [{ id: requiredText(from, 'id'), plan, quantity: from['quantity'] }];
}

function mapItem(item: Fields, subscription: Fields, currency: string | null): Item {
  const price = objectAt(item, 'price') ?? objectAt(item, 'plan') ?? { id: idAt(item, 'price') };
  const trial = objectAt(item, 'current_trial');
  return {
    id: requiredText(item, 'id'),
    quantity: integerAt(item, 'quantity'),
    current_period_start:
      instantAt(item, 'current_period_start') ?? instantAt(subscription, 'current_period_start'),
    current_period_end:
      instantAt(item, 'current_period_end') ?? instantAt(subscription, 'current_period_end'),
    trial_end: trial === undefined ? null : instantAt(trial, 'end_date'),
    price: mapPrice(price, currency),
    discounts: mapDiscounts(item),
    inclusive_tax_percent: inclusiveTax(item, subscription),
  };
}

/** The item's own rates stand in for the subscription's. Rates have at most four decimals. */
function inclusiveTax(item: Fields, subscription: Fields): string | null {
  const own = arrayAt(item, 'tax_rates').filter(isFields);
  const rates = own.length > 0 ? own : arrayAt(subscription, 'default_tax_rates').filter(isFields);
  const inclusive = rates.filter((rate) => rate['inclusive'] === true);
  if (inclusive.length === 0) return null;
  const sum = inclusive.reduce(
    (total, rate) => total + tenThousandths(decimalAt(rate, 'percentage') ?? '0'),
    0,
  );
  return `${Math.trunc(sum / 10_000)}.${String(sum % 10_000).padStart(4, '0')}`;
}

function tenThousandths(percent: string): number {
  const [whole = '0', decimals = ''] = percent.split('.');
  return Number(whole) * 10_000 + Number(decimals.padEnd(4, '0').slice(0, 4));
}

function totalQuantity(items: readonly Item[]): number | null {
  const quantities = items.flatMap((item) => item.quantity ?? []);
  return quantities.length === 0 ? null : quantities.reduce((total, quantity) => total + quantity, 0);
}
