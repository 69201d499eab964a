/**
 * Renders objects and events in the shape of an API version: what was removed or moved by 2025-03-31.basil and
 * 2025-09-30.clover is where it was before. https://docs.stripe.com/changelog
 */
import { FAMILIES, type Family, type Fields, type Happening, type Version } from './objects.ts';

/** What an answer holds only when it was asked for, and where the objects behind ids are. */
export interface Expand {
  readonly tiers?: boolean;
  readonly appliesTo?: boolean;
  readonly currencyOptions?: boolean;
  /** The currencies whose tiers are told among the options. */
  readonly tiersOf?: readonly string[];
  /** The discount behind an id, in place of the id. */
  readonly discounts?: (id: string) => Fields;
}

/** What old versions embed: the discount behind an id, and the coupon behind a discount. */
export interface References {
  readonly discount: (id: string) => Fields;
  readonly coupon: (id: string) => Fields;
}

type Subject = Pick<Version, 'type' | 'object' | 'deleted'>;

/** An object as an API answer holds it; a deleted one is its id alone. */
export function renderObject(
  { type, object, deleted }: Subject,
  family: Family,
  references: References,
  expand: Expand = {},
): Fields {
  if (deleted) return { id: object['id'], object: type, deleted: true };
  return shape({ type, object, deleted }, family, references, expand);
}

/** A whole event. Its object is whole, too, when it was deleted. */
export function renderEvent(
  { id, type, created, version, before }: Happening,
  family: Family,
  references: References,
): Fields {
  const object = shape(version, family, references, {});
  const previous =
    before === undefined ? undefined : difference(shape(before, family, references, {}), object);
  return {
    id,
    object: 'event',
    api_version: family,
    created,
    data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
    livemode: true,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
}

/** What the old object had where the new one differs. */
function difference(before: Fields, after: Fields): Fields {
  return Object.fromEntries(
    // The count of versions is ours: Stripe has no such thing, and it would give the order away.
    [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((key) => key !== 'metadata' && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
      .map((key) => [key, before[key] ?? null]),
  );
}

function shape({ type, object }: Subject, family: Family, references: References, expand: Expand): Fields {
  const old = family === '2020-08-27';
  if (type === 'price') return priceOf(object, expand);
  if (type === 'coupon') return couponOf(object, expand);
  if (type === 'discount') return discountOf(object, family, references);
  if (type === 'subscription') return subscriptionOf(object, family, references, expand);
  if (type === 'invoice') return invoiceOf(object, old, references, expand);
  return '_invoice' in object && old ? { ...visible(object), invoice: object['_invoice'] } : visible(object);
}

/** Fields that begin with an underscore are for older versions. */
function visible(object: Fields): Fields {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !key.startsWith('_')));
}

function without(object: Fields, ...keys: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

function priceOf(object: Fields, expand: Expand): Fields {
  const shown = expand.tiers === true ? object : without(object, 'tiers');
  const { currency_options: options, ...rest } = shown;
  if (expand.currencyOptions !== true || options === undefined) return rest;
  const told = Object.entries(options as Record<string, Fields>).map(([currency, option]) => [
    currency,
    expand.tiersOf?.includes(currency) === true ? option : without(option, 'tiers'),
  ]);
  return { ...rest, currency_options: Object.fromEntries(told) as Fields };
}

function couponOf(object: Fields, expand: Expand): Fields {
  return without(
    object,
    ...(expand.appliesTo === true ? [] : ['applies_to']),
    ...(expand.currencyOptions === true ? [] : ['currency_options']),
  );
}

/** Since clover a discount names its coupon; before, it holds it. */
function discountOf(object: Fields, family: Family, references: References): Fields {
  if (FAMILIES.indexOf(family) >= FAMILIES.indexOf('2025-09-30.clover')) return object;
  const { coupon } = object['source'] as { coupon: string };
  return { ...without(object, 'source'), coupon: couponOf(references.coupon(coupon), {}) };
}

function subscriptionOf(object: Fields, family: Family, references: References, expand: Expand): Fields {
  const old = family === '2020-08-27';
  const list = object['items'] as { data: readonly Fields[] };
  const ids = object['discounts'] as readonly string[];
  const items = {
    ...list,
    data: list.data.map((item) => {
      const price = priceOf(item['price'] as Fields, expand);
      const discounts = item['discounts'] as readonly string[];
      return old
        ? {
            ...without(item, 'current_period_start', 'current_period_end', 'discounts'),
            price,
            plan: planOf(price),
          }
        : { ...item, price, discounts: expand.discounts ? discounts.map(expand.discounts) : discounts };
    }),
  };
  if (!old)
    return { ...visible(object), items, discounts: expand.discounts ? ids.map(expand.discounts) : ids };
  const [first] = list.data;
  const [discount] = ids;
  return {
    ...without(visible(object), 'discounts'),
    items,
    current_period_end: first?.['current_period_end'],
    current_period_start: first?.['current_period_start'],
    discount: discount === undefined ? null : discountOf(references.discount(discount), family, references),
    plan: list.data.length === 1 && first !== undefined ? planOf(first['price'] as Fields) : null,
    quantity: list.data.length === 1 ? first?.['quantity'] : null,
  };
}

/** What a price was before there were prices. */
function planOf(price: Fields): Fields {
  const { interval, interval_count, usage_type } = price['recurring'] as Record<string, unknown>;
  return {
    id: price['id'],
    object: 'plan',
    active: true,
    amount: price['unit_amount'],
    amount_decimal: price['unit_amount_decimal'],
    billing_scheme: price['billing_scheme'],
    created: price['created'],
    currency: price['currency'],
    interval,
    interval_count,
    livemode: true,
    product: price['product'],
    tiers_mode: price['tiers_mode'],
    transform_usage: price['transform_quantity'],
    usage_type,
  };
}

function invoiceOf(object: Fields, old: boolean, references: References, expand: Expand): Fields {
  const list = object['lines'] as { data: readonly Fields[] };
  const ids = object['discounts'] as readonly string[];
  const lines = { ...list, data: list.data.map((line) => (old ? oldLine(line) : visible(line))) };
  if (!old)
    return { ...visible(object), lines, discounts: expand.discounts ? ids.map(expand.discounts) : ids };
  const [discount] = ids;
  const parent = object['parent'] as { subscription_details: { subscription: string } };
  return {
    ...without(visible(object), 'parent', 'total_taxes', 'discounts'),
    lines,
    charge: object['_charge'],
    discount:
      discount === undefined ? null : discountOf(references.discount(discount), '2020-08-27', references),
    paid: object['status'] === 'paid',
    payment_intent: object['_payment_intent'],
    subscription: parent.subscription_details.subscription,
    tax: null,
    total_tax_amounts: [],
  };
}

function oldLine(line: Fields): Fields {
  const { subscription_item_details: details } = line['parent'] as {
    subscription_item_details: {
      invoice_item: string | null;
      proration: boolean;
      subscription: string;
      subscription_item: string;
    };
  };
  const price = priceOf(line['_price'] as Fields, {});
  return {
    ...without(visible(line), 'parent', 'pricing', 'taxes'),
    plan: planOf(price),
    price,
    proration: details.proration,
    subscription: details.subscription,
    subscription_item: details.subscription_item,
    tax_amounts: [],
    type: details.invoice_item === null ? 'subscription' : 'invoiceitem',
  };
}
