/** The nightly comparison and the doubts, when one object is odd, a list leaves something out, or the key is another's. */
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';

import { rereadInDoubt } from './in-doubt.ts';
import { type Harness, LIVE_KEY, useHarness } from './testing/harness.ts';
import {
  customer,
  type MiniObject,
  type MiniStripe,
  price,
  product,
  seconds,
  subscription,
} from './testing/mini-stripe.ts';

const ten = price('price_10', 1000);
const twenty = price('price_20', 2000);

let harness: Harness;
useHarness((opened) => (harness = opened));

/** A Stripe as of 20 November that was read once, with a subscription for each of the ids. */
async function begin(...ids: string[]): Promise<{ mini: MiniStripe; objects: MiniObject[] }> {
  const mini = await harness.reset('2026-11-20T09:00:00Z');
  const objects = [product('prod_1'), ten, twenty, ...ids.flatMap((id) => [owner(id), monthly(id)])];
  mini.put(...objects);
  await harness.run();
  expect(harness.warnings).toEqual([]);
  return { mini, objects };
}

const owner = (id: string) => customer(`cus_${id}`, '2026-11-01T09:59:00Z');

function monthly(id: string, of = ten): MiniObject {
  return subscription({ id, at: '2026-11-01T10:00:00Z', prices: [{ price: of }] });
}

/** A subscription of a shape that no API version has. */
function odd(id: string): MiniObject {
  return subscription({ id, at: '2026-11-01T10:00:00Z', prices: [{ price: ten, quantity: 1.5 }] });
}

/** A run on that day of November, and what it warned of. */
async function runOn(day: number) {
  harness.warnings = [];
  harness.mini.now = `2026-11-${day}T09:00:00Z`;
  const { status, metadata } = await harness.run();
  return { status, metadata, warnings: harness.warnings };
}

/** A thin event: something happened to the object, and what has to be asked for. */
async function doubt(type: string, id: string, at: string): Promise<void> {
  const event = {
    id: `evt_${id}`,
    object: 'v2.core.event',
    type: `v1.${type}.updated`,
    created: at,
    livemode: true,
    related_object: { id, type, url: `/v1/${type}s/${id}` },
  };
  expect(await harness.deliver(event)).toBe('processed');
}

async function ids(condition: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select object_id as id from billing_objects where ${sql.raw(condition)} order by object_id`.execute(
    harness.session.db,
  );
  return rows.map(({ id }) => id);
}

describe('one object of an unexpected shape', () => {
  const oddCharge: MiniObject = {
    id: 'ch_odd',
    object: 'charge',
    created: seconds('2026-11-20T10:00:00Z'),
    livemode: true,
    amount: null,
    currency: 'usd',
    status: 'succeeded',
  };

  it('stays in doubt, is told, and holds up neither the doubts behind it nor the comparison', async () => {
    const { mini } = await begin('sub_1', 'sub_2');
    mini.put(oddCharge, { ...oddCharge, id: 'ch_odder' }, odd('sub_1'), monthly('sub_2', twenty));
    await doubt('charge', 'ch_odd', '2026-11-20T10:00:00.000Z');
    await doubt('charge', 'ch_odder', '2026-11-20T10:01:00.000Z');
    await doubt('subscription', 'sub_1', '2026-11-20T10:10:00.000Z');
    await doubt('subscription', 'sub_2', '2026-11-20T10:20:00.000Z');
    const { status, metadata, warnings } = await runOn(21);
    expect(status).toBe('succeeded');
    expect(warnings.slice(0, 2)).toEqual([
      containing('charge ch_odd could not be used (amount should be a whole number and is missing)'),
      containing('subscription sub_1 could not be used'),
    ]);
    expect(warnings[0]).toContain('nor could 1 more: ch_odder');
    expect(await harness.history('sub_2')).toEqual([
      '2026-11-01 active 10 *',
      '2026-11-20 active 10',
      '2026-11-21 active 20',
    ]);
    expect(await ids('dirty_since is not null')).toEqual(['ch_odd', 'ch_odder', 'sub_1']);
    expect(metadata).toMatchObject({ reconciled: { lists: expect.anything() as unknown } });
    mini.put(
      monthly('sub_1', twenty),
      { ...oddCharge, amount: 500 },
      { ...oddCharge, id: 'ch_odder', amount: 500 },
    );
    expect((await runOn(22)).warnings).toEqual([]);
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-22 active 20');
    expect(await ids('dirty_since is not null')).toEqual([]);
  });

  it('that the database refuses is told too', async () => {
    const { mini } = await begin('sub_1', 'sub_2');
    const tooLong = { interval: 'month', interval_count: 3_000_000_000, usage_type: 'licensed' };
    mini.put(monthly('sub_1', price('price_late', 1000, { recurring: tooLong })), monthly('sub_2', twenty));
    await doubt('subscription', 'sub_1', '2026-11-20T10:10:00.000Z');
    await doubt('subscription', 'sub_2', '2026-11-20T10:20:00.000Z');
    const { status, warnings } = await runOn(21);
    expect(status).toBe('succeeded');
    expect(warnings[0]).toContain('subscription sub_1 could not be used (value "3000000000" is out of range');
    expect((await harness.history('sub_2')).at(-1)).toBe('2026-11-21 active 20');
    expect(await ids('dirty_since is not null')).toEqual(['sub_1']);
  });

  it('does not stop the webhook server, which says so too', async () => {
    const { mini } = await begin('sub_1');
    mini.put(oddCharge, monthly('sub_1', twenty));
    await doubt('charge', 'ch_odd', '2026-11-20T10:00:00.000Z');
    await doubt('subscription', 'sub_1', '2026-11-20T10:10:00.000Z');
    mini.now = '2026-11-20T11:00:00Z';
    const { read, failures } = await rereadInDoubt({
      session: harness.session,
      key: { secretKey: LIVE_KEY, baseUrl: mini.url },
      signal: new AbortController().signal,
    });
    expect({ read, failures: failures.map(({ message }) => message) }).toEqual({
      read: 2,
      failures: [containing('charge ch_odd')],
    });
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-20 active 20');
  });

  it('that the lists have is set aside, and counts neither as gone nor as drift', async () => {
    const { mini } = await begin('sub_1', 'sub_2', 'sub_3');
    mini.put(odd('sub_1'), odd('sub_new'), monthly('sub_2', twenty));
    mini.remove('sub_3');
    for (const day of [21, 22]) {
      const { status, warnings } = await runOn(day);
      expect([day, status]).toEqual([day, 'succeeded']);
      expect(warnings[0]).toContain(
        'Not all that Stripe lists could be compared: subscription sub_new could not be used (subscription_item si_sub_new_0: quantity should be a whole number and is a number), nor could 1 more: sub_1',
      );
      expect(warnings.slice(1)).toEqual(
        day === 21
          ? [
              containing(
                '(subscription: 0 missing here, 1 missing there, 1 different; active USD: 1 with 10 here, 1 with 20 there)',
              ),
            ]
          : [],
      );
    }
    expect((await harness.history('sub_2')).at(-1)).toBe('2026-11-21 active 20');
    expect(await ids('deleted')).toEqual(['sub_3']);
  });
});

describe('what a list leaves out', () => {
  it('is no drift when Stripe has it all the same, however much it is', async () => {
    const { mini } = await begin('sub_1');
    for (let index = 0; index < 12; index++)
      mini.happen('price.created', price(`price_inline${index}`, 1000 + index), '2026-11-20T10:00:00Z');
    // https://docs.stripe.com/api/prices/list: inline prices are not listed.
    mini.intercept = ({ path }) =>
      path === '/v1/prices'
        ? { body: { object: 'list', url: path, has_more: false, data: [twenty, ten] } }
        : undefined;
    for (const day of [21, 22])
      expect(await runOn(day)).toMatchObject({ warnings: [], metadata: { drift: [] } });
    mini.remove('price_inline7');
    expect((await runOn(23)).warnings).toEqual([
      containing('price: 0 missing here, 1 missing there, 0 different'),
    ]);
    expect(await ids('deleted')).toEqual(['price_inline7']);
  });
});

describe('a key of another account', () => {
  it('marks nothing as gone, takes nothing over, and is told', async () => {
    const { mini, objects } = await begin('sub_1', 'sub_2');
    const before = await harness.contents();
    for (const { id } of objects) mini.remove(id);
    const others = [price('price_other', 500), owner('sub_other'), monthly('sub_other')];
    mini.put(...others);
    expect((await runOn(21)).warnings).toEqual([
      containing(
        'Stripe lists 0 of the 2 subscriptions that are stored: the key is likely of another account',
      ),
    ]);
    expect(await harness.contents()).toEqual(before);
    for (const { id } of others) mini.remove(id);
    mini.put(...objects);
    expect(await runOn(22)).toMatchObject({ warnings: [], metadata: { drift: [] } });
    expect(await harness.contents()).toEqual(before);
  });

  it('is seen through although its own events were just read', async () => {
    const { mini, objects } = await begin('sub_1', 'sub_2');
    for (const { id } of objects) mini.remove(id);
    mini.happen('customer.subscription.created', monthly('sub_other'), '2026-11-20T10:00:00Z');
    expect((await runOn(21)).warnings).toEqual([containing('Stripe lists 0 of the 2 subscriptions')]);
    expect(await ids('deleted')).toEqual([]);
  });

  it('is not suspected when the subscriptions are there and the only coupon is gone', async () => {
    const { mini } = await begin('sub_1');
    const coupon = {
      id: 'LAUNCH',
      object: 'coupon',
      created: seconds('2026-11-20T09:30:00Z'),
      livemode: true,
      percent_off: 20,
    };
    mini.happen('coupon.created', coupon, '2026-11-20T09:30:00Z');
    await runOn(21);
    mini.remove('LAUNCH');
    expect((await runOn(22)).warnings).toEqual([containing('coupon: 0 missing here, 1 missing there')]);
    expect(await ids('deleted')).toEqual(['LAUNCH']);
  });
});
