/** Scheduled runs: what the webhook missed, what the first run knows, doubts, and the nightly comparison. */
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';

import { mapEvent } from '../mapping/map-event.ts';
import { rereadInDoubt } from './in-doubt.ts';
import { type Harness, LIVE_KEY, useHarness } from './testing/harness.ts';
import {
  customer,
  invoice,
  type MiniObject,
  price,
  product,
  seconds,
  subscription,
} from './testing/mini-stripe.ts';

const NOW = '2026-11-21T09:00:00Z';
const ten = price('price_10', 1000);
const twenty = price('price_20', 2000);

let harness: Harness;
useHarness((opened) => (harness = opened));

/** A Stripe with two prices and one customer with a subscription since 1 November. */
async function begin(now = NOW) {
  const mini = await harness.reset(now);
  const sub = subscription({ id: 'sub_1', at: '2026-11-01T10:00:00Z', prices: [{ price: ten }] });
  mini.put(product('prod_1'), ten, twenty, customer('cus_sub_1', '2026-11-01T09:59:00Z'));
  mini.happen('customer.subscription.created', sub, '2026-11-01T10:00:00Z');
  return { mini, sub };
}

function upgraded(sub: MiniObject): MiniObject {
  return subscription({
    id: sub.id,
    at: '2026-11-01T10:00:00Z',
    prices: [{ price: twenty }],
  });
}

async function coveredDays(): Promise<string[]> {
  const { rows } = await sql<{ day: string }>`
    select day from ops.coverage where source = 'stripe' and account_id = 'default' and stream = 'events' order by day`.execute(
    harness.session.db,
  );
  return rows.map(({ day }) => day);
}

describe('the first run', () => {
  it('knows what is, and the days of the last month by their events', async () => {
    const { mini, sub } = await begin();
    mini.happen('customer.subscription.updated', upgraded(sub), '2026-11-10T12:00:00Z', {
      previous_attributes: { items: sub['items'] },
    });
    expect(await harness.run()).toMatchObject({
      status: 'succeeded',
      stream: 'events',
      agent: 'billing',
      account_id: 'default',
    });
    expect(await harness.history('sub_1')).toEqual([
      '2026-11-01 active 10',
      '2026-11-10 active 20',
      '2026-11-21 active 20',
    ]);
    const days = await coveredDays();
    expect(days).toHaveLength(60);
    expect(days.at(-1)).toBe('2026-11-21');
  });

  it('knows by invoices, and by the period that it is in, what was before', async () => {
    const mini = await harness.reset(NOW);
    const monthly = subscription({
      id: 'sub_m',
      at: '2026-01-05T00:00:00Z',
      period: '2026-11-05T00:00:00Z',
      prices: [{ price: ten }],
    });
    const yearly = subscription({
      id: 'sub_y',
      at: '2025-03-01T00:00:00Z',
      period: '2026-03-01T00:00:00Z',
      prices: [
        {
          price: price('price_y', 12_000, {
            recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' },
          }),
        },
      ],
    });
    mini.put(product('prod_1'), ten, customer('cus_sub_m', '2026-01-05T00:00:00Z'), monthly, yearly);
    mini.put(
      invoice('in_m10', monthly, '2026-10-05T00:00:00Z', [{ item: 'si_sub_m_0', price: ten, amount: 1000 }]),
    );
    await harness.run();
    expect(await harness.history('sub_m')).toEqual([
      // Older than the days that are read: it was there on the first of them.
      '2026-09-05 active 10 *',
      '2026-10-05 active 10 *',
      '2026-11-05 active 10 *',
      '2026-11-21 active 10',
    ]);
    expect(await harness.history('sub_y')).toEqual(['2026-03-01 active 10 *', '2026-11-21 active 10']);
  });

  it('I1: run again, changes nothing', async () => {
    await begin();
    await harness.run();
    const before = await harness.contents();
    const second = await harness.run();
    expect(second).toMatchObject({ status: 'succeeded', rows_inserted: 0, rows_updated: 0, rows_deleted: 0 });
    expect(await harness.contents()).toEqual(before);
  });

  it('I2: broken off anywhere and run again, it ends in the same tables', async () => {
    await begin();
    await harness.run();
    const whole = await harness.contents();
    const calls = harness.mini.requests.length;
    for (const breakAt of [1, 6, calls - 4, calls - 1]) {
      const { mini } = await begin();
      const abort = new AbortController();
      mini.intercept = (_request, index) => {
        if (index === breakAt) abort.abort(new Error('killed'));
        return undefined;
      };
      await expect(harness.run({ signal: abort.signal })).rejects.toThrow('killed');
      mini.intercept = undefined;
      await harness.run();
      expect(await harness.contents(), `broken off at call ${breakAt}`).toEqual(whole);
    }
  });
});

describe('a run after it', () => {
  it('heals every delivery that was missed', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    mini.happen('customer.subscription.updated', upgraded(sub), '2026-11-22T12:00:00Z');
    const canceled = {
      ...upgraded(sub),
      status: 'canceled',
      ended_at: seconds('2026-11-23T12:00:00Z'),
      canceled_at: seconds('2026-11-23T12:00:00Z'),
    };
    mini.happen('customer.subscription.deleted', canceled, '2026-11-23T12:00:00Z');
    mini.now = '2026-11-24T09:00:00Z';
    expect(await harness.run()).toMatchObject({ status: 'succeeded' });
    expect(await harness.history('sub_1')).toEqual([
      '2026-11-01 active 10',
      '2026-11-21 active 10',
      '2026-11-22 active 20',
      '2026-11-23 canceled 0',
    ]);
    expect((await coveredDays()).at(-1)).toBe('2026-11-24');
  });

  it('counts a payment once it is captured, and not one that expired', async () => {
    const { mini } = await begin();
    await harness.run();
    const held = (id: string): MiniObject => ({
      id,
      object: 'charge',
      created: seconds('2026-11-21T10:00:00Z'),
      livemode: true,
      amount: 5000,
      amount_captured: 0,
      amount_refunded: 0,
      captured: false,
      currency: 'usd',
      status: 'succeeded',
    });
    for (const id of ['ch_held', 'ch_let_go'])
      mini.happen('charge.succeeded', held(id), '2026-11-21T10:00:00Z');
    const captured = { ...held('ch_held'), captured: true, amount_captured: 5000 };
    mini.happen('charge.captured', captured, '2026-11-21T15:00:00Z');
    mini.happen('charge.expired', { ...held('ch_let_go'), status: 'failed' }, '2026-11-21T15:00:00Z');
    mini.now = '2026-11-21T16:00:00Z';
    await harness.run();
    const { rows } =
      await sql`select external_id, amount::text, status, counted from payments order by 1`.execute(
        harness.session.db,
      );
    expect(rows).toEqual([
      { external_id: 'stripe:ch_held', amount: '50.00', status: 'succeeded', counted: true },
      { external_id: 'stripe:ch_let_go', amount: '50.00', status: 'failed', counted: false },
    ]);
  });

  it('reads the fees, which have no events', async () => {
    const { mini } = await begin();
    await harness.run();
    mini.put({
      id: 'txn_late',
      object: 'balance_transaction',
      created: seconds('2026-11-21T09:30:00Z'),
      currency: 'usd',
      amount: 1000,
      fee: 59,
      net: 941,
      status: 'available',
      type: 'charge',
      source: 'ch_late',
    });
    mini.now = '2026-11-21T10:00:00Z';
    await harness.run();
    const { rows } = await sql`select external_id, kind, amount::text from payments`.execute(
      harness.session.db,
    );
    expect(rows).toEqual([{ external_id: 'stripe:txn_late', kind: 'fee', amount: '0.59' }]);
  });

  it('takes what the webhook brought as done', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    const event = mini.happen('customer.subscription.updated', upgraded(sub), '2026-11-21T10:00:00Z');
    expect(await harness.deliver(event)).toBe('processed');
    mini.now = '2026-11-21T11:00:00Z';
    const before = await harness.history('sub_1');
    await harness.run();
    expect(await harness.history('sub_1')).toEqual(before);
  });

  it('warns when events would soon be forgotten, and reads the lists when they are', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    mini.now = '2026-12-17T09:00:00Z';
    await harness.run();
    expect(harness.warnings).toEqual([containing('last read 26 days ago: run it more often')]);
    harness.warnings = [];
    // Changed and forgotten: the event is out of reach before anyone reads it.
    mini.put(upgraded(sub));
    mini.now = '2027-01-17T09:00:00Z';
    expect(await harness.run()).toMatchObject({ status: 'succeeded' });
    expect(harness.warnings).toEqual([containing('are lost, the days since were read whole again')]);
    expect(await harness.history('sub_1')).toEqual([
      '2026-11-01 active 10',
      '2026-11-21 active 10',
      '2027-01-17 active 20',
    ]);
    expect((await coveredDays()).at(-1)).toBe('2027-01-17');
    harness.warnings = [];
    await harness.run();
    expect(harness.warnings).toEqual([]);
  });

  it('reads singly what is in doubt, and marks what is gone', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    await sql`update billing_objects set dirty_since = '2026-11-21T08:00:00Z' where object_id in ('sub_1', 'cus_sub_1')`.execute(
      harness.session.db,
    );
    mini.put(upgraded(sub));
    mini.remove('cus_sub_1');
    const result = await harness.run();
    expect(result.metadata).toMatchObject({ reread: { read: 2, gone: 1 } });
    expect(await harness.history('sub_1')).toEqual(['2026-11-01 active 10', '2026-11-21 active 20']);
    const { rows } = await sql<{ object_id: string; deleted: boolean; dirty: boolean }>`
      select object_id, deleted, dirty_since is not null as dirty from billing_objects
      where object_id in ('sub_1', 'cus_sub_1') order by object_id`.execute(harness.session.db);
    expect(rows).toEqual([
      { object_id: 'cus_sub_1', deleted: true, dirty: false },
      { object_id: 'sub_1', deleted: false, dirty: false },
    ]);
  });
});

describe('between runs', () => {
  it('a right that the key lacks keeps its type in doubt and no other', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    await sql`update billing_objects set dirty_since = '2026-11-21T08:00:00Z' where object_id in ('sub_1', 'cus_sub_1')`.execute(
      harness.session.db,
    );
    mini.put(upgraded(sub));
    mini.intercept = ({ path }) =>
      path.startsWith('/v1/customers/')
        ? { status: 403, body: { error: { message: 'needs rak_customer_read' } } }
        : undefined;
    expect(await harness.run()).toMatchObject({ status: 'succeeded' });
    expect(harness.warnings[0]).toContain('Objects in doubt could not be read again');
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-21 active 20');
    const { rows } = await sql<{
      object_id: string;
    }>`select object_id from billing_objects where dirty_since is not null`.execute(harness.session.db);
    expect(rows).toEqual([{ object_id: 'cus_sub_1' }]);
  });

  it('the webhook server re-reads what is in doubt', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    await sql`update billing_objects set dirty_since = '2026-11-21T08:00:00Z' where object_id = 'sub_1'`.execute(
      harness.session.db,
    );
    mini.put(upgraded(sub));
    const round = () =>
      rereadInDoubt({
        session: harness.session,
        key: { secretKey: LIVE_KEY, baseUrl: mini.url },
        signal: new AbortController().signal,
      });
    expect(await round()).toMatchObject({ read: 1, gone: 0, failures: [] });
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-21 active 20');
    expect(await round()).toMatchObject({ read: 0 });
  });

  it('a failed event that nobody tried again is, by the next run', async () => {
    const { mini, sub } = await begin();
    await harness.run();
    const event = mini.happen('customer.subscription.updated', upgraded(sub), '2026-11-21T08:30:00Z');
    const change = mapEvent(event);
    const failed = { ...change, event: { ...change.event, status: 'failed', error: 'out of order' } };
    await sql`select public.stripe_apply(${JSON.stringify(failed)}::jsonb)`.execute(harness.session.db);
    await sql`update billing_events set next_attempt_at = now() where status = 'failed'`.execute(
      harness.session.db,
    );
    // The list does not tell it any more: what is left is the ledger's.
    mini.remove(event.id);
    mini.now = '2026-11-21T10:00:00Z';
    expect((await harness.run()).metadata).toMatchObject({ retried: { tried: 1, failed: 0 } });
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-21 active 20');
  });
});

describe('once a day', () => {
  it('what is missing, changed or gone behind our back is found, told and mended', async () => {
    const { mini, sub } = await begin();
    mini.put(subscription({ id: 'sub_2', at: '2026-11-02T00:00:00Z', prices: [{ price: ten }] }));
    mini.put(customer('cus_gone', '2026-11-02T00:00:00Z'));
    await harness.run();
    const clean = await harness.run();
    expect(clean.metadata).toMatchObject({ drift: [] });
    expect(harness.warnings).toEqual([]);
    await sql`delete from subscriptions where external_id = 'stripe:sub_2'`.execute(harness.session.db);
    await sql`delete from billing_objects where object_id = 'sub_2'`.execute(harness.session.db);
    mini.put(upgraded(sub));
    mini.remove('cus_gone');
    mini.now = '2026-11-22T09:00:00Z';
    const found = await harness.run();
    expect(found.metadata).toMatchObject({
      reconciled: {
        subscriptions: [
          { status: 'active', currency: 'USD', count: 1, count_there: 2, mrr: '10', mrr_there: '30' },
        ],
      },
    });
    expect(harness.warnings).toEqual([
      containing(
        'customer: 0 missing here, 1 missing there, 0 different; subscription: 1 missing here, 0 missing there, 1 different',
      ),
    ]);
    expect((await harness.history('sub_1')).at(-1)).toBe('2026-11-22 active 20');
    expect((await harness.history('sub_2')).at(-1)).toBe('2026-11-22 active 10');
    harness.warnings = [];
    mini.now = '2026-11-23T09:00:00Z';
    expect((await harness.run()).metadata).toMatchObject({ drift: [] });
    expect(harness.warnings).toEqual([]);
    const asked = mini.requests.length;
    mini.now = '2026-11-23T10:00:00Z';
    await harness.run();
    // Four groups of events, and the fees.
    expect(mini.requests.length - asked).toBe(5);
  });

  it('a list that lacks too much is not believed', async () => {
    const { mini } = await begin();
    for (let index = 0; index < 30; index++) mini.put(customer(`cus_${index}`, '2026-11-02T00:00:00Z'));
    await harness.run();
    for (let index = 0; index < 30; index++) mini.remove(`cus_${index}`);
    mini.now = '2026-11-21T10:00:00Z';
    await harness.run();
    expect(harness.warnings[0]).toContain('lacks 30 of the 31 that are stored');
    const { rows } = await sql<{
      gone: number;
    }>`select count(*)::int as gone from billing_objects where deleted`.execute(harness.session.db);
    expect(rows[0]?.gone).toBe(0);
  });
});

describe('what Stripe refuses', () => {
  it('a key of the other mode fails, and writes nothing', async () => {
    const { mini } = await begin();
    mini.put({ ...customer('cus_test', '2026-11-02T00:00:00Z'), livemode: false });
    expect(await harness.run()).toMatchObject({ status: 'failed', error: { error_type: 'contract' } });
    const { rows } = await sql<{
      count: number;
    }>`select count(*)::int as count from billing_objects where object_id = 'cus_test'`.execute(
      harness.session.db,
    );
    expect(rows[0]?.count).toBe(0);
    expect(await coveredDays()).toEqual([]);
  });

  it('throttled for longer than it may wait, the account is paused and goes on later', async () => {
    const { mini } = await begin();
    mini.intercept = ({ path }) =>
      path === '/v1/customers'
        ? {
            status: 429,
            headers: { 'retry-after': '30' },
            body: { error: { code: 'rate_limit', message: 'Too many requests' } },
          }
        : undefined;
    expect(await harness.run({ waitBudgetMs: 1_000 })).toMatchObject({ status: 'paused' });
    mini.intercept = undefined;
    mini.now = '2026-11-21T10:00:00Z';
    expect(await harness.run()).toMatchObject({ status: 'succeeded' });
    expect(await coveredDays()).toHaveLength(60);
  });
});
