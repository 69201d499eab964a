/**
 * From Stripe's events to MRR, the whole way: made-up lives of customers in every API version, mapped and applied as the
 * webhook does it, computed, and compared with what the lives themselves say, customer by customer and day by day.
 */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { encodeChange } from '@floyo/billing-webhook/mapping/encode-change';
import { mapEvent } from '@floyo/billing-webhook/mapping/map-event';
import { mapObject } from '@floyo/billing-webhook/mapping/map-object';
import { findBrokenDays, STRIPE } from '@floyo/metrics/testing/billing';
import { createWorld, type World } from '@floyo/metrics/testing/world';
import { renderEvent, renderObject } from '@floyo/sandbox/stripe/families';
import { makeLives } from '@floyo/sandbox/stripe/lives';
import { FAMILIES } from '@floyo/sandbox/stripe/objects';
import { mrrOf } from '@floyo/sandbox/stripe/truth';
import { addDays } from '@floyo/shared/window';

const FROM = '2025-01-01';
const TO = '2025-09-30';

const lives = makeLives({
  seed: 6,
  customers: 48,
  from: `${FROM}T00:00:00Z`,
  to: `${TO}T23:59:59Z`,
  families: FAMILIES,
});

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await apply([
    ...readReferences(),
    ...lives.happenings.map((happening) =>
      encodeChange(mapEvent(renderEvent(happening, lives.familyOf(happening), lives.references))),
    ),
  ]);
  await world.query(`
    insert into fx_rates (external_id, date, quote, rate_per_eur)
    select 'ecb:' || q, d::date, q, rate from generate_series(date '2024-12-30', date '${TO}', '1 day') d
    cross join (values ('USD', 1.1), ('JPY', 160), ('GBP', 0.85)) v (q, rate)`);
  await world.cover([STRIPE], FROM, TO);
  await world.run({ accounts: [STRIPE], now: Temporal.Instant.from(`${TO}T23:59:59Z`) });
});
afterAll(() => world.close());

/** Customers whose events were made in the oldest version while an item had a discount of its own: it does not tell those. */
const untold = new Set(
  lives.happenings
    .filter(
      (happening) =>
        lives.familyOf(happening) === FAMILIES[0] &&
        happening.version.type === 'subscription' &&
        /"id":"si_[^}]*"discounts":\["di_/.test(JSON.stringify(happening.version.object)),
    )
    .map(({ version }) => String(version.object['customer'])),
);

/** What events leave out is read from the API: the tiers of prices, the products of coupons. */
function readReferences(): string[] {
  return [...lives.versions.values()].flatMap((versions) => {
    const last = versions.at(-1);
    if (last === undefined || !['price', 'coupon'].includes(last.type)) return [];
    const answer = renderObject(last, '2026-10-28.endive', lives.references, {
      tiers: true,
      appliesTo: true,
    });
    return [
      encodeChange(mapObject(answer, { fetchedAt: `${FROM}T00:00:00Z`, account: 'default', livemode: true })),
    ];
  });
}

async function apply(changes: readonly string[]): Promise<void> {
  for (let from = 0; from < changes.length; from += 500)
    await sql`
      select public.stripe_apply(c.change::jsonb)
      from unnest(${changes.slice(from, from + 500)}::text[]) with ordinality c (change, place) order by c.place`.execute(
      world.db,
    );
}

test('MRR of every customer and day is that of the lives', async () => {
  const { rows } = await world.query<{
    customer_id: string;
    currency: string;
    from_day: string;
    to_day: string;
    mrr: string;
  }>('select customer_id, currency, from_day, to_day, mrr from ops.customer_mrr where mrr > 0');
  let compared = 0;
  for (let day = FROM; day <= TO; day = addDays(day, 1)) {
    const truth = mrrOf(lives, { at: Date.parse(`${day}T23:59:59Z`) / 1000 });
    const found = rows.filter(
      ({ from_day, to_day }) => from_day <= day && (to_day === 'infinity' || day < to_day),
    );
    const told = (list: Iterable<readonly [string, string]>) =>
      [...list]
        .filter(([name]) => !untold.has(name.split('/')[0] ?? ''))
        .map(([name, mrr]) => `${name} ${Number(mrr).toFixed(6)}`)
        .sort();
    compared += truth.size;
    expect(
      told(found.map(({ customer_id, currency, mrr }) => [`${customer_id}/${currency}`, mrr] as const)),
      day,
    ).toEqual(told([...truth].map(([name, mrr]) => [name, mrr.toString()] as const)));
  }
  expect(compared).toBeGreaterThan(3000);
  expect(untold.size).toBeLessThan(5);
});

test('nothing is unknown, and movements are exactly the change of MRR on every day and in every currency', async () => {
  expect((await world.query('select * from ops.mrr_spans where unknown > 0')).rows).toEqual([]);
  expect(await findBrokenDays(world)).toEqual([]);
  const { rows } = await world.query<{ movement: string }>(
    'select distinct movement from ops.customer_mrr order by 1',
  );
  expect(rows.map(({ movement }) => movement)).toEqual([
    'churn',
    'contraction',
    'expansion',
    'new',
    'reactivation',
  ]);
});
