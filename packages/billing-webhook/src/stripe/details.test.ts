/** What events leave out of prices and coupons is read from the API once, and what was unknown for it becomes known. */
import { expect, it } from 'vitest';

import { type Harness, useHarness } from './testing/harness.ts';
import { customer, price, product, seconds, subscription } from './testing/mini-stripe.ts';

let harness: Harness;
useHarness((opened) => (harness = opened));

const ten = price('price_10', 1000);

async function begin() {
  const mini = await harness.reset('2026-11-17T09:00:00Z');
  mini.put(product('prod_1'), ten, customer('cus_1', '2026-11-01T09:59:00Z'));
  await harness.run();
  return mini;
}

/** A run on each of the days; the objects that each read singly. */
async function runOn(days: readonly string[]): Promise<string[][]> {
  const { mini } = harness;
  const read: string[][] = [];
  for (const day of days) {
    const before = mini.requests.length;
    mini.now = `${day}T09:00:00Z`;
    await harness.run();
    read.push(
      mini.requests
        .slice(before)
        .map(({ path }) => path)
        .filter((path) => path.split('/').length > 3),
    );
  }
  return read;
}

it('a coupon that events alone told of: its products are asked for, once', async () => {
  const mini = await begin();
  const at = '2026-11-17T11:00:00Z';
  const coupon = {
    id: 'FRIDAY',
    object: 'coupon',
    created: seconds('2026-11-17T10:00:00Z'),
    livemode: true,
    percent_off: 50,
    amount_off: null,
    currency: null,
    duration: 'forever',
    duration_in_months: null,
  };
  const discount = {
    id: 'di_1',
    object: 'discount',
    created: seconds(at),
    start: seconds(at),
    end: null,
    customer: 'cus_1',
    subscription: 'sub_1',
    source: { type: 'coupon', coupon: 'FRIDAY' },
  };
  const sub = (discounts: readonly unknown[]) =>
    subscription({ id: 'sub_1', customer: 'cus_1', at, prices: [{ price: ten }], more: { discounts } });
  const coupons = mini.happen('coupon.created', coupon, '2026-11-17T10:00:00Z');
  const discounts = mini.happen('customer.discount.created', discount, at);
  const subscriptions = mini.happen('customer.subscription.created', sub(['di_1']), at);
  mini.put(sub([discount]));
  // The coupon last: the subscription names nothing but the discount.
  for (const event of [subscriptions, discounts, coupons]) await harness.deliver(event);
  expect(await harness.history('sub_1')).toEqual(['2026-11-17 active ?']);

  const [first, ...later] = await runOn(['2026-11-18', '2026-11-19', '2026-11-20']);
  expect(first).toContain('/v1/coupons/FRIDAY');
  expect(later.flat()).toEqual([]);
  expect(await harness.history('sub_1')).toEqual(['2026-11-17 active 5']);
  expect(harness.warnings).toEqual([]);
});

it('a tiered price that events alone told of: its tiers are asked for, once, and stay', async () => {
  const mini = await begin();
  const at = '2026-11-17T12:00:00Z';
  const vague = price('price_t', 0, {
    billing_scheme: 'tiered',
    tiers_mode: 'volume',
    unit_amount: null,
    unit_amount_decimal: null,
    created: seconds(at),
  });
  const tiers = [{ up_to: null, unit_amount: 700, unit_amount_decimal: '700', flat_amount: null }];
  const sub = (of: object, period?: string) =>
    subscription({
      id: 'sub_t',
      customer: 'cus_1',
      at,
      ...(period === undefined ? {} : { period }),
      prices: [{ price: { ...vague, ...of }, quantity: 3 }],
    });
  await harness.deliver(mini.happen('price.created', vague, at));
  await harness.deliver(mini.happen('customer.subscription.created', sub({}), at));
  mini.put({ ...vague, tiers });
  // Stripe answers single readings with the tiers that were asked for, lists of subscriptions without them.
  mini.intercept = ({ path }) => (path === '/v1/subscriptions/sub_t' ? { body: sub({ tiers }) } : undefined);

  const [first, ...later] = await runOn(['2026-11-18', '2026-11-19', '2026-11-20']);
  expect(first).toContain('/v1/prices/price_t');
  expect(later.flat()).toEqual([]);
  expect(await harness.history('sub_t')).toEqual(['2026-11-17 active 21']);
  expect(harness.warnings).toEqual([]);

  const renewed = sub({}, '2026-11-20T12:00:00Z');
  await harness.deliver(
    mini.happen('customer.subscription.updated', renewed, '2026-11-20T12:00:00Z', {
      previous_attributes: { current_period_end: 0 },
    }),
  );
  expect((await harness.history('sub_t')).at(-1)).toBe('2026-11-20 active 21');
});
