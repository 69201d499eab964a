/** Events and objects as Stripe makes them, for tests: small, of the clover family unless told. */

export type Json = Record<string, unknown>;

/** 2026-11-20T00:00:00Z, in epoch seconds. */
export const DAY_0 = 1_795_132_800;
export const DAY = 86_400;

export interface EventOptions {
  readonly id: string;
  readonly created?: number;
  readonly previous?: Json;
  readonly account?: string;
  readonly livemode?: boolean;
  readonly apiVersion?: string;
}

export function makeEvent(type: string, object: Json, options: EventOptions): Json {
  return {
    id: options.id,
    object: 'event',
    ...(options.account === undefined ? {} : { account: options.account }),
    api_version: options.apiVersion ?? '2025-09-30.clover',
    created: options.created ?? DAY_0,
    data: { object, ...(options.previous === undefined ? {} : { previous_attributes: options.previous }) },
    livemode: options.livemode ?? true,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
  };
}

export function makePrice(id: string, amount: number, more: Json = {}): Json {
  return {
    id,
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: DAY_0,
    currency: 'usd',
    livemode: true,
    product: 'prod_1',
    recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' },
    tax_behavior: 'exclusive',
    tiers_mode: null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: amount,
    unit_amount_decimal: String(amount),
    ...more,
  };
}

export function makeItem(id: string, price: Json, quantity: number | null = 1, more: Json = {}): Json {
  return {
    id,
    object: 'subscription_item',
    current_period_start: DAY_0,
    current_period_end: DAY_0 + 30 * DAY,
    discounts: [],
    price,
    quantity,
    tax_rates: [],
    ...more,
  };
}

export function makeSubscription(id: string, more: Json = {}): Json {
  return {
    id,
    object: 'subscription',
    cancel_at_period_end: false,
    created: DAY_0,
    currency: 'usd',
    customer: 'cus_1',
    discounts: [],
    items: listOf([makeItem(`si_${id}`, makePrice('price_1', 2000))]),
    livemode: true,
    metadata: {},
    start_date: DAY_0,
    status: 'active',
    test_clock: null,
    trial_end: null,
    ...more,
  };
}

export function listOf(data: readonly unknown[], more: Json = {}): Json {
  return { object: 'list', data, has_more: false, ...more };
}

export function makeInvoice(id: string, more: Json = {}): Json {
  return {
    id,
    object: 'invoice',
    amount_due: 2000,
    amount_paid: 0,
    billing_reason: 'subscription_cycle',
    created: DAY_0,
    currency: 'usd',
    customer: 'cus_1',
    lines: listOf([]),
    livemode: true,
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } },
    status: 'open',
    status_transitions: { paid_at: null },
    ...more,
  };
}

export function makeCharge(id: string, more: Json = {}): Json {
  return {
    id,
    object: 'charge',
    amount: 2000,
    amount_captured: 2000,
    amount_refunded: 0,
    captured: true,
    created: DAY_0,
    currency: 'usd',
    customer: 'cus_1',
    payment_intent: `pi_${id}`,
    status: 'succeeded',
    ...more,
  };
}

export function makeRefund(id: string, charge: string, amount: number, more: Json = {}): Json {
  return {
    id,
    object: 'refund',
    amount,
    charge,
    created: DAY_0 + 60,
    currency: 'usd',
    payment_intent: `pi_${charge}`,
    status: 'succeeded',
    ...more,
  };
}
