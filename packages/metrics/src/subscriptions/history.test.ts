/** I9 for subscriptions: random histories against the definitions said once more, late events, and the clock. */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Day } from '@floyo/shared/window';

import { SUBSCRIPTIONS } from '../registry/subscriptions.ts';
import { findBrokenDays, insertVersions, item, price, STRIPE } from '../testing/billing.ts';
import { createHistories, type Figures, figuresOf } from '../testing/random-subscriptions.ts';
import { createWorld, type World } from '../testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const FIRST = '2026-01-01';
const TODAY = '2026-03-10';
const run = (options: object = {}) => world.run({ metrics: SUBSCRIPTIONS, accounts: [STRIPE], ...options });

/** Another rate every day: 1 EUR is 1.10 USD and more, 0.80 GBP and less. */
const usdPerEur = (index: number) => 1.1 + index / 1000;
const gbpPerEur = (index: number) => 0.8 - index / 2000;
const indexOf = (day: Day) => (Date.parse(day) - Date.parse('2025-12-31')) / 86_400_000;
function rate(currency: string, day: Day): number {
  const index = Math.max(0, indexOf(day));
  if (currency === 'USD') return 1;
  return currency === 'EUR' ? usdPerEur(index) : usdPerEur(index) / gbpPerEur(index);
}

async function insertRates(): Promise<void> {
  await world.query(`
    insert into fx_rates (external_id, date, quote, rate_per_eur)
    select 'ecb:' || q, date '2025-12-31' + i, q, case q when 'USD' then 1.1 + i / 1000.0 else 0.8 - i / 2000.0 end
    from generate_series(0, 69) i cross join (values ('USD'), ('GBP')) v (q)`);
}

/** What is stored, as the figures are called. */
async function stored(): Promise<Map<Day, Figures>> {
  const { rows } = await world.query<{ date: Day } & Record<string, string | null>>(`
    select w.*, l.numerator as lost, l.denominator as base, g.numerator as lost_mrr, g.denominator as base_mrr, n.numerator as kept_mrr
    from daily_metrics_wide w
    join daily_metrics l on l.date = w.date and l.metric = 'logo_churn_rate_30d'
    join daily_metrics g on g.date = w.date and g.metric = 'gross_revenue_churn_30d'
    join daily_metrics n on n.date = w.date and n.metric = 'nrr_30d'`);
  return new Map(
    rows.map(({ date, ...values }) => [
      date,
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)])),
    ]),
  );
}

function differences(expected: Map<Day, Figures>, found: Map<Day, Figures>): string[] {
  return [...expected].flatMap(([day, figures]) =>
    Object.entries(figures)
      .filter(([name, value]) => !(Math.abs(value - (found.get(day)?.[name] ?? NaN)) < 1e-6))
      .map(([name, value]) => `${day} ${name} is ${found.get(day)?.[name]}, should be ${value}`),
  );
}

test('I9: random histories in three currencies, changed late again and again: as the definitions say, and incremental equals full', async () => {
  const random = createHistories(20261121, FIRST, 69);
  await insertRates();
  await world.cover([STRIPE], FIRST, TODAY);
  const all = random.versions(60);
  await insertVersions(world, all);
  for (let batch = 0; batch < 4; batch++) {
    await run();
    expect(differences(figuresOf(all, FIRST, TODAY, rate), await stored()), `batch ${batch}`).toEqual([]);
    expect(await findBrokenDays(world), `batch ${batch}`).toEqual([]);
    expect(await run({ full: true }), `batch ${batch}`).toMatchObject({
      inserted: 0,
      updated: 0,
      deleted: 0,
    });
    const late = random.versions(1 + random.next(3));
    all.push(...late);
    // Of two versions of a day the newer stays, whatever arrives first.
    for (const version of late)
      if (!all.some(({ id, day, at }) => id === version.id && day === version.day && at > version.at))
        await insertVersions(world, [version]);
  }
});

test('a late event dirties its day and those after it, and nothing before; a second run does nothing', async () => {
  await world.cover([STRIPE], FIRST, TODAY);
  await insertVersions(world, [
    { id: 'a', at: '2026-01-05T10:00:00Z' },
    { id: 'b', at: '2026-01-05T10:00:00Z' },
  ]);
  await run();
  await insertVersions(world, [{ id: 'a', at: '2026-03-06T10:00:00Z', status: 'canceled' }]);
  // The 6th to the 10th.
  expect(await run()).toMatchObject({ days: 5 });
  expect(await world.value('mrr', '2026-03-05')).toBe(20);
  expect(await world.value('churned_mrr', '2026-03-06')).toBe(10);
  expect(await run()).toMatchObject({ days: 0, updated: 0 });
  // A renewal changes no value: it is looked at, and no day is.
  await insertVersions(world, [
    { id: 'b', at: '2026-02-05T10:00:00Z', current_period_end: '2026-03-05T10:00:00Z' },
  ]);
  expect(await run()).toMatchObject({ days: 0 });
  // What lies between two versions is a stretch of its own: it ends where it did, and 30 days later once more.
  await insertVersions(world, [
    { id: 'b', at: '2026-01-20T10:00:00Z', status: 'unpaid' },
    { id: 'b', at: '2026-01-22T10:00:00Z' },
  ]);
  const { days } = await run();
  expect(days).toBeLessThan(60);
  expect(await world.value('mrr', '2026-01-21')).toBe(10);
  expect(await world.value('reactivation_mrr', '2026-01-22')).toBe(10);
  expect(await world.value('logo_churn_rate_30d', '2026-02-21')).toBe(0);
  expect(await run({ full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
});

test('a day needs every day since the first one read', async () => {
  await world.cover([STRIPE], '2026-02-20', '2026-03-10', true);
  await insertVersions(world, [{ id: 'a', at: '2026-02-21T10:00:00Z' }]);
  const now = Temporal.Instant.from('2026-03-10T12:00:00Z');
  await run({ now });
  expect(await world.status('mrr', '2026-03-09')).toBe('final');
  expect(await world.status('mrr', '2026-03-10')).toBe('provisional');
  // What moved on the first day needs the day before it.
  expect(await world.status('new_mrr', '2026-02-20')).toBe('incomplete');
  expect(await world.status('new_mrr', '2026-02-21')).toBe('final');
  // The base of 30 days before the first day is not known.
  expect(await world.status('nrr_30d', '2026-03-09')).toBe('incomplete');
  await world.query(`delete from ops.coverage where day = '2026-03-01'`);
  await run({ now });
  expect(await world.status('mrr', '2026-02-28')).toBe('final');
  expect(await world.metric('mrr', '2026-03-01')).toMatchObject({ value: null, status: 'incomplete' });
  expect(await world.metric('mrr', '2026-03-05')).toMatchObject({ value: '10', status: 'incomplete' });
  // Cash of a day is the day's own.
  expect(await world.status('subscription_revenue', '2026-03-05')).toBe('final');
});

test('a missing rate leaves its currency out, and the movements still are the change; it comes by itself', async () => {
  await world.cover([STRIPE], '2026-02-20', '2026-03-10');
  await insertVersions(world, [
    { id: 'a', at: '2026-02-21T10:00:00Z' },
    { id: 'e', at: '2026-02-21T10:00:00Z', currency: 'EUR' },
  ]);
  await world.rate('USD', '2026-02-18', '1.5');
  const told = async (day: Day) => [await world.value('mrr', day), await world.status('mrr', day)];
  const { warnings } = await run();
  expect(warnings[0]?.message).toContain('2026-02-26 to 2026-03-10');
  expect(await told('2026-02-25')).toEqual([25, 'provisional']);
  expect(await told('2026-02-26')).toEqual([10, 'incomplete']);
  expect(await world.status('fx_mrr', '2026-03-05')).toBe('incomplete');
  expect(await world.status('active_subscribers', '2026-03-05')).toBe('provisional');
  expect(await findBrokenDays(world)).toEqual([]);
  await world.rate('USD', '2026-02-26', '1.6');
  await run();
  expect(await told('2026-02-26')).toEqual([26, 'provisional']);
  expect(Number((await world.metric('fx_mrr', '2026-02-26'))?.value)).toBe(1);
  await world.rate('USD', '2026-03-04', '1.4');
  await run();
  expect(await world.value('fx_mrr', '2026-03-04')).toBe(-2);
  expect(await findBrokenDays(world)).toEqual([]);
  // A gap that ends where the rate changes: the day after it has nothing that a rate could have changed.
  await insertVersions(world, [
    { id: 'e', at: '2026-03-03T10:00:00Z', currency: 'EUR', status: 'unpaid' },
    { id: 'e', at: '2026-03-04T10:00:00Z', currency: 'EUR' },
  ]);
  await run();
  expect(await world.value('fx_mrr', '2026-03-04')).toBe(0);
  expect(await world.value('reactivation_mrr', '2026-03-04')).toBe(14);
  expect(await run({ full: true })).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
});

test('I9: the daily check finds a span that is not what the versions say, and the next run puts it right', async () => {
  await world.cover([STRIPE], '2026-03-01', TODAY);
  // One for every day of the week.
  await insertVersions(
    world,
    Array.from({ length: 40 }, (_, index) => ({ id: `sub_${index}`, at: '2026-03-02T10:00:00Z' })),
  );
  await run();
  expect((await run({ check: 'now' })).check).toMatchObject({ mismatches: 0 });
  await world.query('update ops.mrr_spans set mrr = 11');
  await expect(run({ check: 'now' })).rejects.toThrow(/stripe:sub_\d+ of 2026-03-02 is 11, computed anew 10/);
  await run();
  expect((await world.query('select 1 from ops.mrr_spans where mrr <> 10')).rows).toEqual([]);
  expect(await world.value('mrr', '2026-03-05')).toBe(400);
});

test('I9: the daily check does not mistake the digits of a quotient for another value', async () => {
  await world.cover([STRIPE], '2026-01-10', TODAY, true);
  await insertRates();
  const pounds = (amount: string, rest: object = {}) => [item(price(amount, { currency: 'gbp', ...rest }))];
  // A twelfth of a year's price has ten digits, and ends before the days that are looked at again.
  await insertVersions(world, [
    { id: 'a', at: '2026-01-12T10:00:00Z', currency: 'GBP', items: pounds('10000', { interval: 'year' }) },
    {
      id: 'a',
      at: '2026-01-20T10:00:00Z',
      currency: 'GBP',
      status: 'canceled',
      ended_at: '2026-01-20T10:00:00Z',
    },
    { id: 'b', at: '2026-01-12T10:00:00Z', currency: 'GBP', items: pounds('1000') },
    { id: 'c', at: '2026-01-12T10:00:00Z' },
    { id: 'd', at: '2026-01-12T10:00:00Z' },
  ]);
  expect((await run({ check: 'now' })).check).toMatchObject({ mismatches: 0 });
});

test('a subscription that was thought to have ended, and had not, counts again', async () => {
  await world.cover([STRIPE], '2026-03-01', TODAY);
  await insertVersions(world, [
    { id: 'sub', at: '2026-03-02T10:00:00Z' },
    { id: 'sub', at: '2026-03-04T10:00:00Z', status: 'canceled', ended_at: '2026-03-04T10:00:00Z' },
    { id: 'sub', at: '2026-03-06T10:00:00Z' },
  ]);
  await run();
  const values = await Promise.all(
    ['2026-03-03', '2026-03-05', '2026-03-06', '2026-03-09'].map((day) => world.value('mrr', day)),
  );
  expect(values).toEqual([10, 0, 10, 10]);
});
