/** Subscriptions of more than a year made from invoices alone, against the lives that the invoices were written from. */
import { Decimal } from 'decimal.js';
import { sql } from 'kysely';
import { expect, it } from 'vitest';

import { addDays } from '@floyo/shared/window';

import { type Harness, useHarness } from './testing/harness.ts';
import { invoice, type MiniObject, price, product, seconds, subscription } from './testing/mini-stripe.ts';

const TODAY = '2026-11-21';
const FIRST = '2025-08-22';
const PRICES = [
  price('price_m1', 1000),
  price('price_m2', 2500),
  price('price_y', 30_000, { recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' } }),
];
const COUPON = {
  id: 'quarter',
  object: 'coupon',
  created: seconds('2024-01-01T00:00:00Z'),
  livemode: true,
  percent_off: 25,
  amount_off: null,
  currency: null,
  duration: 'repeating',
  duration_in_months: 3,
  applies_to: null,
};

let harness: Harness;
useHarness((opened) => (harness = opened));

/** A small generator of numbers in [0, 1), the same ones for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

/** From a day on a subscription is worth so much a month, in major units. */
interface Worth {
  readonly from: string;
  readonly mrr: Decimal;
}

interface Life {
  readonly objects: MiniObject[];
  readonly worth: Worth[];
}

const noon = (day: string) => `${day}T12:00:00Z`;

/** One life: a trial now and then, renewals with changes of price and quantity, a coupon for three months, an end. */
function live(index: number, random: () => number): Life {
  const id = `sub_${index}`;
  const start = addDays(FIRST, Math.floor(random() * 250));
  const yearly = random() < 0.2;
  const trialDays = random() < 0.25 ? 14 : 0;
  const couponEnd = !yearly && random() < 0.3 ? addDays(start, 90) : undefined;
  const discount =
    couponEnd === undefined
      ? []
      : [
          {
            id: `di_${index}`,
            object: 'discount',
            source: { type: 'coupon', coupon: COUPON.id },
            start: seconds(noon(start)),
            end: seconds(noon(couponEnd)),
            subscription: id,
            customer: `cus_${id}`,
          },
        ];
  let plan = yearly ? 2 : Math.floor(random() * 2);
  let quantity = 1 + Math.floor(random() * 4);
  const objects: MiniObject[] = [];
  const worth: Worth[] = [];
  const isDiscounted = (day: string) => couponEnd !== undefined && day < couponEnd;
  const valueOf = (day: string) => {
    const gross = new Decimal(yearly ? 2500 : plan === 0 ? 1000 : 2500).times(quantity).div(100);
    return isDiscounted(day) ? gross.times('0.75') : gross;
  };
  const facts = () => ({ id, at: noon(start), prices: [{ price: PRICES[plan] ?? COUPON, quantity }] });
  const bill = (from: string, to: string, amount: number) => {
    const line = { item: `si_${id}_0`, price: PRICES[plan] ?? COUPON, quantity, amount, to: noon(to) };
    objects.push(
      invoice(`in_${index}_${objects.length}`, subscription(facts()), noon(from), [line], {
        discounts: discount,
      }),
    );
  };
  let period = start;
  let ended: string | undefined;
  if (trialDays > 0) {
    bill(start, addDays(start, trialDays), 0);
    period = addDays(start, trialDays);
  }
  for (let renewals = 0; period <= TODAY && ended === undefined; renewals++) {
    if (renewals > 0 && random() < 0.15) quantity = 1 + Math.floor(random() * 6);
    if (renewals > 0 && !yearly && random() < 0.1) plan = 1 - plan;
    const next = addDays(period, yearly ? 365 : 30);
    bill(period, next, (yearly ? 30_000 : plan === 0 ? 1000 : 2500) * quantity);
    worth.push({ from: period, mrr: valueOf(period) });
    if (couponEnd !== undefined && couponEnd > period && couponEnd < next)
      worth.push({ from: couponEnd, mrr: valueOf(couponEnd) });
    // Now and then the quantity changes in the middle of a period, billed at once.
    const middle = addDays(period, 13);
    if (random() < 0.15 && middle < TODAY) {
      const now = { item: `si_${id}_0`, price: PRICES[plan] ?? COUPON, to: noon(next), proration: true };
      const unit = yearly ? 20_000 : 500;
      const changed = quantity + 1;
      objects.push(
        invoice(
          `in_${index}_${objects.length}`,
          subscription(facts()),
          noon(middle),
          [
            { ...now, quantity, amount: -unit * quantity },
            { ...now, quantity: changed, amount: unit * changed },
          ],
          { billing_reason: 'subscription_update' },
        ),
      );
      quantity = changed;
      worth.push({ from: middle, mrr: valueOf(middle) });
      worth.sort((a, b) => a.from.localeCompare(b.from));
      if (couponEnd !== undefined && couponEnd > middle && couponEnd < next) {
        const after = worth.find(({ from }) => from === couponEnd);
        if (after !== undefined)
          worth.splice(worth.indexOf(after), 1, { from: couponEnd, mrr: valueOf(couponEnd) });
      }
    }
    if (random() < 0.06) ended = random() < 0.5 ? next : addDays(period, 17);
    if (ended !== undefined && ended <= TODAY) break;
    ended = undefined;
    period = next;
  }
  const last =
    objects.findLast(({ billing_reason: reason }) => reason === 'subscription_cycle')?.created ??
    seconds(noon(start));
  if (ended !== undefined) {
    // What would have come after the end did not.
    const at = ended;
    while ((worth.at(-1)?.from ?? '') >= at) worth.pop();
    worth.push({ from: at, mrr: new Decimal(0) });
  }
  objects.push(
    subscription({
      ...facts(),
      period: new Date(last * 1000).toISOString(),
      status: ended === undefined ? 'active' : 'canceled',
      more: {
        discounts: discount,
        trial_start: trialDays > 0 ? seconds(noon(start)) : null,
        trial_end: trialDays > 0 ? seconds(noon(addDays(start, trialDays))) : null,
        ended_at: ended === undefined ? null : seconds(noon(ended)),
        canceled_at: ended === undefined ? null : seconds(noon(ended)),
      },
    }),
  );
  return { objects, worth };
}

it('after a backfill every subscription was worth on every day what it was', async () => {
  const mini = await harness.reset(`${TODAY}T20:00:00Z`);
  const random = createRandom(11);
  const lives = Array.from({ length: 30 }, (_, index) => live(index, random));
  mini.put(product('prod_1'), ...PRICES, COUPON, ...lives.flatMap(({ objects }) => objects));
  expect(await harness.backfill(FIRST, TODAY)).toMatchObject({ status: 'succeeded', rows_rejected: 0 });

  const expected = lives.flatMap(({ worth }, index) =>
    Array.from({ length: 65 }, (_, week) => addDays(FIRST, week * 7 + (index % 7))).map((day) => ({
      id: `stripe:sub_${index}`,
      day,
      mrr: (worth.findLast(({ from }) => from <= day)?.mrr ?? new Decimal(0)).toFixed(),
    })),
  );
  const { rows } = await sql<{ id: string; day: string; mrr: string; stored: string }>`
    select e.id, e.day, trim_scale(e.mrr)::text as mrr, trim_scale(coalesce(s.mrr, 0))::text as stored
    from jsonb_to_recordset(${JSON.stringify(expected)}::jsonb) as e (id text, day date, mrr numeric)
    cross join lateral (select ((e.day + 1)::timestamp at time zone 'UTC') - interval '1 second' as at) t
    left join lateral (
      select case when subscription_counts(c.status, c.trial_end, c.pause_behavior, t.at)
        then (subscription_mrr(c.items, c.discounts, c.account, c.livemode, t.at)).net else 0 end as mrr
      from subscriptions c where c.external_id = e.id and c.date <= e.day order by c.date desc limit 1
    ) s on true
    where e.mrr <> coalesce(s.mrr, 0) order by e.id, e.day`.execute(harness.session.db);
  expect(rows.slice(0, 20)).toEqual([]);
  const { rows: made } = await sql<{ rows: number }>`
    select count(*)::int as rows from subscriptions where reconstructed and mrr > 0`.execute(
    harness.session.db,
  );
  expect(made[0]?.rows).toBeGreaterThan(150);
});
