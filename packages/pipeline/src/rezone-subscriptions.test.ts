/** Another time zone for subscriptions, the whole way: the days are what they would be had the zone been that from the start. */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { encodeChange } from '@floyo/billing-webhook/mapping/encode-change';
import { mapEvent } from '@floyo/billing-webhook/mapping/map-event';
import { mapObject } from '@floyo/billing-webhook/mapping/map-object';
import {
  DAY,
  DAY_0,
  type Json,
  listOf,
  makeEvent,
  makeItem,
  makePrice,
  makeSubscription,
} from '@floyo/billing-webhook/testing/events';
import { STRIPE } from '@floyo/metrics/testing/billing';
import { createWorld, type World } from '@floyo/metrics/testing/world';
import { renderEvent } from '@floyo/sandbox/stripe/families';
import { makeLives } from '@floyo/sandbox/stripe/lives';

import { readVersion } from './read-version.ts';

const UTC = 'UTC';
const TOKYO = 'Asia/Tokyo';
const LOS_ANGELES = 'America/Los_Angeles';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => startIn(UTC));

/** Nothing is stored, and the zone is this one. */
async function startIn(timezone: string): Promise<void> {
  await world.clear();
  await sql`delete from billing_events`.execute(world.db);
  await sql`update ops.settings set reporting_timezone = ${timezone}`.execute(world.db);
}

/** Applied one by one, in this order. */
async function apply(changes: readonly string[]): Promise<void> {
  for (const change of changes) await sql`select public.stripe_apply(${change}::jsonb)`.execute(world.db);
}
const event = (of: Json) => encodeChange(mapEvent(of));
const reading = (object: Json, seconds: number) =>
  encodeChange(mapObject(object, { fetchedAt: instantOf(seconds), account: 'default', livemode: true }));
const instantOf = (seconds: number) => new Date(seconds * 1000).toISOString();

const rezone = (timezone: string, options: object = {}) =>
  world.run({
    accounts: [STRIPE],
    reporting: { timezone, currency: 'USD' },
    rezone: true,
    now: Temporal.Instant.from('2026-11-25T00:00:00Z'),
    readVersion,
    ...options,
  });

/** Every row with all that was told of it; when and by whom it was written may differ. */
const rows = async () =>
  (
    await world.query<{ row: string }>(`
      select (to_jsonb(s) - array['synced_at', 'run_id'])::text as row from subscriptions s order by external_id, date`)
  ).rows.map(({ row }) => row);

/** Day, status and value of each row. */
const days = async () =>
  (
    await world.query<{ text: string }>(
      `select concat_ws(' ', date, status, mrr) as text from subscriptions order by external_id, date`,
    )
  ).rows.map(({ text }) => text);

const HOUR = 3600;
/** Of 20 USD a piece. */
const subscription = (quantity: number, more: Json = {}) =>
  makeSubscription('sub_1', {
    items: listOf([makeItem('si_1', makePrice('price_1', 2000), quantity)]),
    ...more,
  });
const created = (at: number, id = 'evt_1') =>
  event(makeEvent('customer.subscription.created', subscription(1), { id, created: DAY_0 + at }));
const changed = (at: number, quantity: number, id = 'evt_2', more: Json = {}, previous?: Json) =>
  event(
    makeEvent('customer.subscription.updated', subscription(quantity, more), {
      id,
      created: DAY_0 + at,
      ...(previous === undefined ? {} : { previous }),
    }),
  );

test('two versions of one day that are of two days elsewhere are both there, and become one again', async () => {
  await world.cover([STRIPE], '2026-11-15', '2026-11-26');
  await apply([created(10 * HOUR), changed(20 * HOUR, 2)]);
  await world.run({ accounts: [STRIPE], now: Temporal.Instant.from('2026-11-25T00:00:00Z') });
  const before = await rows();
  expect(await days()).toEqual(['2026-11-20 active 40']);
  await rezone(TOKYO);
  expect(await days()).toEqual(['2026-11-20 active 20', '2026-11-21 active 40']);
  expect(await world.value('new_mrr', '2026-11-20')).toBe(20);
  expect(await world.value('mrr', '2026-11-20')).toBe(20);
  expect(await world.value('expansion_mrr', '2026-11-21')).toBe(20);
  await rezone(UTC);
  expect(await rows()).toEqual(before);
  expect(await world.value('new_mrr', '2026-11-20')).toBe(40);
});

test('there and back keeps a day that was part of another one meanwhile', async () => {
  await apply([created(23 * HOUR), changed(28 * HOUR, 4)]);
  const before = await rows();
  expect(await days()).toEqual(['2026-11-20 active 20', '2026-11-21 active 80']);
  await rezone(LOS_ANGELES);
  expect(await days()).toEqual(['2026-11-20 active 80']);
  await rezone(UTC);
  expect(await rows()).toEqual(before);
});

test('versions of one second are told apart as they were when they came', async () => {
  const second = 14 * HOUR;
  const marked = [
    changed(second, 3, 'evt_3', { status: 'past_due' }, { status: 'active' }),
    changed(second, 2, 'evt_2', { status: 'active' }, { status: 'trialing' }),
    created(second),
    changed(second + 2 * HOUR, 7, 'evt_7'),
  ];
  // Nothing says which is the later one: the one that came last stays.
  const unmarked = [
    changed(second, 5, 'evt_5'),
    changed(second, 4, 'evt_4'),
    changed(second + 2 * HOUR, 7, 'evt_7'),
  ];
  const seen: string[] = [];
  for (const order of [marked, marked.toReversed(), unmarked, unmarked.toReversed()]) {
    await startIn(TOKYO);
    await apply(order);
    const fromTheStart = await rows();
    seen.push(...(await days()).slice(0, -1));
    await startIn(UTC);
    await apply(order);
    expect(await days()).toEqual(['2026-11-20 active 140']);
    await rezone(TOKYO);
    expect(await rows()).toEqual(fromTheStart);
  }
  expect(seen).toEqual([
    '2026-11-20 past_due 60',
    '2026-11-20 past_due 60',
    '2026-11-20 active 80',
    '2026-11-20 active 100',
  ]);
});

test('what was read from the API stays where no event is later, and gives way where one is', async () => {
  await apply([created(10 * HOUR), reading(subscription(3), DAY_0 + 13 * HOUR), changed(22 * HOUR, 4)]);
  expect(await days()).toEqual(['2026-11-20 active 80']);
  await startIn(UTC);
  // Late: the reading is of this day too, and is newer.
  await apply([reading(subscription(3), DAY_0 + 16 * HOUR), created(10 * HOUR)]);
  expect(await days()).toEqual(['2026-11-20 active 60']);
  await rezone(TOKYO);
  expect(await days()).toEqual(['2026-11-20 active 20', '2026-11-21 active 60']);
  await rezone(UTC);
  expect(await days()).toEqual(['2026-11-20 active 60']);
});

test('an event that can no longer be read is told of, and the others are told all the same', async () => {
  await apply([
    created(10 * HOUR),
    changed(20 * HOUR, 2),
    changed(DAY + 10 * HOUR, 3, 'evt_3'),
    changed(DAY + 20 * HOUR, 4, 'evt_4'),
  ]);
  await sql`
    update billing_events set payload = jsonb_set(payload, '{data,object,items,data,0,quantity}', '1.5')
    where external_id = 'stripe:evt_3'`.execute(world.db);
  const { warnings } = await rezone(TOKYO);
  expect(await days()).toEqual(['2026-11-20 active 20', '2026-11-21 active 40', '2026-11-22 active 80']);
  expect(warnings.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^1 of Stripe's events can no longer be read/),
  );
});

test('an object that is only known to have changed keeps its day', async () => {
  const thin = {
    id: 'evt_thin',
    object: 'v2.core.event',
    type: 'v1.customer.subscription.updated',
    created: '2026-11-20T20:00:00.000Z',
    livemode: true,
    related_object: { id: 'sub_2', type: 'subscription', url: '/v1/subscriptions/sub_2' },
  };
  await apply([event(thin)]);
  await rezone(TOKYO);
  expect((await world.query('select date from billing_objects')).rows).toEqual([{ date: '2026-11-20' }]);
  expect(await rows()).toEqual([]);
});

test('whole lives of customers, as if they had come in the new zone, late ones too', async () => {
  const lives = makeLives({
    seed: 7,
    customers: 24,
    from: '2025-01-01T00:00:00Z',
    to: '2025-06-30T23:59:59Z',
  });
  const changes = lives.happenings
    .filter(({ version }) => ['subscription', 'price', 'coupon', 'discount'].includes(version.type))
    .map((happening) =>
      encodeChange(mapEvent(renderEvent(happening, lives.familyOf(happening), lives.references))),
    );
  // Every seventh comes after all the others.
  const order = [...changes.filter((_, i) => i % 7 > 0), ...changes.filter((_, i) => i % 7 === 0)];
  await startIn(LOS_ANGELES);
  await apply(order);
  const losAngeles = await rows();
  await startIn(UTC);
  await apply(order);
  const utc = await rows();
  await rezone(LOS_ANGELES, { metrics: {} });
  expect(await rows()).toEqual(losAngeles);
  await rezone(UTC, { metrics: {} });
  expect(await rows()).toEqual(utc);
  expect(losAngeles.length).not.toBe(utc.length);
});
