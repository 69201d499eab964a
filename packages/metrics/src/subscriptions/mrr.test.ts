/** What a subscription is worth a month: every rule with numbers worked out by hand. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { connect, type Session } from '@floyo/shared/db';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

let database: TestDatabase;
let session: Session;
beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

const NOW = '2026-03-10T12:00:00Z';

/** 10.00 USD a month. */
const MONTHLY = {
  id: 'price_1',
  product: 'prod_1',
  currency: 'usd',
  type: 'recurring',
  billing_scheme: 'per_unit',
  tiers_mode: null,
  tiers: null,
  unit_amount: '1000',
  transform: null,
  usage_type: 'licensed',
  interval: 'month',
  interval_count: 1,
  tax_behavior: 'unspecified',
};
const YEARLY = { ...MONTHLY, interval: 'year' };

const item = (price: object, rest: object = {}) => ({
  id: 'si_1',
  quantity: 1,
  price,
  discounts: [],
  inclusive_tax_percent: null,
  ...rest,
});

const coupon = (rest: object) => ({
  id: 'c',
  percent_off: null,
  amount_off: null,
  currency: null,
  duration: 'forever',
  duration_in_months: null,
  applies_to: null,
  ...rest,
});
const discount = (rest: object, dates: object = {}) => ({
  id: 'di',
  coupon: coupon(rest),
  start: '2026-01-01T00:00:00Z',
  end: null,
  ...dates,
});

async function value(
  items: readonly object[],
  discounts: readonly object[] = [],
  at = NOW,
  account = 'default',
) {
  const { rows } = await sql<{ net: string | null; gross: string; unknown: number }>`
    select net::text, gross::text, unknown
    from public.subscription_mrr(${JSON.stringify(items)}::jsonb, ${JSON.stringify(discounts)}::jsonb, ${account}, true, ${at}::timestamptz)`.execute(
    session.db,
  );
  return rows[0];
}
const net = async (...args: Parameters<typeof value>) => (await value(...args))?.net;

async function know(type: string, id: string, data: object): Promise<void> {
  await sql`
    insert into public.billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, rank, deleted, data)
    values (${`stripe:${id}`}, '2026-03-01', 'default', true, ${type}, ${id}, '2026-03-01', 'api', 0, false, ${JSON.stringify(data)}::jsonb)`.execute(
    session.db,
  );
}

test('an item is brought to a month by its own interval, and an interval may be mixed', async () => {
  const every = (interval: string, count: number) =>
    net([item({ ...MONTHLY, interval, interval_count: count })]);
  expect(await every('month', 1)).toBe('10');
  expect(await every('month', 3)).toBe('3.3333333333');
  expect(await every('year', 1)).toBe('0.8333333333');
  expect(await every('year', 2)).toBe('0.4166666667');
  // 10 × 52 / 12 and 10 × 365 / 12.
  expect(await every('week', 1)).toBe('43.3333333333');
  expect(await every('week', 2)).toBe('21.6666666667');
  expect(await every('day', 1)).toBe('304.1666666667');
  expect(await net([item(MONTHLY), item({ ...YEARLY, unit_amount: '12000' })])).toBe('20');
});

test('unit amounts may be fractions of a cent; quantity counts, none is 1, and 0 is nothing', async () => {
  expect(await net([item({ ...MONTHLY, unit_amount: '0.5' }, { quantity: 333 })])).toBe('1.665');
  expect(await net([item(MONTHLY, { quantity: 7 })])).toBe('70');
  expect(await net([item(MONTHLY, { quantity: null })])).toBe('10');
  expect(await net([item(MONTHLY, { quantity: 0 })])).toBe('0');
  expect(await net([])).toBe('0');
});

test('quantities in packages are rounded up or down', async () => {
  const packages = (round: string, quantity: number) =>
    net([item({ ...MONTHLY, transform: { divide_by: 5, round } }, { quantity })]);
  expect(await packages('up', 11)).toBe('30');
  expect(await packages('down', 11)).toBe('20');
  expect(await packages('up', 10)).toBe('20');
  expect(await packages('down', 4)).toBe('0');
});

const TIERS = [
  { up_to: 5, unit_amount: '700', flat_amount: '1000' },
  { up_to: 10, unit_amount: '650', flat_amount: null },
  { up_to: null, unit_amount: '600', flat_amount: '500' },
];

test('volume prices: the whole quantity at the tier that it reaches, with that tier’s flat amount', async () => {
  const volume = (quantity: number) =>
    net([
      item(
        { ...MONTHLY, billing_scheme: 'tiered', tiers_mode: 'volume', tiers: TIERS, unit_amount: null },
        { quantity },
      ),
    ]);
  expect(await volume(5)).toBe('45'); // 10 + 5 × 7
  expect(await volume(6)).toBe('39'); // 6 × 6.50
  expect(await volume(20)).toBe('125'); // 5 + 20 × 6
  expect(await volume(0)).toBe('0');
});

test('graduated prices: every tier for the units in it, with the flat amounts of those reached', async () => {
  const graduated = (quantity: number, tiers: object[] = TIERS) =>
    value([
      item(
        { ...MONTHLY, billing_scheme: 'tiered', tiers_mode: 'graduated', tiers, unit_amount: null },
        { quantity },
      ),
    ]);
  expect((await graduated(5))?.net).toBe('45'); // 10 + 5 × 7
  expect((await graduated(6))?.net).toBe('51.5'); // + 6.50
  expect((await graduated(12))?.net).toBe('94.5'); // 45 + 5 × 6.50 + 5 + 2 × 6
  expect((await graduated(0))?.net).toBe('0');
  // Tiers that end before the quantity say nothing of it.
  expect(await graduated(6, [{ up_to: 5, unit_amount: '1', flat_amount: null }])).toMatchObject({
    net: null,
    unknown: 1,
  });
});

test('metered and one-time items are nothing, whatever they cost', async () => {
  expect(await net([item({ ...MONTHLY, usage_type: 'metered' }, { quantity: null }), item(MONTHLY)])).toBe(
    '10',
  );
  expect(await net([item({ ...MONTHLY, type: 'one_time', interval: null })])).toBe('0');
});

test('an item in a trial of its own is nothing until it ends', async () => {
  const trial = item(MONTHLY, { trial_end: '2026-03-11T00:00:00Z' });
  expect(await net([trial, item(MONTHLY)])).toBe('10');
  expect(await net([trial, item(MONTHLY)], [], '2026-03-11T00:00:00Z')).toBe('20');
});

test('tax that the price includes is no value; where nobody says how much it is, the value is unknown', async () => {
  const inclusive = { ...MONTHLY, unit_amount: '1190', tax_behavior: 'inclusive' };
  expect(await net([item(inclusive, { inclusive_tax_percent: '19' })])).toBe('10');
  expect(await net([item(inclusive, { inclusive_tax_percent: '0' })])).toBe('11.9');
  expect(await value([item(inclusive)])).toMatchObject({ net: null, unknown: 1 });
  // A discount comes off the price with tax, as on the invoice: (11.90 - 2.38) / 1.19.
  expect(
    await net(
      [item(inclusive, { inclusive_tax_percent: '19' })],
      [discount({ amount_off: '238', currency: 'usd' })],
    ),
  ).toBe('8');
});

test('currencies without and with three decimals', async () => {
  const of = (currency: string) => net([item({ ...MONTHLY, currency })]);
  expect(await of('jpy')).toBe('1000');
  expect(await of('kwd')).toBe('1');
  expect(await of('isk')).toBe('10');
  expect(await of('ugx')).toBe('10');
  expect(await of('EUR')).toBe('10');
});

test('percentages are taken of what is left, those of the item before those of the subscription', async () => {
  expect(await net([item(MONTHLY)], [discount({ percent_off: '25' })])).toBe('7.5');
  expect(await net([item(MONTHLY)], [discount({ percent_off: '50' }), discount({ percent_off: '50' })])).toBe(
    '2.5',
  );
  // The item's 5.00 first and then the half: (10 - 5) / 2, not 10 / 2 - 5.
  const own = item(MONTHLY, { discounts: [discount({ amount_off: '500', currency: 'usd' })] });
  expect(await net([own], [discount({ percent_off: '50' })])).toBe('2.5');
  expect(await value([own], [discount({ percent_off: '100' })])).toMatchObject({ net: '0', gross: '10' });
  // An item's own discount leaves the other one alone.
  expect(await net([own, item(MONTHLY)])).toBe('15');
});

test('an amount off is spread by amount, is per billing period and never makes less than nothing', async () => {
  const off = (amount: string, rest: object = {}) =>
    discount({ amount_off: amount, currency: 'usd', ...rest });
  // 12.00 off 120.00 a year is 1.00 a month.
  expect(await net([item({ ...YEARLY, unit_amount: '12000' })], [off('1200')])).toBe('9');
  expect(await net([item(MONTHLY), item({ ...MONTHLY, unit_amount: '2000' })], [off('600')])).toBe('24');
  // 6.00 off 10.00 and 20.00 are 2.00 and 4.00: 40 % off what is left of the second makes 8 + 9.60.
  const second = item({ ...MONTHLY, product: 'prod_2', unit_amount: '2000' });
  expect(
    await net([item(MONTHLY), second], [off('600'), discount({ percent_off: '40', applies_to: ['prod_2'] })]),
  ).toBe('17.6');
  expect(await net([item(MONTHLY)], [off('5000')])).toBe('0');
  // Thirds: the sum stays exact.
  const three = [1, 2, 3].map(() => item(MONTHLY));
  expect(await net(three, [off('1000')])).toBe('20');
  expect(await value([item(MONTHLY)], [discount({ amount_off: '100', currency: 'eur' })])).toMatchObject({
    net: null,
    unknown: 1,
  });
});

test('a coupon takes off nothing but its products', async () => {
  const items = [item(MONTHLY), item({ ...MONTHLY, product: 'prod_2', unit_amount: '2000' })];
  expect(await net(items, [discount({ percent_off: '50', applies_to: ['prod_2'] })])).toBe('20');
  expect(await net(items, [discount({ amount_off: '500', currency: 'usd', applies_to: ['prod_2'] })])).toBe(
    '25',
  );
  expect(await net(items, [discount({ percent_off: '50', applies_to: ['prod_3'] })])).toBe('30');
});

test('a discount counts from its start until its end, and once is never', async () => {
  const dated = discount(
    { percent_off: '50', duration: 'repeating', duration_in_months: 2 },
    { start: '2026-02-01T00:00:00Z', end: '2026-04-01T00:00:00Z' },
  );
  const at = (instant: string) => net([item(MONTHLY)], [dated], instant);
  expect(await at('2026-01-31T23:59:59.999Z')).toBe('10');
  expect(await at('2026-02-01T00:00:00Z')).toBe('5');
  expect(await at('2026-03-31T23:59:59.999Z')).toBe('5');
  expect(await at('2026-04-01T00:00:00Z')).toBe('10');
  // Two months from the start, where the end is not told.
  const open = { ...dated, end: null };
  expect(await net([item(MONTHLY)], [open], '2026-03-31T23:59:59.999Z')).toBe('5');
  expect(await net([item(MONTHLY)], [open], '2026-04-01T00:00:00Z')).toBe('10');
  expect(await net([item(MONTHLY)], [discount({ percent_off: '50', duration: 'once' })])).toBe('10');
});

test('what a payload leaves out is looked up, and unknown until it is known', async () => {
  const short = item(
    {
      id: 'price_tiers',
      product: 'prod_1',
      currency: 'usd',
      type: 'recurring',
      billing_scheme: 'tiered',
      tiers_mode: 'graduated',
      tiers: null,
      interval: 'month',
      interval_count: 1,
    },
    { quantity: 2 },
  );
  expect(await value([short, item(MONTHLY)])).toEqual({ net: null, gross: '10', unknown: 1 });
  await know('price', 'price_tiers', {
    ...MONTHLY,
    id: 'price_tiers',
    billing_scheme: 'tiered',
    tiers_mode: 'graduated',
    tiers: TIERS,
    unit_amount: null,
  });
  expect(await net([short, item(MONTHLY)])).toBe('34');
  // Another account's price is another price.
  expect(await net([short], [], NOW, 'acct_1')).toBeNull();

  const byId = { id: 'di_1', coupon: null, start: null, end: null };
  expect(await value([item(MONTHLY)], [byId])).toEqual({ net: null, gross: '10', unknown: 1 });
  await know('discount', 'di_1', {
    id: 'di_1',
    coupon: { id: 'half' },
    start: '2026-01-01T00:00:00Z',
    end: '2026-03-11T00:00:00Z',
  });
  expect(await net([item(MONTHLY)], [byId])).toBeNull();
  await know('coupon', 'half', coupon({ id: 'half', percent_off: '50' }));
  expect(await net([item(MONTHLY)], [byId])).toBe('5');
  expect(await net([item(MONTHLY)], [byId], '2026-03-11T00:00:00Z')).toBe('10');

  // A coupon whose products are not told may cover anything.
  const { applies_to: untold, ...vague } = coupon({ id: 'vague', percent_off: '50' });
  expect(untold).toBeNull();
  expect(await net([item(MONTHLY)], [{ id: 'di_2', coupon: vague, start: null, end: null }])).toBeNull();
  await know('coupon', 'vague', coupon({ id: 'vague', percent_off: '50', applies_to: ['prod_9'] }));
  expect(await net([item(MONTHLY)], [{ id: 'di_2', coupon: vague, start: null, end: null }])).toBe('10');
});

test('a price and a coupon of several currencies are worth what they are in the subscription’s', async () => {
  const inCurrency = (currency: string, id: string, rest: object = {}) =>
    item({ ...MONTHLY, id, currency, unit_amount: null, tax_behavior: null, ...rest }, { quantity: 2 });
  await know('price', 'price_many', {
    ...MONTHLY,
    id: 'price_many',
    currency_options: {
      EUR: { unit_amount: '900', tiers: null, tax_behavior: 'unspecified' },
      JPY: { unit_amount: '1500', tiers: null, tax_behavior: 'unspecified' },
      GBP: { unit_amount: '800', tiers: null, tax_behavior: 'inclusive' },
    },
  });
  expect(await net([inCurrency('USD', 'price_many')])).toBe('20');
  expect(await net([inCurrency('EUR', 'price_many')])).toBe('18');
  expect(await net([inCurrency('JPY', 'price_many')])).toBe('3000');
  // Whether tax is included is each currency's own.
  expect(await net([inCurrency('GBP', 'price_many')])).toBeNull();
  expect(await value([inCurrency('CHF', 'price_many')])).toMatchObject({ net: null, unknown: 1 });
  const steps = { billing_scheme: 'tiered', tiers_mode: 'graduated' };
  await know('price', 'price_steps', {
    ...MONTHLY,
    ...steps,
    id: 'price_steps',
    unit_amount: null,
    tiers: TIERS,
    currency_options: {
      EUR: {
        unit_amount: null,
        tax_behavior: null,
        tiers: [{ up_to: null, unit_amount: '300', flat_amount: null }],
      },
      GBP: { unit_amount: null, tax_behavior: null, tiers: null },
    },
  });
  expect(await net([inCurrency('EUR', 'price_steps', steps)])).toBe('6');
  expect(await net([inCurrency('GBP', 'price_steps', steps)])).toBeNull();
  expect(await net([inCurrency('CHF', 'price_steps', { ...steps, usage_type: 'metered' })])).toBe('0');

  const off = discount({
    amount_off: '500',
    currency: 'USD',
    currency_options: { EUR: { amount_off: '400' } },
  });
  const ten = (currency: string) => item({ ...MONTHLY, currency });
  expect(await net([ten('usd')], [off])).toBe('5');
  expect(await net([ten('eur')], [off])).toBe('6');
  expect(await net([ten('gbp')], [off])).toBeNull();
  // Where the discount leaves it out, it is looked up.
  const untold = discount({ id: 'many', amount_off: '500', currency: 'USD' });
  expect(await net([ten('eur')], [untold])).toBeNull();
  await know('coupon', 'many', coupon({ id: 'many', currency_options: { EUR: { amount_off: '300' } } }));
  expect(await net([ten('eur')], [untold])).toBe('7');
  expect(await net([ten('usd')], [untold])).toBe('5');
});

test('where nothing counts, a coupon takes off nothing, whatever its currency', async () => {
  const off = [discount({ amount_off: '500', currency: 'usd' })];
  expect(await value([item({ ...MONTHLY, usage_type: 'metered' })], off)).toEqual({
    net: '0',
    gross: '0',
    unknown: 0,
  });
  expect(await net([item({ ...MONTHLY, currency: 'eur' }, { quantity: 0 })], off)).toBe('0');
});

test('the same value reached in two ways is the same', async () => {
  const third = { ...MONTHLY, unit_amount: '1000', interval: 'year' };
  expect(await net([1, 2, 3].map(() => item(third)))).toBe(await net([item(third, { quantity: 3 })]));
  expect(await net([item(third, { quantity: 3 })])).toBe('2.5');
});

test('a subscription counts while it is billed: not in trial, not paused', async () => {
  const counts = async (status: string, trialEnd: string | null = null, pause: string | null = null) => {
    const { rows } = await sql<{ counts: boolean }>`
      select public.subscription_counts(${status}, ${trialEnd}::timestamptz, ${pause}, ${NOW}::timestamptz) as counts`.execute(
      session.db,
    );
    return rows[0]?.counts;
  };
  expect(await counts('active')).toBe(true);
  expect(await counts('past_due')).toBe(true);
  for (const status of [
    'trialing',
    'incomplete',
    'incomplete_expired',
    'unpaid',
    'canceled',
    'paused',
    'another',
  ])
    expect(await counts(status), status).toBe(false);
  expect(await counts('active', NOW)).toBe(true);
  expect(await counts('active', '2026-03-10T12:00:01Z')).toBe(false);
  expect(await counts('active', null, 'keep_as_draft')).toBe(true);
  expect(await counts('active', null, 'void')).toBe(false);
  expect(await counts('active', null, 'mark_uncollectible')).toBe(false);
});
