/** Metrics of subscriptions with numbers worked out by hand; money, trials, prices that come late, other time zones. */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { explainMetric } from '../explain.ts';
import { METRICS } from '../registry.ts';
import { SUBSCRIPTIONS } from '../registry/subscriptions.ts';
import { discount, insertVersions, item, price, STRIPE, type Version } from '../testing/billing.ts';
import { createWorld, META, type World } from '../testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.clear();
  await world.query(`update ops.settings set reporting_timezone = 'UTC'`);
  await world.query('truncate ops.dirty_marks');
});

const run = (options: object = {}) => world.run({ metrics: SUBSCRIPTIONS, accounts: [STRIPE], ...options });
const at = (day: string) => Temporal.Instant.from(`${day}T12:00:00Z`);
const canceled = (id: string, day: string, reason: string): Version => ({
  id,
  at: `${day}T10:00:00Z`,
  status: 'canceled',
  ended_at: `${day}T10:00:00Z`,
  cancellation_reason: reason,
});
const parts = async (metric: string, day: string) => {
  const row = await world.metric(metric, day);
  return [row?.numerator, row?.denominator].map((part) => (part == null ? part : Number(part)));
};

test('retention: the customers of 30 days before, point to point, at the rate of then', async () => {
  await world.cover([STRIPE], '2026-01-01', '2026-03-10');
  const euro = (amount: string) => ({ currency: 'EUR', items: [item(price(amount, { currency: 'eur' }))] });
  const plan = (amount: string) => ({ items: [item(price(amount))] });
  await insertVersions(world, [
    // On 29 January 100 USD and 20 EUR: 40 stay, 30 become 45, 30 become 10, 20 EUR leave. Who comes later is not in it.
    { id: 'stays', at: '2026-01-10T10:00:00Z', ...plan('4000') },
    { id: 'grows', at: '2026-01-10T10:00:00Z', ...plan('3000') },
    { id: 'grows', at: '2026-02-10T10:00:00Z', ...plan('4500') },
    { id: 'shrinks', at: '2026-01-10T10:00:00Z', ...plan('3000') },
    { id: 'shrinks', at: '2026-02-10T10:00:00Z', ...plan('1000') },
    { id: 'leaves', at: '2026-01-10T10:00:00Z', ...euro('2000') },
    { ...canceled('leaves', '2026-02-15', 'payment_failed'), ...euro('2000') },
    // It went and came back in between: no churn.
    { id: 'stays', at: '2026-02-01T10:00:00Z', ...plan('4000'), status: 'unpaid' },
    { id: 'stays', at: '2026-02-03T10:00:00Z', ...plan('4000') },
    { id: 'comes', at: '2026-02-20T10:00:00Z', ...plan('90000') },
  ]);
  for (const [day, usd] of [
    ['2026-01-29', '1.5'],
    ['2026-02-14', '9'],
    ['2026-02-28', '4'],
  ] as const)
    await world.rate('USD', day, usd);
  await world.query(
    `insert into fx_rates (external_id, date, quote, rate_per_eur) values ('ecb:USD', '2026-01-10', 'USD', 1.2)`,
  );
  await run();
  const day = '2026-02-28';
  // Base 100 + 20 × 1.5; lost 20 + 20 × 1.5; grown 15.
  expect(await parts('gross_revenue_churn_30d', day)).toEqual([50, 130]);
  expect(await parts('grr_30d', day)).toEqual([80, 130]);
  expect(await parts('nrr_30d', day)).toEqual([95, 130]);
  expect(await parts('logo_churn_rate_30d', day)).toEqual([1, 4]);
  expect(await parts('arpa', day)).toEqual([995, 4]);
  expect(await world.value('involuntary_churned_mrr', '2026-02-15')).toBe(180);
  expect(await world.value('voluntary_churned_mrr', '2026-02-15')).toBe(0);

  // Of a month the last day counts, with its own parts; movements add up.
  const range = async (metric: string) =>
    (
      await world.query<{ value: string; denominator: string | null }>(
        `select value, denominator from metric_range('${metric}', '2026-02-01', '2026-02-28', 'month')`,
      )
    ).rows[0];
  expect(Number((await range('nrr_30d'))?.value)).toBeCloseTo(95 / 130, 12);
  expect(Number((await range('nrr_30d'))?.denominator)).toBe(130);
  expect(Number((await range('mrr'))?.value)).toBe(995);
  expect(Number((await range('contraction_mrr'))?.value)).toBe(20);
  expect(Number((await range('reactivation_mrr'))?.value)).toBe(40);
});

test('lifetime value per acquisition cost: pooled churn, an assumed margin, and null where it says nothing', async () => {
  await world.cover([STRIPE, META], '2025-11-01', '2026-03-10');
  // 40 customers of 10.00; 2 leave in January, 1 in February, 1 in March; 4 begin on 1 March.
  const versions: Version[] = Array.from({ length: 40 }, (_, i) => ({
    id: `c${i}`,
    at: '2025-11-10T10:00:00Z',
  }));
  const leave = (id: string, day: string) => canceled(id, day, 'cancellation_requested');
  versions.push(
    leave('c0', '2026-01-05'),
    leave('c1', '2026-01-06'),
    leave('c2', '2026-02-05'),
    leave('c3', '2026-03-03'),
  );
  for (let i = 0; i < 4; i++) versions.push({ id: `n${i}`, at: '2026-03-01T10:00:00Z' });
  await insertVersions(world, versions);
  await world.spend({ date: '2026-03-01', spend: '300' });
  await world.spend({ date: '2026-02-09', spend: '100' });
  await world.spend({ date: '2026-02-08', spend: '5000' });
  const accounts = [STRIPE, META];
  await run({ accounts });
  const day = '2026-03-10';
  // Bases of 10 December, 9 January and 8 February: 40 + 38 + 37; lost 2 + 1 + 1. 10 × 0.8 / (4 / 115); 400 / 4.
  expect(await parts('ltv_to_cac', day)).toEqual([230, 100]);
  expect(await world.value('ltv_to_cac', day)).toBe(2.3);
  expect(await world.status('ltv_to_cac', day)).toBe('provisional');
  // 90 days before, nobody was there; in February nobody had begun for 30 days.
  expect(await world.value('ltv_to_cac', '2026-01-20')).toBeNull();
  expect(await world.value('ltv_to_cac', '2026-02-20')).toBeNull();

  // Another margin is another meaning: every day anew, and the description says it.
  await run({ accounts, assumptions: { grossMargin: '0.4' } });
  expect(await world.value('ltv_to_cac', day)).toBe(1.15);
  const { rows } = await world.query<{ description: string }>(
    `select description from metric_definitions where name = 'ltv_to_cac'`,
  );
  expect(rows[0]?.description).toContain('gross margin of 0.4');

  // One customer fewer at the beginning than 30, and nothing is made of it.
  await world.query(
    `delete from subscriptions where external_id = any (array(select 'stripe:c' || i from generate_series(10, 20) i))`,
  );
  await run({ accounts });
  expect(await world.value('active_subscribers', '2025-12-10')).toBe(29);
  expect(await world.metric('ltv_to_cac', day)).toMatchObject({ value: null, numerator: null });
});

test('trials: null until the last has had its 14 days, then by the clock; an extension moves it', async () => {
  await world.cover([STRIPE], '2026-01-01', '2026-03-10');
  const trial = (id: string, day: string, ends: string, told = day): Version => ({
    id,
    at: `${told}T10:00:00Z`,
    status: 'trialing',
    trial_start: `${day}T10:00:00Z`,
    trial_end: `${ends}T10:00:00Z`,
  });
  const paid = (id: string, day: string, amount = 10) =>
    world.query(`
      insert into invoices (external_id, date, account, livemode, customer_id, subscription_id, currency, status, amount_due, amount_paid, created_at, paid_at)
      values ('stripe:in_${id}_${day}', '${day}', 'default', true, 'cus_${id}', '${id}', 'USD', 'paid', ${amount}, ${amount}, '${day}', '${day}T11:00:00Z')`);
  await insertVersions(world, [
    trial('a', '2026-01-10', '2026-01-17'),
    trial('b', '2026-01-10', '2026-01-24'),
    trial('b', '2026-01-10', '2026-02-10', '2026-01-20'),
    trial('c', '2026-01-10', '2026-01-17'),
    trial('d', '2026-02-01', '2026-03-05'),
  ]);
  await paid('a', '2026-01-10', 0);
  await paid('a', '2026-01-31');
  await paid('c', '2026-02-01');
  await run({ now: at('2026-02-24') });
  const day = '2026-01-10';
  // b's trial was extended to 10 February: the day is not ripe before the 25th.
  expect(await world.metric('trial_conversion_14d', day)).toMatchObject({
    value: null,
    status: 'provisional',
  });
  await paid('b', '2026-02-24');
  await run({ now: at('2026-02-25') });
  expect(await parts('trial_conversion_14d', day)).toEqual([2, 3]);
  expect(await world.value('trial_conversion_14d', '2026-01-11')).toBeNull();
  // 14 days after a day without trials it is a day without trials.
  expect(await parts('trial_conversion_14d', '2026-01-11')).toEqual([0, 0]);
  await world.query(`update invoices set amount_paid = 0 where subscription_id = 'b'`);
  expect(await run({ now: at('2026-02-25') })).toMatchObject({ days: 1 });
  expect(await parts('trial_conversion_14d', day)).toEqual([1, 3]);
  expect(await world.metric('trial_conversion_14d', '2026-02-01')).toMatchObject({ value: null });
});

test('revenue is cash on its own day, fees apart; a refund and a lost dispute move no MRR', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10');
  await insertVersions(world, [
    { id: 'a', at: '2026-03-01T10:00:00Z', items: [item(price('12000', { interval: 'year' }))] },
  ]);
  let serial = 0;
  const payment = (day: string, kind: string, amount: number) =>
    world.query(`
    insert into payments (external_id, date, kind, account, livemode, currency, amount, counted, occurred_at)
    values ('stripe:${++serial}', '${day}', '${kind}', 'default', true, 'USD', ${amount}, true, '${day}')`);
  await payment('2026-03-01', 'charge', 120);
  await payment('2026-03-01', 'fee', 3.78);
  await payment('2026-03-03', 'refund', 120);
  await payment('2026-03-04', 'dispute', 20);
  await payment('2026-03-04', 'charge', 100);
  await world.query(`
    insert into payments (external_id, date, kind, account, livemode, currency, amount, counted, occurred_at) values
      ('stripe:x1', '2026-03-04', 'charge', 'acct_1', true, 'USD', 1, true, '2026-03-04'),
      ('stripe:x2', '2026-03-04', 'charge', 'default', false, 'USD', 1, true, '2026-03-04'),
      ('stripe:x3', '2026-03-04', 'charge', 'default', true, 'USD', 1, false, '2026-03-04'),
      ('stripe:x4', '2026-03-05', 'charge', 'default', true, 'EUR', 10, true, '2026-03-05')`);
  await world.rate('USD', '2026-03-05', '1.2');
  await run();
  expect(await world.value('subscription_revenue', '2026-03-01')).toBe(120);
  expect(await world.value('payment_fees', '2026-03-01')).toBe(3.78);
  expect(await world.value('subscription_revenue', '2026-03-03')).toBe(-120);
  expect(await world.value('subscription_revenue', '2026-03-04')).toBe(80);
  expect(await world.value('subscription_revenue', '2026-03-05')).toBe(12);
  expect(await world.value('mrr', '2026-03-05')).toBe(10);
  // A refund that failed after all, and a payment that is found to be of another day.
  await world.query(`update payments set counted = false where kind = 'refund'`);
  await world.query(`update payments set date = '2026-03-06' where external_id = 'stripe:x4'`);
  expect(await run()).toMatchObject({ days: 3 });
  expect(await world.value('subscription_revenue', '2026-03-03')).toBe(0);
  expect(await world.value('subscription_revenue', '2026-03-05')).toBe(0);
});

test('an item without a known price is left out, told and incomplete, until the price comes', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10', true);
  const tiered = price('0', {
    id: 'price_t',
    billing_scheme: 'tiered',
    tiers_mode: 'volume',
    unit_amount: null,
  });
  await insertVersions(world, [
    { id: 'known', at: '2026-03-01T10:00:00Z' },
    { id: 'vague', at: '2026-03-04T10:00:00Z', items: [item(tiered, { quantity: 3 })] },
  ]);
  const { warnings, unpriced } = await run();
  expect(unpriced).toBe(1);
  expect(warnings).toMatchObject([
    {
      severity: 'P2',
      context: { days: Array.from({ length: 7 }, (_, i) => `2026-03-${String(i + 4).padStart(2, '0')}`) },
    },
  ]);
  expect(await world.metric('mrr', '2026-03-03')).toMatchObject({ value: '10', status: 'final' });
  expect(await world.metric('mrr', '2026-03-04')).toMatchObject({ value: '10', status: 'incomplete' });
  for (const metric of ['active_subscribers', 'new_subscribers', 'new_mrr', 'arpa', 'logo_churn_rate_30d'])
    expect(await world.status(metric, '2026-03-05'), metric).toBe('incomplete');
  // Cash and what nobody asked a price for are whole.
  expect(await world.status('subscription_revenue', '2026-03-05')).toBe('final');
  const { rows } = await world.query(`select external_id from ops.mrr_spans where unknown > 0`);
  expect(rows).toEqual([{ external_id: 'stripe:vague' }]);
  expect((await run()).warnings).toEqual([]);

  await world.query(`
    insert into billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, data)
    values ('stripe:price_t', '2026-03-09', 'default', true, 'price', 'price_t', '2026-03-09', 'api',
      '${JSON.stringify({ ...tiered, tiers: [{ up_to: null, unit_amount: '700', flat_amount: null }] })}')`);
  await world.query(`update subscriptions set mrr = 21 where external_id = 'stripe:vague'`);
  await run();
  expect(await world.metric('mrr', '2026-03-04')).toMatchObject({ value: '31', status: 'final' });
  expect(await world.value('new_mrr', '2026-03-04')).toBe(21);
  expect(await world.status('active_subscribers', '2026-03-05')).toBe('final');
  for (const metric of ['new_mrr', 'churned_mrr', 'new_subscribers'])
    for (const day of ['2026-03-04', '2026-03-05', '2026-03-09'])
      expect(await world.status(metric, day), `${metric} of ${day}`).toBe('final');
  expect(await run({ full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
});

test('what the rates changed is incomplete after a day on which the price of another currency’s item is not known', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10', true);
  await world.rate('USD', '2026-03-02', '1.5');
  await world.rate('USD', '2026-03-06', '1.6');
  const vague = (id: string, currency: string) => [
    item(price('0', { id, currency, billing_scheme: 'tiered', tiers_mode: 'volume', unit_amount: null })),
  ];
  await insertVersions(world, [
    { id: 'known', at: '2026-03-02T10:00:00Z', currency: 'EUR' },
    // In the reporting currency there is no rate that could change.
    { id: 'home', at: '2026-03-02T10:00:00Z', items: vague('price_h', 'usd') },
    { id: 'vague', at: '2026-03-04T10:00:00Z', currency: 'EUR', items: vague('price_v', 'eur') },
    {
      id: 'vague',
      at: '2026-03-08T10:00:00Z',
      currency: 'EUR',
      status: 'canceled',
      ended_at: '2026-03-08T10:00:00Z',
    },
  ]);
  await run();
  const statuses = async () => {
    const { rows } = await world.query<{ day: string; status: string }>(
      `select to_char(date, 'DD') as day, status from daily_metrics where metric = 'fx_mrr' and date between '2026-03-03' and '2026-03-09' order by 1`,
    );
    return rows.filter(({ status }) => status !== 'final').map(({ day }) => day);
  };
  expect(await statuses()).toEqual(['05', '06', '07', '08']);
  expect(Number((await world.metric('fx_mrr', '2026-03-06'))?.value)).toBe(1);
  await insertVersions(world, [
    {
      id: 'vague',
      at: '2026-03-04T11:00:00Z',
      currency: 'EUR',
      items: [item(price('1000', { currency: 'eur' }))],
    },
  ]);
  await run();
  expect(await statuses()).toEqual([]);
  expect(Number((await world.metric('fx_mrr', '2026-03-06'))?.value)).toBe(2);
  expect(await run({ full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
});

test('I9: what is changed by hand: an invoice of another subscription, one that is deleted, a version that is not whole', async () => {
  await world.cover([STRIPE], '2026-01-01', '2026-03-10');
  const trial = (id: string): Version => ({
    id,
    at: '2026-01-10T10:00:00Z',
    status: 'trialing',
    trial_start: '2026-01-10T10:00:00Z',
    trial_end: '2026-01-17T10:00:00Z',
  });
  await insertVersions(world, [
    trial('a'),
    { ...trial('b'), at: '2026-01-11T10:00:00Z', trial_start: '2026-01-11T10:00:00Z' },
  ]);
  await world.query(`
    insert into invoices (external_id, date, account, livemode, customer_id, subscription_id, currency, status, amount_due, amount_paid, created_at, paid_at)
    values ('stripe:in_1', '2026-01-17', 'default', true, 'cus_a', 'a', 'USD', 'paid', 10, 10, '2026-01-17', '2026-01-17T11:00:00Z')`);
  await run();
  const conversions = async () => [
    await world.value('trial_conversion_14d', '2026-01-10'),
    await world.value('trial_conversion_14d', '2026-01-11'),
  ];
  expect(await conversions()).toEqual([1, 0]);
  await world.query(`update invoices set subscription_id = 'b'`);
  await run();
  expect(await conversions()).toEqual([0, 1]);
  await world.query('update invoices set subscription_id = null');
  await run();
  expect(await conversions()).toEqual([0, 0]);
  await world.query(`update invoices set subscription_id = 'b'`);
  await run();
  await world.query(`update invoices set account = 'acct_1'`);
  await run();
  expect(await conversions()).toEqual([0, 0]);
  await world.query(`update invoices set account = 'default'`);
  await run();
  expect(await conversions()).toEqual([0, 1]);
  await world.query('delete from invoices');
  await run();
  expect(await conversions()).toEqual([0, 0]);

  await insertVersions(world, [{ id: 'c', at: '2026-03-05T10:00:00Z' }]);
  await run();
  expect(await world.metric('mrr', '2026-03-06')).toMatchObject({ value: '10', status: 'provisional' });
  await world.query(`update subscriptions set incomplete = true where external_id = 'stripe:c'`);
  await run();
  expect(await world.metric('mrr', '2026-03-06')).toMatchObject({ value: '0', status: 'incomplete' });
  expect(await run({ full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
});

test('a discount that turns out to end earlier moves the days from then on', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10');
  const told = (type: string, id: string, data: object) =>
    world.query(`
      insert into billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, data)
      values ('stripe:${id}', '2026-03-01', 'default', true, '${type}', '${id}', '2026-03-01', 'events', '${JSON.stringify(data)}')
      on conflict (account, livemode, type, object_id) do update set data = excluded.data`);
  const half = { id: 'half', percent_off: '50', amount_off: null, duration: 'forever', applies_to: null };
  await told('coupon', 'half', half);
  await told('discount', 'di_9', {
    id: 'di_9',
    coupon: { id: 'half' },
    start: '2026-03-01T00:00:00Z',
    end: null,
  });
  await insertVersions(world, [
    {
      id: 'a',
      at: '2026-03-02T10:00:00Z',
      discounts: [{ id: 'di_9', coupon: null, start: null, end: null }],
    },
    { id: 'b', at: '2026-03-02T10:00:00Z' },
  ]);
  await run();
  expect(await world.value('mrr', '2026-03-10')).toBe(15);
  await told('discount', 'di_9', {
    id: 'di_9',
    coupon: { id: 'half' },
    start: '2026-03-01T00:00:00Z',
    end: '2026-03-07T09:00:00Z',
  });
  expect(await run()).toMatchObject({ days: 4 });
  expect(await world.value('expansion_mrr', '2026-03-07')).toBe(5);
  await told('coupon', 'half', { ...half, percent_off: '20' });
  await run();
  expect(await world.value('mrr', '2026-03-05')).toBe(18);
});

test('a customer who is deleted leaves on that day, and comes back when it was not so', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10');
  await insertVersions(world, [{ id: 'a', at: '2026-03-01T10:00:00Z' }]);
  await world.query(`
    insert into billing_objects (external_id, date, account, livemode, type, object_id, version_at, source, deleted)
    values ('stripe:cus_a', '2026-03-01', 'default', true, 'customer', 'cus_a', '2026-03-01', 'webhook', false)`);
  await run();
  await world.query(`update billing_objects set deleted = true, version_at = '2026-03-08T10:00:00Z'`);
  expect(await run()).toMatchObject({ days: 3 });
  expect(await world.value('churned_mrr', '2026-03-08')).toBe(10);
  await world.query(`update billing_objects set deleted = false`);
  await run();
  expect(await world.value('mrr', '2026-03-10')).toBe(10);
});

test('days are those of the reporting zone, also of 23 and 25 hours, and a rezone moves them', async () => {
  const ending = (id: string, end: string): Version => ({
    id,
    at: '2026-03-24T10:00:00Z',
    discounts: [discount({}, { end })],
  });
  const zone = (timezone: string) =>
    run({ now: at('2026-04-06'), rezone: true, reporting: { timezone, currency: 'USD' } });
  const spans = async () => (await world.query('select * from ops.mrr_spans order by 1, 2')).rows;
  await world.cover([STRIPE], '2026-03-20', '2026-04-07');
  await insertVersions(world, [
    // 23:30 UTC is the next day in Berlin.
    { id: 'late', at: '2026-03-27T23:30:00Z' },
    // Berlin's day of 23 hours, 29 March, ends at 22:00 UTC.
    ending('a', '2026-03-29T21:59:59Z'),
    ending('b', '2026-03-29T22:00:00Z'),
    // Sydney's day of 25 hours, 5 April, begins at 13:00 and ends at 14:00 UTC.
    ending('c', '2026-04-04T13:00:00Z'),
    ending('d', '2026-04-05T13:59:59Z'),
    ending('e', '2026-04-05T14:00:00Z'),
  ]);
  await run({ now: at('2026-04-06') });
  expect(await world.value('mrr', '2026-03-27')).toBe(35);
  expect(await world.value('expansion_mrr', '2026-03-29')).toBe(10);
  await zone('Europe/Berlin');
  expect(await world.value('new_mrr', '2026-03-27')).toBe(0);
  expect(await world.value('new_mrr', '2026-03-28')).toBe(10);
  expect(await world.value('expansion_mrr', '2026-03-29')).toBe(5);
  expect(await world.value('expansion_mrr', '2026-03-30')).toBe(5);
  const berlin = await spans();
  await zone('Australia/Sydney');
  expect(await world.value('expansion_mrr', '2026-04-04')).toBe(0);
  expect(await world.value('expansion_mrr', '2026-04-05')).toBe(10);
  expect(await world.value('expansion_mrr', '2026-04-06')).toBe(5);
  await zone('Europe/Berlin');
  expect(await spans()).toEqual(berlin);
});

test('why: the subscriptions behind a movement, with what changed since the last run', async () => {
  await world.cover([STRIPE], '2026-03-01', '2026-03-10');
  await insertVersions(world, [
    { id: 'a', at: '2026-03-01T10:00:00Z' },
    { id: 'b', at: '2026-03-04T10:00:00Z', items: [item(price('3000'))] },
  ]);
  await run();
  await insertVersions(world, [{ id: 'c', at: '2026-03-04T10:00:00Z' }]);
  const explain = (name: keyof typeof METRICS) =>
    explainMetric({
      session: world.session,
      metric: { name, metric: METRICS[name], source: '' },
      day: '2026-03-04',
      accounts: [STRIPE],
      reporting: { timezone: 'UTC', currency: 'USD' },
      now: at('2026-03-10'),
    });
  const explained = await explain('new_mrr');
  expect(explained).toMatchObject({ stored: { value: '30' }, computed: { value: '40' }, stale: true });
  expect(explained.top.map(({ external_id, label, amount }) => [external_id, label, Number(amount)])).toEqual(
    [
      ['stripe:b', 'cus_b new', 30],
      ['stripe:c', 'cus_c new', 10],
    ],
  );
  expect((await explain('mrr')).rows).toMatchObject([
    { table: 'subscriptions', account: 'stripe', currency: 'USD', rows: 3 },
  ]);
  expect((await explain('ltv_to_cac')).formula).toBe(
    '(0.8 × mrr × base_subscribers_90d / (active_subscribers × lost_subscribers_90d)) / (ad_spend_30d / new_subscribers_30d)',
  );
  // It leaves nothing behind: the run finds what it would have found.
  expect(await run()).toMatchObject({ days: 7 });
  expect(await world.value('new_mrr', '2026-03-04')).toBe(40);
});
