/**
 * A Stripe account in memory for tests that need to say what happens between two calls: lists, single objects and events,
 * as of a clock that the test turns. The sandbox is the whole thing; this one does only what it is told.
 */
import {
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
  type VendorRequest,
} from '@floyo/shared/testing/vendor';

/** Anything with an id and, but for a coupon made by hand, a time of creation in epoch seconds. */
export interface MiniObject {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly [field: string]: unknown;
}

export interface MiniStripe {
  readonly url: string;
  readonly requests: readonly VendorRequest[];
  /** What the `Date` header says, an ISO instant. */
  now: string;
  /** Asked before each answer; what it returns is the answer. */
  intercept: ((request: VendorRequest, index: number) => VendorAnswer | undefined) | undefined;
  /** Called when an answer was made: what it changes is not in the answer any more. */
  rendered: ((request: VendorRequest) => void) | undefined;
  /** Adds or replaces an object. */
  put(...objects: MiniObject[]): void;
  remove(id: string): void;
  get(id: string): MiniObject | undefined;
  /** Adds an event of an object as it is now, and puts the object. */
  happen(type: string, object: MiniObject, at: string, more?: object): MiniObject;
  events(): readonly MiniObject[];
  close(): Promise<void>;
}

const LIST_OF: Readonly<Record<string, string>> = {
  product: 'products',
  price: 'prices',
  coupon: 'coupons',
  customer: 'customers',
  subscription: 'subscriptions',
  invoice: 'invoices',
  invoice_payment: 'invoice_payments',
  charge: 'charges',
  refund: 'refunds',
  dispute: 'disputes',
  balance_transaction: 'balance_transactions',
  webhook_endpoint: 'webhook_endpoints',
  event: 'events',
};

export async function startMiniStripe(now: string): Promise<MiniStripe> {
  const objects = new Map<string, MiniObject>();
  let events = 0;
  const vendor: TestVendor = await startTestVendor((request, index) => {
    const answer = mini.intercept?.(request, index) ?? show(answerOf(objects, request), request);
    mini.rendered?.(request);
    return { ...answer, headers: { date: new Date(mini.now).toUTCString(), ...answer.headers } };
  });
  const mini: MiniStripe = {
    url: vendor.url,
    requests: vendor.requests,
    now,
    intercept: undefined,
    rendered: undefined,
    put(...added) {
      for (const object of added) objects.set(object.id, object);
    },
    remove: (id) => void objects.delete(id),
    get: (id) => objects.get(id),
    happen(type, object, at, more = {}) {
      objects.set(object.id, object);
      events++;
      const event = {
        id: `evt_${String(events).padStart(5, '0')}`,
        object: 'event',
        created: seconds(at),
        livemode: true,
        api_version: '2026-10-28.endive',
        type,
        // An object that changes later must not change in its events.
        data: { object: structuredClone(object), ...more },
      };
      objects.set(event.id, event);
      return event;
    },
    events: () => [...objects.values()].filter(({ object }) => object === 'event'),
    close: () => vendor.close(),
  };
  return mini;
}

/** Epoch seconds of an ISO instant. */
export function seconds(at: string): number {
  return Math.floor(Date.parse(at) / 1000);
}

function answerOf(objects: ReadonlyMap<string, MiniObject>, { path, query }: VendorRequest): VendorAnswer {
  const [, , list = '', id] = path.split('/');
  if (id !== undefined) {
    const found = objects.get(decodeURIComponent(id));
    return found === undefined
      ? {
          status: 404,
          body: {
            error: { type: 'invalid_request_error', code: 'resource_missing', message: 'No such object' },
          },
        }
      : { body: found };
  }
  const types = query.getAll('types[]');
  const from = Number(query.get('created[gte]') ?? 0);
  const to = Number(query.get('created[lt]') ?? Infinity);
  const all = [...objects.values()]
    .filter(({ object }) => LIST_OF[object] === list)
    .filter(({ created }) => created >= from && created < to)
    .filter(({ type }) => types.length === 0 || types.includes(String(type)))
    .filter(({ status, object }) => object !== 'subscription' || query.has('status') || status !== 'canceled')
    .filter(() => query.get('delivery_success') !== 'false')
    .toReversed()
    .sort((a, b) => b.created - a.created);
  const after = query.get('starting_after');
  const start = after === null ? 0 : all.findIndex((object) => object.id === after) + 1;
  const limit = Number(query.get('limit') ?? 10);
  const data = all.slice(start, start + limit);
  return { body: { object: 'list', url: path, data, has_more: start + limit < all.length } };
}

/** Part of an object, and left out unless it is asked for by its path. https://docs.stripe.com/expand */
const LEFT_OUT = new Set(['tiers', 'applies_to', 'currency_options']);

/** The answer with what was asked to be expanded, and nothing else of it. */
function show({ body, ...answer }: VendorAnswer, { query }: VendorRequest): VendorAnswer {
  const asked = query.getAll('expand[]');
  const isAsked = (path: string) => asked.some((one) => one === path || one.startsWith(`${path}.`));
  const render = (value: unknown, path: string): unknown => {
    if (Array.isArray(value)) return value.map((entry: unknown) => render(entry, path));
    if (typeof value !== 'object' || value === null) return value;
    if (path.endsWith('source.coupon') && !isAsked(path)) return 'id' in value ? value.id : value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
        const at = path === '' ? key : `${path}.${key}`;
        return LEFT_OUT.has(key) && !isAsked(at) ? [] : [[key, render(inner, at)]];
      }),
    );
  };
  return { ...answer, body: render(body, '') };
}

/** A monthly price of so many minor units. */
export function price(id: string, unitAmount: number, more: Record<string, unknown> = {}): MiniObject {
  return {
    id,
    object: 'price',
    created: seconds('2024-01-01T00:00:00Z'),
    livemode: true,
    active: true,
    billing_scheme: 'per_unit',
    currency: 'usd',
    product: 'prod_1',
    type: 'recurring',
    unit_amount: unitAmount,
    unit_amount_decimal: String(unitAmount),
    recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' },
    ...more,
  };
}

export function product(id: string): MiniObject {
  return {
    id,
    object: 'product',
    created: seconds('2024-01-01T00:00:00Z'),
    livemode: true,
    active: true,
    name: id,
  };
}

export function customer(id: string, at: string): MiniObject {
  return { id, object: 'customer', created: seconds(at), livemode: true, email: `${id}@example.com` };
}

export interface SubscriptionFacts {
  readonly id: string;
  readonly customer?: string;
  readonly at: string;
  /** When the period began that it is in; when it was created unless told. */
  readonly period?: string;
  readonly status?: string;
  readonly prices: readonly { readonly price: MiniObject; readonly quantity?: number }[];
  readonly more?: Record<string, unknown>;
}

/** A subscription of monthly items. */
export function subscription({
  id,
  customer: owner,
  at,
  period,
  status,
  prices,
  more,
}: SubscriptionFacts): MiniObject {
  const start = seconds(period ?? at);
  return {
    id,
    object: 'subscription',
    created: seconds(at),
    start_date: seconds(at),
    livemode: true,
    customer: owner ?? `cus_${id}`,
    status: status ?? 'active',
    currency: 'usd',
    discounts: [],
    cancel_at_period_end: false,
    canceled_at: null,
    ended_at: null,
    trial_start: null,
    trial_end: null,
    pause_collection: null,
    items: {
      object: 'list',
      has_more: false,
      data: prices.map((item, index) => ({
        id: `si_${id}_${index}`,
        object: 'subscription_item',
        created: seconds(at),
        quantity: item.quantity ?? 1,
        price: item.price,
        discounts: [],
        current_period_start: start,
        current_period_end: start + 30 * 86_400,
      })),
    },
    ...more,
  };
}

/** A paid invoice of a subscription for one month from `at`. */
export function invoice(
  id: string,
  of: MiniObject,
  at: string,
  lines: readonly {
    readonly item: string;
    readonly price: MiniObject;
    readonly quantity?: number;
    readonly amount: number;
    readonly to?: string;
    readonly proration?: boolean;
  }[],
  more: Record<string, unknown> = {},
): MiniObject {
  const total = lines.reduce((sum, { amount }) => sum + amount, 0);
  return {
    id,
    object: 'invoice',
    created: seconds(at),
    livemode: true,
    customer: of['customer'],
    currency: 'usd',
    status: 'paid',
    billing_reason: 'subscription_cycle',
    attempt_count: 1,
    amount_due: total,
    amount_paid: total,
    discounts: [],
    status_transitions: { paid_at: seconds(at) },
    parent: { type: 'subscription_details', subscription_details: { subscription: of.id } },
    lines: {
      object: 'list',
      has_more: false,
      data: lines.map(({ item, price: billed, quantity = 1, amount, to, proration = false }, index) => ({
        id: `il_${id}_${index}`,
        object: 'line_item',
        livemode: true,
        amount,
        currency: 'usd',
        quantity,
        discounts: [],
        discount_amounts: [],
        period: { start: seconds(at), end: to === undefined ? seconds(at) + 30 * 86_400 : seconds(to) },
        parent: {
          type: 'subscription_item_details',
          subscription_item_details: { subscription: of.id, subscription_item: item, proration },
        },
        pricing: {
          type: 'price_details',
          price_details: { price: billed.id, product: 'prod_1' },
          unit_amount_decimal: String(amount),
        },
      })),
    },
    ...more,
  };
}
