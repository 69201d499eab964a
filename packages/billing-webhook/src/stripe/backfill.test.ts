/** Backfills: every list, beside a webhook that goes on, broken off and resumed, and the past made from invoices. */
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';

import { type Harness, useHarness } from './testing/harness.ts';
import {
  customer,
  invoice,
  type MiniObject,
  price,
  product,
  seconds,
  subscription,
} from './testing/mini-stripe.ts';

const NOW = '2026-11-21T09:00:05Z';
const ten = price('price_10', 1000);
const twenty = price('price_20', 2000);

let harness: Harness;
useHarness((opened) => (harness = opened));

const charge = (id: string, at: string, more: Record<string, unknown> = {}): MiniObject => ({
  id,
  object: 'charge',
  created: seconds(at),
  livemode: true,
  amount: 1000,
  amount_captured: 1000,
  amount_refunded: 0,
  captured: true,
  paid: true,
  currency: 'usd',
  customer: 'cus_a',
  payment_intent: `pi_${id}`,
  status: 'succeeded',
  ...more,
});

/** Four months of an account with one of everything. */
async function begin() {
  const mini = await harness.reset(NOW);
  const statuses = ['active', 'past_due', 'trialing', 'incomplete_expired', 'unpaid', 'paused'];
  mini.put(product('prod_1'), ten, twenty, customer('cus_a', '2026-08-01T00:00:00Z'));
  for (const status of statuses)
    mini.put(
      subscription({
        id: `sub_${status}`,
        customer: 'cus_a',
        at: '2026-11-20T00:00:00Z',
        status,
        prices: [{ price: ten }],
      }),
    );
  const canceled = subscription({
    id: 'sub_canceled',
    customer: 'cus_a',
    at: '2026-08-05T12:00:00Z',
    status: 'canceled',
    prices: [{ price: twenty, quantity: 2 }],
    more: { ended_at: seconds('2026-10-20T12:00:00Z'), canceled_at: seconds('2026-10-01T12:00:00Z') },
  });
  mini.put(canceled);
  for (const [index, day] of ['2026-08-05', '2026-09-05', '2026-10-05'].entries()) {
    const item = {
      item: 'si_sub_canceled_0',
      price: index === 0 ? ten : twenty,
      quantity: 2,
      amount: index === 0 ? 2000 : 4000,
    };
    mini.put(invoice(`in_${index}`, canceled, `${day}T12:00:00Z`, [item]));
    mini.put(charge(`ch_${index}`, `${day}T12:00:01Z`));
    mini.put({
      id: `inpay_${index}`,
      object: 'invoice_payment',
      created: seconds(`${day}T12:00:01Z`),
      livemode: true,
      invoice: `in_${index}`,
      status: 'paid',
      payment: { type: 'payment_intent', payment_intent: `pi_ch_${index}` },
    });
    mini.put({
      id: `txn_${index}`,
      object: 'balance_transaction',
      created: seconds(`${day}T12:00:01Z`),
      amount: 1000,
      fee: 59,
      net: 941,
      currency: 'usd',
      type: 'charge',
      source: `ch_${index}`,
      status: 'available',
    });
  }
  mini.put({
    id: 're_1',
    object: 'refund',
    created: seconds('2026-09-07T12:00:00Z'),
    amount: 400,
    currency: 'usd',
    charge: 'ch_1',
    payment_intent: 'pi_ch_1',
    status: 'succeeded',
  });
  mini.put({
    id: 'dp_1',
    object: 'dispute',
    created: seconds('2026-10-07T12:00:00Z'),
    livemode: true,
    amount: 1000,
    currency: 'usd',
    charge: 'ch_2',
    payment_intent: 'pi_ch_2',
    status: 'lost',
    balance_transactions: [],
  });
  return { mini, canceled };
}

const read = () => harness.backfill('2026-08-01', '2026-11-21');

describe('a backfill', () => {
  it('brings subscriptions of every status, invoices, and money that moved', async () => {
    await begin();
    expect(await read()).toMatchObject({ status: 'succeeded', stream: 'backfill', rows_rejected: 0 });
    const { rows: statuses } = await sql<{ status: string; mrr: string }>`
      select status, trim_scale(mrr)::text as mrr from subscriptions_current order by status`.execute(
      harness.session.db,
    );
    expect(statuses).toEqual([
      { status: 'active', mrr: '10' },
      { status: 'canceled', mrr: '0' },
      { status: 'incomplete_expired', mrr: '0' },
      { status: 'past_due', mrr: '10' },
      { status: 'paused', mrr: '0' },
      { status: 'trialing', mrr: '0' },
      { status: 'unpaid', mrr: '0' },
    ]);
    const { rows: payments } = await sql<{ line: string }>`
      select concat_ws(' ', kind, date, trim_scale(amount), invoice_id) as line from payments where counted order by external_id`.execute(
      harness.session.db,
    );
    expect(payments.map(({ line }) => line)).toEqual([
      'charge 2026-08-05 10 in_0',
      'charge 2026-09-05 10 in_1',
      'charge 2026-10-05 10 in_2',
      'dispute 2026-10-07 10 in_2',
      'refund 2026-09-07 4 in_1',
      'fee 2026-08-05 0.59 in_0',
      'fee 2026-09-05 0.59 in_1',
      'fee 2026-10-05 0.59 in_2',
    ]);
    const { rows: invoices } = await sql<{ line: string }>`
      select concat_ws(' ', external_id, trim_scale(amount_paid), trim_scale(amount_refunded)) as line from invoices order by external_id`.execute(
      harness.session.db,
    );
    expect(invoices.map(({ line }) => line)).toEqual([
      'stripe:in_0 20 0',
      'stripe:in_1 40 4',
      'stripe:in_2 40 0',
    ]);
  });

  it('makes the past of a subscription from its invoices, to the day it ended', async () => {
    await begin();
    await read();
    expect(await harness.history('sub_canceled')).toEqual([
      '2026-08-05 active 20 *',
      '2026-09-05 active 40 *',
      '2026-10-05 active 40 *',
      '2026-10-20 canceled 0 *',
      '2026-11-21 canceled 0',
    ]);
    expect(await harness.history('sub_incomplete_expired')).toEqual(['2026-11-21 incomplete_expired 0']);
  });

  it('I1: given again, on another day, changes nothing', async () => {
    const { mini } = await begin();
    await read();
    const before = await harness.contents();
    mini.now = '2026-11-22T09:00:05Z';
    expect(await read()).toMatchObject({ rows_inserted: 0, rows_updated: 0, rows_deleted: 0 });
    expect(await harness.contents()).toEqual(before);
  });

  it('I2: broken off anywhere and given again, goes on with the days that are left', async () => {
    await begin();
    await read();
    const whole = await harness.contents();
    const calls = harness.mini.requests.length;
    for (const breakAt of [3, 9, calls - 2]) {
      const { mini } = await begin();
      const abort = new AbortController();
      mini.intercept = (_request, index) => {
        if (index === breakAt) abort.abort(new Error('killed'));
        return undefined;
      };
      await expect(harness.backfill('2026-08-01', '2026-11-21', { signal: abort.signal })).rejects.toThrow(
        'killed',
      );
      mini.intercept = undefined;
      const asked = mini.requests.length;
      expect(await read()).toMatchObject({ status: 'succeeded' });
      if (breakAt > 14) expect(mini.requests.length - asked).toBeLessThan(calls);
      expect(await harness.contents(), `broken off at call ${breakAt}`).toEqual(whole);
    }
  });

  it('I6: gets through a storm of refusals, locks, errors and broken connections', async () => {
    await begin();
    await read();
    const whole = await harness.contents();
    const { mini } = await begin();
    const storm = [
      { status: 429, body: { error: { code: 'rate_limit', message: 'Too many requests' } } },
      { status: 429, body: { error: { code: 'lock_timeout', message: 'Locked' } } },
      { status: 500, body: 'oops' },
      { status: 200, body: '{"object": "list", "da' },
    ];
    mini.intercept = (_request, index) => (index % 3 === 0 ? storm[(index / 3) % storm.length] : undefined);
    const result = await harness.backfill('2026-08-01', '2026-11-21', { waitBudgetMs: 60_000 });
    expect(result).toMatchObject({ status: 'succeeded' });
    expect(result.retries).toBeGreaterThan(5);
    expect(await harness.contents()).toEqual(whole);
  });

  it('follows the items and lines that an object has no room for', async () => {
    const { mini } = await begin();
    const many = subscription({
      id: 'sub_many',
      customer: 'cus_a',
      at: '2026-11-20T00:00:00Z',
      prices: Array.from({ length: 14 }, () => ({ price: ten })),
    });
    const items = many['items'];
    if (typeof items !== 'object' || items === null || !('data' in items) || !Array.isArray(items.data))
      throw new Error('no items');
    const all: unknown[] = items.data;
    mini.put({ ...many, items: { ...items, data: all.slice(0, 10), has_more: true } });
    mini.intercept = ({ path }) =>
      path === '/v1/subscription_items'
        ? { body: { object: 'list', data: all, has_more: false } }
        : undefined;
    await read();
    expect((await harness.history('sub_many')).at(-1)).toBe('2026-11-21 active 140');
  });
});

describe('a subscription that is canceled after its page was made, and before it is written', () => {
  const events = (mini: Awaited<ReturnType<typeof begin>>['mini'], at: string) => {
    const sub = mini.get('sub_active');
    if (sub === undefined) throw new Error('no subscription');
    const ended = { status: 'canceled', ended_at: seconds(at), canceled_at: seconds(at) };
    const event = mini.happen('customer.subscription.deleted', { ...sub, ...ended }, at);
    // The page was made before.
    mini.put(sub);
    return event;
  };

  it.each(['2026-11-21T09:00:05Z', '2026-11-21T09:00:09Z'])(
    'stays canceled when the webhook comes first (at %s)',
    async (at) => {
      const { mini } = await begin();
      expect(await harness.deliver(events(mini, at))).toBe('processed');
      await read();
      expect((await harness.history('sub_active')).at(-1)).toBe('2026-11-21 canceled 0');
    },
  );

  it.each(['2026-11-21T09:00:05Z', '2026-11-21T09:00:09Z'])(
    'is canceled when the webhook comes after (at %s)',
    async (at) => {
      const { mini } = await begin();
      const event = events(mini, at);
      await read();
      expect((await harness.history('sub_active')).at(-1)).toBe('2026-11-21 active 10');
      expect(await harness.deliver(event)).toBe('processed');
      expect((await harness.history('sub_active')).at(-1)).toBe('2026-11-21 canceled 0');
    },
  );
});
