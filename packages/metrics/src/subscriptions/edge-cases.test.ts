/** What subscriptions do in life, and which movements of MRR that is: one customer a case, one run for all of them. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  discount,
  findBrokenDays,
  insertVersions,
  item,
  price,
  STRIPE,
  type Version,
} from '../testing/billing.ts';
import { createWorld, type World } from '../testing/world.ts';

let world: World;

const plan = (amount: string, rest: object = {}) => [item(price(amount, rest))];
const YEAR = { interval: 'year' };
const METERED = { usage_type: 'metered' };
const FIVE_OFF = discount({ percent_off: null, amount_off: '500', currency: 'USD' });

/** Versions of a case's subscription `id`; days are of March 2026. */
const of = (id: string, ...versions: (Omit<Version, 'id' | 'at'> & { readonly day: number })[]): Version[] =>
  versions.map(({ day, ...version }, index) => ({
    id,
    at: `2026-03-0${day}T1${index}:00:00Z`,
    customer: id.replace(/_\d$/, ''),
    ...version,
  }));

const CASES: readonly Version[] = [
  // Proration is on the invoice alone.
  ...of('upgrade', { day: 1 }, { day: 4, items: plan('3000') }),
  ...of(
    'zero',
    { day: 1, items: [item(price('1000'), { quantity: 0 })] },
    { day: 3, items: [item(price('1000'), { quantity: 2 })] },
  ),
  ...of('free', { day: 1, items: plan('0') }, { day: 3 }),
  ...of('gift', { day: 1 }, { day: 3, discounts: [discount({ percent_off: '100' })] }),
  ...of('coupon', {
    day: 1,
    discounts: [
      discount(
        { duration: 'repeating', duration_in_months: 1 },
        { start: '2026-02-05T00:00:00Z', end: '2026-03-05T15:00:00Z' },
      ),
    ],
  }),
  ...of('once', { day: 1, discounts: [discount({ duration: 'once' })] }),
  ...of(
    'price',
    { day: 1, items: plan('1000') },
    { day: 3, items: [item(price('1500', { id: 'price_other' }))] },
  ),
  // The item goes from one subscription to another of the same customer.
  ...of(
    'moved_1',
    { day: 1, items: [item(price('1000')), item(price('500'))] },
    { day: 3, items: plan('1000') },
  ),
  ...of('moved_2', { day: 3, items: plan('500') }),
  ...of('two_1', { day: 1 }),
  ...of(
    'two_2',
    { day: 1, items: plan('500') },
    {
      day: 3,
      items: plan('500'),
      status: 'canceled',
      ended_at: '2026-03-03T10:00:00Z',
      cancellation_reason: 'cancellation_requested',
    },
  ),
  ...of('currency', { day: 1 }, { day: 3, currency: 'EUR', items: plan('900', { currency: 'eur' }) }),
  ...of(
    'annual',
    { day: 1, items: plan('12000', YEAR) },
    {
      day: 2,
      items: plan('12000', YEAR),
      cancel_at_period_end: true,
      current_period_end: '2026-03-06T10:00:00Z',
    },
    {
      day: 6,
      items: plan('12000', YEAR),
      status: 'canceled',
      ended_at: '2026-03-06T10:00:00Z',
      cancel_at_period_end: true,
      cancellation_reason: 'cancellation_requested',
    },
  ),
  ...of('backdated', { day: 3, started_at: '2025-11-01T00:00:00Z' }),
  ...of(
    'trial',
    { day: 1, status: 'trialing', trial_start: '2026-03-01T10:00:00Z', trial_end: '2026-03-03T10:00:00Z' },
    { day: 2, status: 'trialing', trial_start: '2026-03-01T10:00:00Z', trial_end: '2026-03-05T10:00:00Z' },
    { day: 5, trial_start: '2026-03-01T10:00:00Z', trial_end: '2026-03-05T10:00:00Z' },
  ),
  // Nobody told that the trial is over: the first invoice is not paid yet, and it counts all the same.
  ...of('trial-unpaid', { day: 1, trial_start: '2026-03-01T10:00:00Z', trial_end: '2026-03-04T10:00:00Z' }),
  ...of('incomplete', { day: 1, status: 'incomplete' }, { day: 2, status: 'incomplete_expired' }),
  ...of('dunned', { day: 1 }, { day: 3, status: 'past_due' }, { day: 5 }),
  ...of('unpaid', { day: 1 }, { day: 3, status: 'unpaid' }, { day: 5 }),
  ...of('paused', { day: 1 }, { day: 3, pause_behavior: 'void' }, { day: 5 }),
  ...of('drafts', { day: 1 }, { day: 3, pause_behavior: 'keep_as_draft' }),
  // A schedule's phases to come are no part of the subscription; when one begins, its items are.
  ...of('schedule', { day: 1, items: plan('1000') }, { day: 5, items: plan('2000') }),
  ...of('invoiced', { day: 1, items: plan('1000') }),
  ...of(
    'failed',
    { day: 1 },
    { day: 4, status: 'canceled', ended_at: '2026-03-04T10:00:00Z', cancellation_reason: 'payment_failed' },
  ),
  ...of(
    'disputed',
    { day: 1 },
    { day: 4, status: 'canceled', ended_at: '2026-03-04T10:00:00Z', cancellation_reason: 'payment_disputed' },
  ),
  ...of(
    'retired',
    { day: 1 },
    {
      day: 4,
      status: 'canceled',
      ended_at: '2026-03-04T10:00:00Z',
      cancellation_reason: 'canceled_by_retention_policy',
    },
  ),
  ...of('erased', { day: 1 }),
  // It ended while no event came; who was told to end it is known by then.
  ...of('silent', { day: 1, cancel_at: '2026-03-04T10:00:00Z' }),
  ...of(
    'late',
    { day: 1 },
    { day: 6, status: 'canceled', ended_at: '2026-03-04T10:00:00Z', cancellation_reason: 'payment_failed' },
  ),
  ...of('short', { day: 1 }, { day: 1, status: 'canceled', ended_at: '2026-03-01T20:00:00Z' }),
  ...of('returned', { day: 1 }, { day: 2, status: 'canceled', ended_at: '2026-03-02T10:00:00Z' }),
  ...of('returned_2', { day: 5, items: plan('2000') }),
  ...of('connected', { day: 1, account: 'acct_1' }),
  ...of('testing', { day: 1, livemode: false }),
  ...of('mixed', {
    day: 1,
    items: [item(price('1000')), item(price('12000', YEAR)), item(price('1000', { usage_type: 'metered' }))],
  }),
  // 5.00 off: there is nothing to take it off until there is a price that counts.
  ...of(
    'usage',
    { day: 1, items: plan('5', METERED), discounts: [FIVE_OFF] },
    { day: 4, items: [...plan('5', METERED), ...plan('1000')], discounts: [FIVE_OFF] },
  ),
  ...of('rebuilt', { day: 1, reconstructed: true }),
];

beforeAll(async () => {
  world = await createWorld();
  await insertVersions(world, CASES);
  await world.query(`
    insert into billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, rank, deleted)
    values ('stripe:erased', '2026-03-05', 'default', true, 'customer', 'erased', '2026-03-05T10:00:00Z', 'webhook', 0, true)`);
  await world.rate('USD', '2026-02-27', '1.2');
  await world.cover([STRIPE], '2026-03-01', '2026-03-09');
  await world.run({ accounts: [STRIPE] });
});
afterAll(() => world.close());

/** The movements of a case's customer: day, movement, before and after, and why it churned. */
async function movements(customer: string): Promise<string[]> {
  const { rows } = await world.query<{ told: string }>(`
    select concat_ws(' ', to_char(from_day, 'DD'), movement, before || '→' || mrr, reason, nullif(currency, 'USD')) as told
    from ops.customer_mrr where customer_id = '${customer}' order by from_day, currency desc`);
  return rows.map(({ told }) => told);
}

const EXPECTED: readonly (readonly [name: string, customer: string, ...moves: string[]])[] = [
  [
    'an upgrade in mid-cycle is an expansion by the new price, whatever is prorated',
    'upgrade',
    '01 new 0→10',
    '04 expansion 10→30',
  ],
  ['a quantity of 0 is nothing, and more than that is new', 'zero', '03 new 0→20'],
  ['a free plan that becomes a paid one is new', 'free', '03 new 0→10'],
  ['a coupon of 100 % is churn', 'gift', '01 new 0→10', '03 churn 10→0 other'],
  ['a coupon that ends without an event is an expansion', 'coupon', '01 new 0→5', '05 expansion 5→10'],
  ['a coupon for one invoice changes nothing', 'once', '01 new 0→10'],
  ['another price on the same item is an expansion', 'price', '01 new 0→10', '03 expansion 10→15'],
  ['an item that moves between two subscriptions of a customer is no movement', 'moved', '01 new 0→15'],
  ['one of two subscriptions cancelled is a contraction', 'two', '01 new 0→15', '03 contraction 15→10'],
  [
    'another currency is churn in the one and new in the other',
    'currency',
    '01 new 0→10',
    '03 churn 10→0 other',
    '03 new 0→9 EUR',
  ],
  [
    'a prepaid year that was cancelled counts until it ends',
    'annual',
    '01 new 0→10',
    '06 churn 10→0 voluntary',
  ],
  ['a start in the past counts from the day it was made', 'backdated', '03 new 0→10'],
  ['an extended trial counts when it ends', 'trial', '05 new 0→10'],
  ['a trial that ends without an event counts from then on', 'trial-unpaid', '04 new 0→10'],
  ['what never got paid never counts', 'incomplete'],
  ['past due is no churn', 'dunned', '01 new 0→10'],
  [
    'unpaid is involuntary churn, and active again a reactivation',
    'unpaid',
    '01 new 0→10',
    '03 churn 10→0 involuntary',
    '05 reactivation 0→10',
  ],
  [
    'a pause is churn, and its end a reactivation',
    'paused',
    '01 new 0→10',
    '03 churn 10→0 other',
    '05 reactivation 0→10',
  ],
  ['a pause that keeps drafts counts on', 'drafts', '01 new 0→10'],
  ['a phase of a schedule counts when it begins', 'schedule', '01 new 0→10', '05 expansion 10→20'],
  ['an invoice that is sent counts like one that is charged', 'invoiced', '01 new 0→10'],
  ['churn for want of payment is involuntary', 'failed', '01 new 0→10', '04 churn 10→0 involuntary'],
  ['churn after a lost dispute is involuntary', 'disputed', '01 new 0→10', '04 churn 10→0 involuntary'],
  ['another reason is neither', 'retired', '01 new 0→10', '04 churn 10→0 other'],
  ['a deleted customer is churn', 'erased', '01 new 0→10', '05 churn 10→0 other'],
  ['a subscription set to end ends by itself', 'silent', '01 new 0→10', '04 churn 10→0 voluntary'],
  ['an end that is told late was an end then', 'late', '01 new 0→10', '04 churn 10→0 involuntary'],
  ['who comes and goes on one day was never there', 'short'],
  ['who comes back is reactivated', 'returned', '01 new 0→10', '02 churn 10→0 other', '05 reactivation 0→20'],
  ['a connected account’s customers are not ours', 'connected'],
  ['test mode is not in it', 'testing'],
  ['items of different intervals add up, metered ones are nothing', 'mixed', '01 new 0→20'],
  ['an amount off usage alone takes off nothing', 'usage', '04 new 0→5'],
  ['history made from invoices counts', 'rebuilt', '01 new 0→10'],
];

for (const [name, customer, ...moves] of EXPECTED)
  test(name, async () => {
    expect(await movements(customer)).toEqual(moves);
  });

test('every case is looked at', () => {
  const customers = new Set(CASES.map(({ customer }) => customer));
  expect(new Set(EXPECTED.map(([, customer]) => customer))).toEqual(customers);
});

test('no case is of unknown value', async () => {
  const { rows } = await world.query(
    'select external_id, from_day::text from ops.mrr_spans where unknown > 0',
  );
  expect(rows).toEqual([]);
});

test('the movements of every day and currency are exactly the change of MRR', async () => {
  expect(await findBrokenDays(world)).toEqual([]);
});

test('MRR in dunning and MRR set to end are told apart while they count', async () => {
  expect(await world.value('mrr_at_risk', '2026-03-02')).toBe(0);
  expect(await world.value('mrr_at_risk', '2026-03-03')).toBe(10);
  expect(await world.value('mrr_at_risk', '2026-03-05')).toBe(0);
  // annual from the 2nd to the 5th, silent from the 1st to the 3rd.
  expect(await world.value('mrr_scheduled_churn', '2026-03-01')).toBe(10);
  expect(await world.value('mrr_scheduled_churn', '2026-03-03')).toBe(20);
  expect(await world.value('mrr_scheduled_churn', '2026-03-05')).toBe(10);
  expect(await world.value('mrr_scheduled_churn', '2026-03-06')).toBe(0);
});

test('who changes currency is no new and no lost subscriber', async () => {
  // On the 3rd: zero and free begin, gift, unpaid and paused end, backdated begins.
  expect(await world.value('new_subscribers', '2026-03-03')).toBe(3);
  expect(await world.value('churned_subscribers', '2026-03-03')).toBe(3);
  expect(await world.value('involuntary_churned_subscribers', '2026-03-03')).toBe(1);
  expect(await world.value('voluntary_churned_subscribers', '2026-03-06')).toBe(1);
});
