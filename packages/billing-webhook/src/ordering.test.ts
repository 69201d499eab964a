/** Which of two versions wins, whatever the order in which they arrive; and that a replay changes nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  DAY,
  DAY_0,
  type Json,
  listOf,
  makeCharge,
  makeEvent,
  makeInvoice,
  makeItem,
  makePrice,
  makeRefund,
  makeSubscription,
} from './testing/events.ts';
import { openTestWebhook, type TestWebhook } from './testing/webhook.ts';

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());
beforeEach(() => webhook.clear());

async function statusOf(table: string, id: string): Promise<string | undefined> {
  const order = table === 'subscriptions' ? 'order by date desc' : '';
  const found = await webhook.rows<{ status: string }>(
    `select status from ${table} where external_id = 'stripe:${id}' ${order} limit 1`,
  );
  return found[0]?.status;
}

async function dirty(): Promise<string[]> {
  const found = await webhook.rows<{ object_id: string }>(
    'select object_id from billing_objects where dirty_since is not null order by object_id',
  );
  return found.map(({ object_id }) => object_id);
}

/** Every order of a few events. */
function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]];
  return list.flatMap((first, index) =>
    permutations(list.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}

/** Applies the events in every order; what each order leaves. */
async function inEveryOrder<T>(events: readonly Json[], look: () => Promise<T>): Promise<T[]> {
  const seen: T[] = [];
  for (const order of permutations(events)) {
    await webhook.clear();
    for (const event of order) await webhook.event(event);
    seen.push(await look());
  }
  return seen;
}

const subscriptionAt = (status: string, more: Json = {}) => makeSubscription('sub_1', { status, ...more });

describe('of different seconds the later one wins', () => {
  it('in any order of arrival', async () => {
    const events = [
      makeEvent('customer.subscription.created', subscriptionAt('incomplete'), { id: 'evt_1' }),
      makeEvent('customer.subscription.updated', subscriptionAt('active'), {
        id: 'evt_2',
        created: DAY_0 + 1,
      }),
      makeEvent('customer.subscription.deleted', subscriptionAt('canceled'), {
        id: 'evt_3',
        created: DAY_0 + 2,
      }),
    ];
    const seen = await inEveryOrder(events, async () => [
      await statusOf('subscriptions', 'sub_1'),
      await dirty(),
    ]);
    expect(new Set(seen.map(String))).toEqual(new Set([String(['canceled', []])]));
  });
});

describe('of the same second', () => {
  it('the one whose previous attributes the other has is the later one', async () => {
    // Ranks would say the opposite: a past_due subscription is paid.
    const events = [
      makeEvent('customer.subscription.updated', subscriptionAt('unpaid'), {
        id: 'evt_1',
        previous: { status: 'past_due' },
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('active'), {
        id: 'evt_2',
        previous: { status: 'unpaid' },
      }),
    ];
    const seen = await inEveryOrder(events, async () => [
      await statusOf('subscriptions', 'sub_1'),
      await dirty(),
    ]);
    expect(seen).toEqual([
      ['active', []],
      ['active', []],
    ]);
  });

  it('previous attributes inside an object count by what they name', async () => {
    const of = (pause: string | null) =>
      subscriptionAt('active', {
        pause_collection: pause === null ? null : { behavior: pause, resumes_at: null },
      });
    const events = [
      makeEvent('customer.subscription.updated', of('void'), {
        id: 'evt_1',
        previous: { pause_collection: null },
      }),
      makeEvent('customer.subscription.updated', of('keep_as_draft'), {
        id: 'evt_2',
        previous: { pause_collection: { behavior: 'void' } },
      }),
    ];
    const seen = await inEveryOrder(events, () => webhook.rows('select pause_behavior from subscriptions'));
    expect(seen).toEqual([[{ pause_behavior: 'keep_as_draft' }], [{ pause_behavior: 'keep_as_draft' }]]);
  });

  it('without them the further one in its life', async () => {
    const events = ['draft', 'open', 'paid'].map((status, index) =>
      makeEvent('invoice.updated', makeInvoice('in_1', { status, amount_paid: index }), {
        id: `evt_${String(index)}`,
      }),
    );
    const seen = await inEveryOrder(events, async () => [await statusOf('invoices', 'in_1'), await dirty()]);
    expect(new Set(seen.map(String))).toEqual(new Set([String(['paid', []])]));
  });

  it('a charge is later with more refunded', async () => {
    const events = [0, 500, 1500].map((amount) =>
      makeEvent('charge.updated', makeCharge('ch_1', { amount_refunded: amount }), {
        id: `evt_${String(amount)}`,
      }),
    );
    const seen = await inEveryOrder(events, async () => [
      await webhook.rows(`select event_id from billing_objects where type = 'charge'`),
      await dirty(),
    ]);
    for (const one of seen) expect(one).toEqual([[{ event_id: 'stripe:evt_1500' }], []]);
  });

  it('what was created is the first version, whatever ranks say', async () => {
    const events = [
      makeEvent('customer.subscription.created', subscriptionAt('active'), { id: 'evt_1' }),
      makeEvent('customer.subscription.updated', subscriptionAt('trialing'), { id: 'evt_2' }),
    ];
    const seen = await inEveryOrder(events, async () => [
      await statusOf('subscriptions', 'sub_1'),
      await dirty(),
    ]);
    expect(seen).toEqual([
      ['trialing', []],
      ['trialing', []],
    ]);
  });

  it('where nothing tells, the last one to arrive is taken and the object marked to be read', async () => {
    const events = ['active', 'past_due'].map((status) =>
      makeEvent('customer.subscription.updated', subscriptionAt(status), { id: `evt_${status}` }),
    );
    const seen = await inEveryOrder(events, async () => [
      await statusOf('subscriptions', 'sub_1'),
      await dirty(),
    ]);
    expect(seen).toEqual([
      ['past_due', ['sub_1']],
      ['active', ['sub_1']],
    ]);
    await webhook.reading(subscriptionAt('past_due'), DAY_0 + 60);
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['past_due', []]);
  });

  it('a change there and back again in one second is a doubt, and a later second ends it', async () => {
    const events = [
      makeEvent('customer.subscription.updated', subscriptionAt('past_due'), {
        id: 'evt_1',
        previous: { status: 'active' },
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('active'), {
        id: 'evt_2',
        previous: { status: 'past_due' },
      }),
    ];
    for (const event of events) await webhook.event(event);
    expect(await dirty()).toEqual(['sub_1']);
    await webhook.event(
      makeEvent('customer.subscription.updated', subscriptionAt('canceled'), {
        id: 'evt_3',
        created: DAY_0 + 1,
      }),
    );
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['canceled', []]);
  });

  it('the same object under two types is no doubt', async () => {
    const paid = makeInvoice('in_1', { status: 'paid', amount_paid: 2000 });
    expect(await webhook.event(makeEvent('invoice.paid', paid, { id: 'evt_1' }))).toBe('processed');
    expect(await webhook.event(makeEvent('invoice.payment_succeeded', paid, { id: 'evt_2' }))).toBe('stale');
    expect(await dirty()).toEqual([]);
  });
});

describe('duplicates', () => {
  it('by event id, and by what they say under another id', async () => {
    const event = makeEvent('customer.subscription.updated', subscriptionAt('active'), { id: 'evt_1' });
    expect(await webhook.event(event)).toBe('processed');
    const before = await webhook.rows('select * from subscriptions');
    expect(await webhook.event(event)).toBe('duplicate');
    expect(await webhook.event({ ...event, id: 'evt_twin' })).toBe('duplicate');
    expect(await webhook.rows('select * from subscriptions')).toEqual(before);
    expect(await webhook.rows('select count(*)::int as events from billing_events')).toEqual([{ events: 2 }]);
  });

  it('the same event id of another account is another event, and never reaches the platform', async () => {
    const event = makeEvent('customer.subscription.updated', subscriptionAt('active'), { id: 'evt_1' });
    await webhook.event(event);
    const foreign = makeEvent('customer.subscription.deleted', subscriptionAt('canceled'), {
      id: 'evt_1',
      created: DAY_0 + 9,
      account: 'acct_other',
    });
    expect(await webhook.event(foreign)).toBe('processed');
    expect(
      await webhook.rows('select external_id, account, status from subscriptions_current order by account'),
    ).toEqual([
      { external_id: 'stripe:acct_other:sub_1', account: 'acct_other', status: 'canceled' },
      { external_id: 'stripe:sub_1', account: 'default', status: 'active' },
    ]);
  });
});

describe('deletions', () => {
  const product = (name: string) => ({ id: 'prod_1', object: 'product', name, active: true });

  it('hold against late updates, and against those of the same second', async () => {
    const events = [
      makeEvent('product.updated', product('first'), { id: 'evt_1' }),
      makeEvent('product.updated', product('second'), { id: 'evt_2', created: DAY_0 + 5 }),
      makeEvent('product.deleted', product('second'), { id: 'evt_3', created: DAY_0 + 5 }),
    ];
    const seen = await inEveryOrder(events, () =>
      webhook.rows('select deleted, event_id from billing_objects'),
    );
    for (const one of seen) expect(one).toEqual([{ deleted: true, event_id: 'stripe:evt_3' }]);
  });

  it('that arrive late do not take what was made anew under the same id', async () => {
    const coupon = (percent: number) => ({
      id: 'SPRING',
      object: 'coupon',
      percent_off: percent,
      duration: 'forever',
    });
    const events = [
      makeEvent('coupon.deleted', coupon(10), { id: 'evt_1' }),
      makeEvent('coupon.created', coupon(20), { id: 'evt_2', created: DAY_0 + 5 }),
    ];
    const seen = await inEveryOrder(events, () =>
      webhook.rows(`select deleted, data ->> 'percent_off' as percent from billing_objects`),
    );
    for (const one of seen) expect(one).toEqual([{ deleted: false, percent: '20' }]);
  });

  it('of an invoice take its row, for good', async () => {
    const events = [
      makeEvent('invoice.created', makeInvoice('in_1', { status: 'draft' }), { id: 'evt_1' }),
      makeEvent('invoice.deleted', makeInvoice('in_1', { status: 'draft' }), {
        id: 'evt_2',
        created: DAY_0 + 5,
      }),
    ];
    const seen = await inEveryOrder(events, () => webhook.rows('select * from invoices'));
    expect(seen).toEqual([[], []]);
  });

  it('of a discount end it and keep what it was', async () => {
    const discount = {
      id: 'di_1',
      object: 'discount',
      source: { type: 'coupon', coupon: 'SPRING' },
      customer: 'cus_1',
      subscription: 'sub_1',
      start: DAY_0,
      end: null,
    };
    await webhook.event(makeEvent('customer.discount.created', discount, { id: 'evt_1' }));
    await webhook.event(
      makeEvent('customer.discount.deleted', discount, { id: 'evt_2', created: DAY_0 + DAY }),
    );
    expect(
      await webhook.rows(
        `select deleted, data -> 'coupon' as coupon, data ->> 'end' as ended from billing_objects`,
      ),
    ).toEqual([{ deleted: true, coupon: { id: 'SPRING' }, ended: '2026-11-21T00:00:00.000Z' }]);
  });
});

describe('days', () => {
  it('an event of a past day changes that day alone', async () => {
    const events = [
      makeEvent('customer.subscription.created', subscriptionAt('active'), {
        id: 'evt_1',
        created: DAY_0 + 10,
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('past_due'), {
        id: 'evt_2',
        created: DAY_0 + DAY,
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('active'), {
        id: 'evt_3',
        created: DAY_0 + DAY + 10,
      }),
      makeEvent('customer.subscription.deleted', subscriptionAt('canceled'), {
        id: 'evt_4',
        created: DAY_0 + 3 * DAY,
      }),
    ];
    const seen = await inEveryOrder(events, () =>
      webhook.rows('select date::text, status, mrr from subscriptions order by date'),
    );
    for (const one of seen)
      expect(one).toEqual([
        { date: '2026-11-20', status: 'active', mrr: '20' },
        { date: '2026-11-21', status: 'active', mrr: '20' },
        { date: '2026-11-23', status: 'canceled', mrr: '0' },
      ]);
  });

  it('are those of the reporting time zone', async () => {
    await webhook.rows(
      `insert into ops.settings (reporting_timezone, reporting_currency) values ('America/New_York', 'USD')`,
    );
    await webhook.event(
      makeEvent('customer.subscription.created', subscriptionAt('active'), { id: 'evt_1' }),
    );
    await webhook.rows('delete from ops.settings');
    expect(await webhook.rows('select date::text from subscriptions')).toEqual([{ date: '2026-11-19' }]);
  });
});

describe('a set of items', () => {
  const one = makeItem('si_1', makePrice('price_1', 2000));
  const two = makeItem('si_2', makePrice('price_2', 500), 3);

  it('changes with its subscription and never else', async () => {
    const events = [
      makeEvent('customer.subscription.created', subscriptionAt('active', { items: listOf([one]) }), {
        id: 'evt_1',
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('active', { items: listOf([one, two]) }), {
        id: 'evt_2',
        created: DAY_0 + 1,
      }),
      makeEvent('customer.subscription.updated', subscriptionAt('active', { items: listOf([two]) }), {
        id: 'evt_3',
        created: DAY_0 + 2,
      }),
    ];
    const seen = await inEveryOrder(events, () =>
      webhook.rows(
        `select jsonb_path_query_array(items, '$[*].id') as items, mrr from subscriptions_current`,
      ),
    );
    for (const rows of seen) expect(rows).toEqual([{ items: ['si_2'], mrr: '15' }]);
  });

  it('that is cut short has no value until it was read whole', async () => {
    const short = subscriptionAt('active', { items: listOf([one], { has_more: true }) });
    await webhook.event(makeEvent('customer.subscription.created', short, { id: 'evt_1' }));
    expect(await webhook.rows('select mrr from subscriptions')).toEqual([{ mrr: null }]);
    expect(await dirty()).toEqual(['sub_1']);
    await webhook.reading(subscriptionAt('active', { items: listOf([one, two]) }), DAY_0 + 2 * DAY);
    // The row of its own day learns it: nothing has happened since.
    expect(await webhook.rows('select date::text, mrr, incomplete from subscriptions')).toEqual([
      { date: '2026-11-20', mrr: '35', incomplete: false },
    ]);
    expect(await dirty()).toEqual([]);
  });
});

describe('what is not known yet', () => {
  const tiered = makePrice('price_t', 0, {
    billing_scheme: 'tiered',
    tiers_mode: 'volume',
    unit_amount: null,
    unit_amount_decimal: null,
  });

  it('a tiered price gives its value to the subscriptions that waited for it', async () => {
    const subscription = subscriptionAt('active', { items: listOf([makeItem('si_1', tiered, 3)]) });
    await webhook.event(makeEvent('customer.subscription.created', subscription, { id: 'evt_1' }));
    expect(await webhook.rows('select mrr from subscriptions')).toEqual([{ mrr: null }]);
    expect(await dirty()).toEqual(['sub_1']);
    const tiers = [{ up_to: null, unit_amount: 700, unit_amount_decimal: '700', flat_amount: null }];
    await webhook.reading({ ...tiered, tiers }, DAY_0 + 60);
    expect(await webhook.rows('select mrr from subscriptions')).toEqual([{ mrr: '21' }]);
    // An event tells no tiers; they are still known after it.
    await webhook.event(
      makeEvent('price.updated', { ...tiered, nickname: 'x' }, { id: 'evt_2', created: DAY_0 + 90 }),
    );
    await webhook.event(
      makeEvent('customer.subscription.updated', subscription, { id: 'evt_3', created: DAY_0 + DAY }),
    );
    expect(await webhook.rows('select mrr from subscriptions_current')).toEqual([{ mrr: '21' }]);
  });

  it('a discount that is only an id is known from a reading on', async () => {
    const byId = subscriptionAt('active', { discounts: ['di_1'] });
    await webhook.event(makeEvent('customer.subscription.created', byId, { id: 'evt_1' }));
    expect([await webhook.rows('select mrr from subscriptions'), await dirty()]).toEqual([
      [{ mrr: null }],
      ['sub_1'],
    ]);
    const coupon = { id: 'SPRING', object: 'coupon', percent_off: 25, duration: 'forever' };
    const discount = {
      id: 'di_1',
      object: 'discount',
      source: { type: 'coupon', coupon: 'SPRING' },
      start: DAY_0,
      end: null,
    };
    await webhook.reading(coupon, DAY_0 + 60);
    expect(await webhook.reading({ ...byId, discounts: [discount] }, DAY_0 + 60)).toBe('processed');
    expect(await webhook.rows('select mrr, date::text from subscriptions')).toEqual([
      { mrr: '15', date: '2026-11-20' },
    ]);
    await webhook.event(
      makeEvent(
        'customer.subscription.updated',
        { ...byId, metadata: { a: 'b' } },
        { id: 'evt_2', created: DAY_0 + DAY },
      ),
    );
    expect([await webhook.rows('select mrr from subscriptions_current'), await dirty()]).toEqual([
      [{ mrr: '15' }],
      [],
    ]);
  });
});

describe('readings of the API', () => {
  it('that show what is known write nothing', async () => {
    await webhook.event(
      makeEvent('customer.subscription.created', subscriptionAt('active'), { id: 'evt_1' }),
    );
    await webhook.event(makeEvent('invoice.paid', makeInvoice('in_1', { status: 'paid' }), { id: 'evt_2' }));
    await webhook.event(makeEvent('charge.succeeded', makeCharge('ch_1'), { id: 'evt_3' }));
    const before = await webhook.snapshot();
    for (const day of [1, 2])
      for (const object of [
        subscriptionAt('active'),
        makeInvoice('in_1', { status: 'paid' }),
        makeCharge('ch_1'),
      ])
        expect(await webhook.reading(object, DAY_0 + day * DAY)).toBe('unchanged');
    expect(await webhook.snapshot()).toBe(before);
  });

  it('neither overwrite a newer event nor block one', async () => {
    // The page was read before the cancellation; its rows are written after it.
    await webhook.event(
      makeEvent('customer.subscription.deleted', subscriptionAt('canceled'), {
        id: 'evt_1',
        created: DAY_0 + 100,
      }),
    );
    expect(await webhook.reading(subscriptionAt('active'), DAY_0 + 99)).toBe('stale');
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['canceled', ['sub_1']]);
    await webhook.clear();
    // The page's rows are written first, the event arrives after them.
    expect(await webhook.reading(subscriptionAt('active'), DAY_0 + 99)).toBe('processed');
    await webhook.event(
      makeEvent('customer.subscription.deleted', subscriptionAt('canceled'), {
        id: 'evt_1',
        created: DAY_0 + 100,
      }),
    );
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['canceled', []]);
  });

  it('of the second of an event give way to it, and are made again', async () => {
    await webhook.event(
      makeEvent('customer.subscription.updated', subscriptionAt('past_due'), { id: 'evt_1' }),
    );
    expect(await webhook.reading(subscriptionAt('active'), DAY_0)).toBe('stale');
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['past_due', ['sub_1']]);
  });

  it('leave a doubt with an event of their own second', async () => {
    await webhook.reading(subscriptionAt('active'), DAY_0 + 99);
    await webhook.event(
      makeEvent('customer.subscription.updated', subscriptionAt('past_due'), {
        id: 'evt_1',
        created: DAY_0 + 99,
      }),
    );
    expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['past_due', ['sub_1']]);
  });

  it('of what is gone end it', async () => {
    await webhook.event(
      makeEvent('customer.subscription.created', subscriptionAt('active'), { id: 'evt_1' }),
    );
    await webhook.reading({ id: 'sub_1', object: 'subscription', deleted: true }, DAY_0 + DAY);
    expect(await webhook.rows('select status, mrr, date::text from subscriptions_current')).toEqual([
      { status: 'canceled', mrr: '0', date: '2026-11-21' },
    ]);
  });
});

describe('payments', () => {
  const link = {
    id: 'inpay_1',
    object: 'invoice_payment',
    invoice: 'in_1',
    payment: { type: 'payment_intent', payment_intent: 'pi_ch_1' },
  };

  it('find their invoice and customer in any order', async () => {
    const events = [
      makeEvent('invoice.paid', makeInvoice('in_1', { status: 'paid' }), { id: 'evt_1' }),
      makeEvent('charge.succeeded', makeCharge('ch_1'), { id: 'evt_2' }),
      makeEvent('invoice_payment.paid', link, { id: 'evt_3' }),
      makeEvent('refund.created', makeRefund('re_1', 'ch_1', 500), { id: 'evt_4', created: DAY_0 + 60 }),
    ];
    const seen = await inEveryOrder(events, async () => [
      await webhook.rows('select external_id, invoice_id, customer_id from payments order by external_id'),
      await webhook.rows('select amount_refunded from invoices'),
    ]);
    for (const one of seen)
      expect(one).toEqual([
        [
          { external_id: 'stripe:ch_1', invoice_id: 'in_1', customer_id: 'cus_1' },
          { external_id: 'stripe:re_1', invoice_id: 'in_1', customer_id: 'cus_1' },
        ],
        [{ amount_refunded: '5.00' }],
      ]);
  });

  it('a refund that fails is taken back from its invoice', async () => {
    await webhook.event(makeEvent('invoice.paid', makeInvoice('in_1'), { id: 'evt_1' }));
    await webhook.event(
      makeEvent('charge.succeeded', makeCharge('ch_1', { invoice: 'in_1' }), { id: 'evt_2' }),
    );
    await webhook.event(makeEvent('refund.created', makeRefund('re_1', 'ch_1', 500), { id: 'evt_3' }));
    await webhook.event(
      makeEvent('refund.failed', makeRefund('re_1', 'ch_1', 500, { status: 'failed' }), { id: 'evt_4' }),
    );
    expect(await webhook.rows('select amount_refunded from invoices')).toEqual([{ amount_refunded: '0' }]);
    expect(await webhook.rows(`select counted from payments where kind = 'refund'`)).toEqual([
      { counted: false },
    ]);
  });

  it('a dispute is lost when an event first says so', async () => {
    const dispute = (status: string) => ({
      id: 'dp_1',
      object: 'dispute',
      amount: 2000,
      balance_transactions: [],
      charge: 'ch_1',
      created: DAY_0,
      currency: 'usd',
      payment_intent: 'pi_ch_1',
      status,
    });
    const events = [
      makeEvent('charge.dispute.created', dispute('needs_response'), { id: 'evt_1' }),
      makeEvent('charge.dispute.closed', dispute('lost'), { id: 'evt_2', created: DAY_0 + 2 * DAY }),
      makeEvent('charge.dispute.updated', dispute('lost'), { id: 'evt_3', created: DAY_0 + 5 * DAY }),
    ];
    const look = () => webhook.rows('select date::text, counted, amount from payments');
    for (const one of await inEveryOrder(events, look))
      expect(one).toEqual([{ date: '2026-11-22', counted: true, amount: '20.00' }]);
    await webhook.reading(dispute('lost'), DAY_0 + 9 * DAY);
    expect(await look()).toEqual([{ date: '2026-11-22', counted: true, amount: '20.00' }]);
  });
});

it('a thin event marks its object to be read, and a reading answers it', async () => {
  const thin = {
    id: 'evt_thin',
    object: 'v2.core.event',
    type: 'v1.customer.subscription.updated',
    created: '2026-11-20T00:00:30.000Z',
    livemode: true,
    related_object: { id: 'sub_1', type: 'subscription', url: '/v1/subscriptions/sub_1' },
  };
  expect(await webhook.event(thin)).toBe('processed');
  expect([await webhook.rows('select * from subscriptions'), await dirty()]).toEqual([[], ['sub_1']]);
  await webhook.reading(subscriptionAt('active'), DAY_0 + 60);
  expect([await statusOf('subscriptions', 'sub_1'), await dirty()]).toEqual(['active', []]);
});

it('a replay of everything writes no row', async () => {
  const events = [
    makeEvent('customer.subscription.created', subscriptionAt('incomplete'), { id: 'evt_1' }),
    makeEvent('customer.subscription.updated', subscriptionAt('active'), {
      id: 'evt_2',
      created: DAY_0 + DAY,
    }),
    makeEvent('invoice.paid', makeInvoice('in_1', { status: 'paid' }), { id: 'evt_3' }),
    makeEvent('charge.succeeded', makeCharge('ch_1'), { id: 'evt_4' }),
    makeEvent('refund.created', makeRefund('re_1', 'ch_1', 500), { id: 'evt_5' }),
    makeEvent('checkout.session.completed', { id: 'cs_1', object: 'checkout.session' }, { id: 'evt_6' }),
  ];
  for (const event of events) await webhook.event(event);
  const before = await webhook.snapshot();
  for (const event of events.toReversed()) expect(await webhook.event(event)).toBe('duplicate');
  expect(await webhook.snapshot()).toBe(before);
});
