/** What Stripe leaves out unless it is asked for: amounts in other currencies, and coupons that were deleted. */
import { readFile } from 'node:fs/promises';

import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';

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

const TODAY = '2026-11-21T09:00:00Z';
const TOMORROW = '2026-11-22T09:00:00Z';
const SINCE = '2026-11-01T10:00:00Z';
const MIGRATION = new URL(
  '../../../../supabase/migrations/20261121116100_value_other_currencies.sql',
  import.meta.url,
);

let harness: Harness;
useHarness((opened) => (harness = opened));

/** 10.00 USD, or 5.95 EUR with tax, a month; its own currency is among the options too. */
const ten = price('price_10', 1000, {
  tax_behavior: 'exclusive',
  currency_options: {
    usd: { unit_amount: 1000, unit_amount_decimal: '1000', tax_behavior: 'exclusive' },
    eur: { unit_amount: 595, unit_amount_decimal: '595', tax_behavior: 'inclusive' },
  },
});
const tier = (amount: number) => ({
  up_to: null,
  unit_amount: amount,
  unit_amount_decimal: String(amount),
  flat_amount: null,
  flat_amount_decimal: null,
});
/** 7.00 USD or 6.00 EUR a unit, by tiers. */
const tiered = price('price_tiers', 0, {
  billing_scheme: 'tiered',
  tiers_mode: 'volume',
  unit_amount: null,
  unit_amount_decimal: null,
  tiers: [tier(700)],
  currency_options: {
    usd: { unit_amount: null, unit_amount_decimal: null, tax_behavior: null, tiers: [tier(700)] },
    eur: { unit_amount: null, unit_amount_decimal: null, tax_behavior: null, tiers: [tier(600)] },
  },
});
/** 5.00 USD or 4.00 EUR off. */
const fiveOff: MiniObject = {
  id: 'FIVE',
  object: 'coupon',
  created: seconds('2026-01-01T00:00:00Z'),
  livemode: true,
  percent_off: null,
  amount_off: 500,
  currency: 'usd',
  currency_options: { usd: { amount_off: 500 }, eur: { amount_off: 400 } },
  duration: 'forever',
  duration_in_months: null,
};
const discountOf = (coupon: MiniObject) => ({
  id: `di_${coupon.id}`,
  object: 'discount',
  start: seconds(SINCE),
  end: null,
  source: { type: 'coupon', coupon },
});

function inCurrency(id: string, currency: string, of: MiniObject, more: Record<string, unknown> = {}) {
  return subscription({ id, at: SINCE, prices: [{ price: of, quantity: 2 }], more: { currency, ...more } });
}

/** An account that sells these, with these subscriptions. */
async function begin(sold: readonly MiniObject[], subscriptions: readonly MiniObject[]) {
  const mini = await harness.reset(TODAY);
  mini.put(product('prod_1'), ...sold, ...subscriptions);
  for (const { id } of subscriptions) mini.put(customer(`cus_${id}`, SINCE));
  return mini;
}
/** What the migration does with what is there. */
async function markStored(): Promise<void> {
  const text = await readFile(MIGRATION, 'utf8');
  await sql.raw(text.slice(text.indexOf('-- What was stored before this'))).execute(harness.session.db);
}

const latest = async (id: string) => (await harness.history(id)).at(-1);

describe('a price of several currencies', () => {
  it('is worth its amount in the subscription’s, and nothing that is known in a third one', async () => {
    const taxed = {
      default_tax_rates: [{ id: 'txr_1', object: 'tax_rate', inclusive: true, percentage: 19 }],
    };
    await begin(
      [ten, tiered],
      [
        inCurrency('sub_usd', 'usd', ten),
        inCurrency('sub_eur', 'eur', ten, taxed),
        inCurrency('sub_untaxed', 'eur', ten),
        inCurrency('sub_gbp', 'gbp', ten, taxed),
        inCurrency('sub_tiers', 'eur', tiered),
      ],
    );
    expect(await harness.run()).toMatchObject({ status: 'succeeded' });
    expect(await latest('sub_usd')).toBe('2026-11-21 active 20');
    expect(await latest('sub_eur')).toBe('2026-11-21 active 10');
    // Its amount in euros includes a tax of which nobody says how much it is.
    expect(await latest('sub_untaxed')).toBe('2026-11-21 active ?');
    expect(await latest('sub_gbp')).toBe('2026-11-21 active ?');
    expect(await latest('sub_tiers')).toBe('2026-11-21 active 12');
  });

  it('that came by an event is asked for, and no drift', async () => {
    const mini = await begin([], []);
    await harness.run();
    mini.now = TOMORROW;
    const sold = price('price_new', 1000, {
      currency_options: {
        eur: { unit_amount: 900, unit_amount_decimal: '900', tax_behavior: 'unspecified' },
      },
    });
    mini.happen('price.created', sold, '2026-11-21T10:00:00Z');
    mini.happen('customer.created', customer('cus_sub_1', SINCE), '2026-11-21T10:00:00Z');
    mini.happen('customer.subscription.created', inCurrency('sub_1', 'eur', sold), '2026-11-21T10:00:05Z');
    expect((await harness.run()).metadata).toMatchObject({ drift: [] });
    expect(harness.warnings).toEqual([]);
    expect(await latest('sub_1')).toBe('2026-11-21 active 18');
    // From then on an event, which tells no more than before, is enough.
    const told = inCurrency('sub_1', 'eur', price('price_new', 1000), { cancel_at_period_end: true });
    await harness.deliver(mini.happen('customer.subscription.updated', told, '2026-11-22T10:00:00Z'));
    expect(await latest('sub_1')).toBe('2026-11-22 active 18');
  });

  it('that was read before options were asked for is read again by itself', async () => {
    const mini = await begin(
      [ten, fiveOff],
      [inCurrency('sub_1', 'eur', price('price_10', 1000), { discounts: [discountOf(fiveOff)] })],
    );
    mini.intercept = ({ path }) =>
      path === '/v1/prices'
        ? { body: { object: 'list', url: path, has_more: false, data: [price('price_10', 1000)] } }
        : undefined;
    await harness.run();
    mini.intercept = undefined;
    await sql`update billing_objects set data = data - 'currency_options'`.execute(harness.session.db);
    expect(await latest('sub_1')).toBe('2026-11-21 active ?');
    await markStored();
    mini.put(price('price_10', 1000, { currency_options: { eur: { unit_amount: 900 } } }));
    mini.now = '2026-11-21T10:00:00Z';
    await harness.run();
    expect(await latest('sub_1')).toBe('2026-11-21 active 14');
    const asked = mini.requests.length;
    mini.now = '2026-11-21T11:00:00Z';
    await harness.run();
    expect(mini.requests.slice(asked).filter(({ path }) => path.startsWith('/v1/prices'))).toEqual([]);
  });

  it('that gets another currency later is found by the nightly comparison', async () => {
    const mini = await begin(
      [price('price_10', 1000)],
      [inCurrency('sub_1', 'eur', price('price_10', 1000))],
    );
    await harness.run();
    expect(await latest('sub_1')).toBe('2026-11-21 active ?');
    mini.put(price('price_10', 1000, { currency_options: { eur: { unit_amount: 900 } } }));
    mini.now = TOMORROW;
    await harness.run();
    expect(harness.warnings).toEqual([containing('price: 0 missing here, 0 missing there, 1 different')]);
    expect(await latest('sub_1')).toBe('2026-11-21 active 18');
  });

  it('is worth as much in the past that invoices tell', async () => {
    const sold = price('price_old', 1000, {
      currency_options: {
        eur: { unit_amount: 900, unit_amount_decimal: '900', tax_behavior: 'unspecified' },
      },
    });
    const sub = subscription({
      id: 'sub_1',
      at: '2026-09-01T10:00:00Z',
      period: '2026-11-01T10:00:00Z',
      prices: [{ price: sold }],
      more: { currency: 'eur' },
    });
    const mini = await begin([sold], [sub]);
    mini.put(
      invoice(
        'in_10',
        sub,
        '2026-10-01T10:00:00Z',
        [{ item: 'si_sub_1_0', price: sold, amount: 900, to: '2026-11-01T10:00:00Z' }],
        { currency: 'eur' },
      ),
    );
    await harness.run();
    expect(new Set((await harness.history('sub_1')).map((line) => line.split(' ')[2]))).toEqual(
      new Set(['9']),
    );
  });
});

describe('a coupon', () => {
  it('takes off its amount in the subscription’s currency', async () => {
    const eur = price('price_eur', 1000, { currency: 'eur' });
    const gbp = price('price_gbp', 1000, { currency: 'gbp' });
    const discounts = [discountOf(fiveOff)];
    await begin(
      [eur, gbp, fiveOff],
      [inCurrency('sub_eur', 'eur', eur, { discounts }), inCurrency('sub_gbp', 'gbp', gbp, { discounts })],
    );
    await harness.run();
    expect(await latest('sub_eur')).toBe('2026-11-21 active 16');
    expect(await latest('sub_gbp')).toBe('2026-11-21 active ?');
  });

  const deleted = { ...fiveOff, id: 'GONE', applies_to: { products: ['prod_1'] } };
  const discounted = inCurrency('sub_1', 'usd', price('price_10', 1000), {
    discounts: [discountOf(deleted)],
  });

  it('that was deleted before it was known goes on for the subscriptions that have it', async () => {
    const mini = await begin([price('price_10', 1000)], [discounted]);
    await harness.run();
    expect(await latest('sub_1')).toBe('2026-11-21 active 15');
    // An event names the discount alone.
    mini.now = TOMORROW;
    const named = { ...discounted, discounts: ['di_GONE'], cancel_at_period_end: true };
    await harness.deliver(mini.happen('customer.subscription.updated', named, '2026-11-22T08:00:00Z'));
    expect(await latest('sub_1')).toBe('2026-11-22 active 15');
    mini.put(discounted);
    expect((await harness.run()).metadata).toMatchObject({ drift: [] });
  });

  it('that was deleted before anyone read it is known by the subscription, on the days before too', async () => {
    const mini = await begin([price('price_10', 1000)], []);
    await harness.run();
    const named = { ...discounted, discounts: ['di_GONE'] };
    mini.happen('customer.created', customer('cus_sub_1', SINCE), '2026-11-21T10:00:00Z');
    mini.happen('coupon.created', deleted, '2026-11-21T10:00:00Z');
    mini.happen('customer.discount.created', { ...discountOf(deleted), created: 0 }, '2026-11-21T10:00:01Z');
    mini.happen('customer.subscription.created', named, '2026-11-21T10:00:01Z');
    const ending = { ...named, cancel_at_period_end: true };
    mini.happen('customer.subscription.updated', ending, '2026-11-22T08:00:00Z');
    mini.happen('coupon.deleted', deleted, '2026-11-22T08:30:00Z');
    mini.remove('GONE');
    mini.put({ ...discounted, cancel_at_period_end: true });
    mini.now = TOMORROW;
    expect((await harness.run()).metadata).toMatchObject({ drift: [] });
    expect(await harness.history('sub_1')).toEqual(['2026-11-21 active 15', '2026-11-22 active 15']);
    // From then on an event is enough.
    await harness.deliver(mini.happen('customer.subscription.updated', named, '2026-11-23T08:00:00Z'));
    expect(await latest('sub_1')).toBe('2026-11-23 active 15');
  });

  it('that was deleted is asked for again where a subscription had no value for it', async () => {
    const mini = await begin([price('price_10', 1000)], [discounted]);
    // As it was read before: by the list alone.
    mini.intercept = ({ path }) =>
      path === '/v1/subscriptions/sub_1' ? { status: 404, body: { error: { message: 'No' } } } : undefined;
    await harness.run();
    mini.intercept = undefined;
    expect(await latest('sub_1')).toBe('2026-11-21 active ?');
    await markStored();
    mini.now = '2026-11-21T10:00:00Z';
    await harness.run();
    expect(await latest('sub_1')).toBe('2026-11-21 active 15');
    const named = { ...discounted, discounts: ['di_GONE'], cancel_at_period_end: true };
    await harness.deliver(mini.happen('customer.subscription.updated', named, '2026-11-22T08:00:00Z'));
    expect(await latest('sub_1')).toBe('2026-11-22 active 15');
  });
});
