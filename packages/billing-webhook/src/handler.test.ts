/** What the webhook answers: to Stripe, to attackers, and when something of ours fails. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createVerifier } from './signature.ts';
import { createNodeVerifier } from './signature-node.ts';
import { StoreError } from './store.ts';
import { retryFailed, sweepFailed } from './sweep.ts';
import { DAY_0, makeCharge, makeEvent, makeInvoice, makeSubscription } from './testing/events.ts';
import { delivery, ENDPOINT, openTestWebhook, SECRET, sign, type TestWebhook } from './testing/webhook.ts';

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());
beforeEach(() => webhook.clear());

const event = makeEvent('customer.subscription.created', makeSubscription('sub_1'), { id: 'evt_1' });
const seconds = () => Math.floor(Date.now() / 1000);

async function send(request: Request): Promise<{ status: number; body: unknown }> {
  const response = await webhook.handler(request);
  return { status: response.status, body: await response.json() };
}

describe('answers', () => {
  it('200 to an event, to its duplicate and to what is ignored on purpose', async () => {
    const unknown = makeEvent('cat.purred', { id: 'cat_1', object: 'cat' }, { id: 'evt_2' });
    const teleported = makeEvent('warp.engaged', makeSubscription('sub_9'), { id: 'evt_3' });
    const upcoming = makeEvent('invoice.upcoming', { ...makeInvoice('x'), id: undefined }, { id: 'evt_4' });
    const clock = makeEvent(
      'customer.subscription.created',
      makeSubscription('sub_8', { test_clock: 'clock_1' }),
      { id: 'evt_5' },
    );
    const results = [];
    for (const one of [event, event, unknown, teleported, upcoming, clock])
      results.push(await send(delivery(one)));
    expect(results).toEqual(
      ['processed', 'duplicate', 'ignored', 'ignored', 'ignored', 'ignored'].map((result) => ({
        status: 200,
        body: { received: true, result },
      })),
    );
    expect(
      await webhook.rows(`select status, count(*)::int as events from billing_events group by 1 order by 1`),
    ).toEqual([
      { status: 'ignored', events: 4 },
      { status: 'processed', events: 1 },
    ]);
    expect(await webhook.rows('select external_id, run_id from subscriptions')).toEqual([
      { external_id: 'stripe:sub_1', run_id: null },
    ]);
  });

  it.each([
    ['WebCrypto', createVerifier],
    ['Node', createNodeVerifier],
  ])('to a secret that is being rolled, old and new (%s)', async (_name, create) => {
    const rolling = webhook.with({ verify: create(['whsec_new', SECRET]) });
    const body = JSON.stringify(event);
    const both = `${sign(body, 'whsec_gone')},${sign(body, 'whsec_new').split(',')[1] ?? ''}`;
    expect((await rolling(delivery(body))).status).toBe(200);
    expect((await rolling(delivery(body, { 'stripe-signature': both }))).status).toBe(200);
  });

  it('what the ledger keeps is the event as it was sent', async () => {
    const raw = JSON.stringify(event).replace(
      '"livemode":true,"pending',
      '"odd":  1.50e3 , "livemode":true,"pending',
    );
    expect((await send(delivery(raw))).status).toBe(200);
    const [row] = await webhook.rows<{ payload: unknown }>('select payload from billing_events');
    expect(row?.payload).toEqual(JSON.parse(raw));
  });

  it('healthz says whether the database answers', async () => {
    const healthy = await webhook.handler(new Request('http://localhost/healthz'));
    expect([healthy.status, await healthy.json()]).toEqual([200, { ok: true }]);
    const broken = webhook.with({
      store: { ...webhook.store, check: () => Promise.reject(new StoreError('gone', undefined)) },
    });
    expect((await broken(new Request('http://localhost/healthz'))).status).toBe(503);
  });
});

describe('an attacker gets a 4xx and leaves no trace', () => {
  const raw = JSON.stringify(event);
  const bare = (headers: Record<string, string>, body: string | Uint8Array = raw) =>
    new Request(ENDPOINT, {
      method: 'POST',
      body: typeof body === 'string' ? body : Buffer.from(body),
      headers,
    });
  const deep = `{"object":"event","x":${'['.repeat(200_000)}${']'.repeat(200_000)},${raw.slice(1)}`;
  const forged = `${sign(raw)},${sign(raw, 'whsec_other')}`;
  const tries: readonly (readonly [string, number, () => Request])[] = [
    ['no signature', 400, () => bare({})],
    ['an empty one', 400, () => bare({ 'stripe-signature': '' })],
    ['nonsense', 400, () => bare({ 'stripe-signature': 't=,v1=,=,,' })],
    ['another secret', 400, () => bare({ 'stripe-signature': sign(raw, 'whsec_other') })],
    [
      'a signature of another time',
      400,
      () => bare({ 'stripe-signature': sign(raw).replace(/t=\d+/, `t=${String(seconds() - 9)}`) }),
    ],
    ['301 seconds old', 400, () => delivery(raw, { 'stripe-signature': sign(raw, SECRET, seconds() - 301) })],
    [
      '301 seconds ahead',
      400,
      () => delivery(raw, { 'stripe-signature': sign(raw, SECRET, seconds() + 302) }),
    ],
    [
      'the body written anew',
      400,
      () => bare({ 'stripe-signature': sign(raw) }, JSON.stringify(event, null, 2)),
    ],
    ['the weaker scheme', 400, () => bare({ 'stripe-signature': sign(raw).replace('v1=', 'v0=') })],
    ['the header sent twice', 400, () => bare({ 'stripe-signature': forged })],
    [
      'a hundred signatures',
      400,
      () => bare({ 'stripe-signature': `${sign(raw)}${`,v1=${'a'.repeat(64)}`.repeat(100)}` }),
    ],
    ['an empty body', 400, () => delivery('')],
    ['no JSON', 400, () => delivery('{"object":"event"')],
    ['JSON that is no event', 400, () => delivery('["evt_1"]')],
    ['an event without a time', 400, () => delivery({ ...event, created: 'now' })],
    ['an event of the year 300000', 400, () => delivery({ ...event, created: 9_404_000_000_000 })],
    ['no UTF-8', 400, () => delivery(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]))],
    ['brackets without end', 400, () => delivery(deep)],
    ['test events for a live endpoint', 400, () => delivery({ ...event, livemode: false })],
    ['no word of the mode', 400, () => delivery({ ...event, livemode: undefined })],
    ['a compressed body', 415, () => delivery(raw, { 'content-encoding': 'gzip' })],
    [
      'a length beyond the cap',
      413,
      () => bare({ 'stripe-signature': sign(raw), 'content-length': '50000000' }),
    ],
    ['a length that is none', 413, () => bare({ 'stripe-signature': sign(raw), 'content-length': 'all' })],
    [
      '2 MB without a length',
      413,
      () => bare({ 'stripe-signature': sign(raw) }, Buffer.alloc(2_000_000, 0x20)),
    ],
    ['a wrong method', 405, () => new Request(ENDPOINT)],
    ['a wrong path', 404, () => new Request('http://localhost/webhooks', { method: 'POST', body: raw })],
  ];

  it.each(tries)('%s: %i', async (_name, status, request) => {
    const before = await webhook.snapshot();
    const answered = await send(request());
    expect(answered.status).toBe(status);
    const onNode = webhook.with({ verify: createNodeVerifier([SECRET]) });
    expect((await onNode(request())).status).toBe(status);
    expect(JSON.stringify(answered.body)).not.toMatch(/whsec|at .*\.ts/);
    expect(await webhook.snapshot()).toBe(before);
  });

  it('at the edges of the tolerance the delivery counts', async () => {
    for (const [index, off] of [-298, 298].entries()) {
      const body = JSON.stringify({ ...event, id: `evt_${String(index)}` });
      expect(
        (await send(delivery(body, { 'stripe-signature': sign(body, SECRET, seconds() + off) }))).status,
      ).toBe(200);
    }
  });

  it('a body that comes too slowly: 408', async () => {
    const slow = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
    });
    const request = new Request(ENDPOINT, {
      method: 'POST',
      body: slow,
      duplex: 'half',
      headers: { 'stripe-signature': sign('{') },
    });
    const impatient = webhook.with({ limits: { maxBytes: 1000, timeoutMs: 20 } });
    expect((await impatient(request)).status).toBe(408);
  });

  it('a body that is promised and broken off: 400', async () => {
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => controller.error(new Error('reset')),
    });
    const request = new Request(ENDPOINT, {
      method: 'POST',
      body: broken,
      duplex: 'half',
      headers: { 'stripe-signature': sign('{') },
    });
    expect((await send(request)).status).toBe(400);
  });

  it('SQL in every field is text', async () => {
    const attack = `'); drop table billing_events; --"\\ $1 $$`;
    const poison = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(poison);
      if (typeof value === 'object' && value !== null)
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poison(inner)]));
      return typeof value === 'string' && !KEPT.has(value) && !/^\d+$/.test(value) ? attack + value : value;
    };
    const KEPT = new Set([
      'event',
      'subscription',
      'subscription_item',
      'price',
      'charge',
      'customer.subscription.created',
      'charge.succeeded',
      'list',
    ]);
    const charge = makeEvent('charge.succeeded', makeCharge('ch_1'), { id: 'evt_2', account: 'acct_1' });
    for (const one of [event, charge]) expect((await send(delivery(poison(one)))).status).toBe(200);
    expect(await webhook.rows('select count(*)::int as events from billing_events')).toEqual([{ events: 2 }]);
    expect(await webhook.rows('select status from subscriptions')).toEqual([{ status: `${attack}active` }]);
    expect(await webhook.rows('select external_id from payments')).toEqual([
      { external_id: `stripe:${attack}acct_1:${attack}ch_1` },
    ]);
  });
});

describe('what Postgres can not hold', () => {
  it.each([
    ['a NUL', String.raw`\u0000`],
    ['half a character', String.raw`\ud83d`],
  ])('%s is taken out of the payload, and the event is stored', async (_name, text) => {
    const raw = JSON.stringify({ ...event, id: 'evt_odd' }).replace(
      '"metadata":{}',
      `"metadata":{"a${text}b":"c${text}d"}`,
    );
    expect((await send(delivery(raw))).body).toEqual({ received: true, result: 'processed' });
  });

  it('a number beyond any range', async () => {
    const raw = JSON.stringify(event).replace('"metadata":{}', '"metadata":{"a":1e999999}');
    expect((await send(delivery(raw))).body).toEqual({ received: true, result: 'processed' });
  });
});

describe('our own failures', () => {
  const bad = makeEvent(
    'customer.subscription.created',
    { ...makeSubscription('sub_1'), status: 7 },
    { id: 'evt_bad' },
  );
  const soon = `update billing_events set next_attempt_at = now() where status = 'failed'`;

  it('are kept, answered 500, tried again three times, and then told once', async () => {
    expect((await send(delivery(bad))).status).toBe(500);
    expect((await send(delivery(bad))).status).toBe(500);
    expect(await webhook.rows('select status, attempts, error, object_id from billing_events')).toEqual([
      {
        status: 'failed',
        attempts: 2,
        error: 'subscription sub_1: status should be a text and is a number',
        object_id: 'sub_1',
      },
    ]);
    expect(await sweepFailed(webhook.session)).toEqual([]);
    const pauses = [];
    for (let sweep = 1; sweep <= 4; sweep++) {
      await webhook.rows(soon.replace('where', `where next_attempt_at is not null and`));
      await sweepFailed(webhook.session);
      pauses.push(
        await webhook.rows(
          `select sweeps, attempts, round(extract(epoch from next_attempt_at - now()) / 60)::int as minutes from billing_events`,
        ),
      );
    }
    expect(pauses).toEqual([
      [{ sweeps: 1, attempts: 3, minutes: 2 }],
      [{ sweeps: 2, attempts: 4, minutes: 4 }],
      [{ sweeps: 3, attempts: 5, minutes: null }],
      [{ sweeps: 3, attempts: 5, minutes: null }],
    ]);
    expect(await webhook.rows('select agent, severity, error_type, run_id from ops.errors')).toEqual([
      { agent: 'billing', severity: 'P1', error_type: 'internal', run_id: null },
    ]);
  });

  it('are healed by a sweep, by hand, or by a delivery, once the cause is gone', async () => {
    for (const [index, heal] of [
      () => sweepFailed(webhook.session),
      () => retryFailed(webhook.session),
      () => retryFailed(webhook.session, 'evt_1'),
      () => webhook.handler(delivery(event)),
    ].entries()) {
      await webhook.clear();
      await webhook.rows(`alter table subscriptions add constraint broken check (status <> 'active')`);
      expect((await send(delivery(event))).status).toBe(500);
      expect(await webhook.rows('select status from billing_events')).toEqual([{ status: 'failed' }]);
      await webhook.rows('alter table subscriptions drop constraint broken');
      await webhook.rows(soon);
      await heal();
      expect([index, await webhook.rows('select status, error, attempts from billing_events')]).toEqual([
        index,
        [{ status: 'processed', error: null, attempts: 2 }],
      ]);
      expect(await webhook.rows('select status from subscriptions')).toEqual([{ status: 'active' }]);
    }
  });

  it('one that can not be applied takes none of those with it that came at the same time', async () => {
    await webhook.rows(
      `alter table subscriptions add constraint broken check (external_id <> 'stripe:sub_7')`,
    );
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const one = makeEvent('customer.subscription.created', makeSubscription(`sub_${String(n)}`), {
          id: `evt_${String(n)}`,
        });
        return (await webhook.handler(delivery(one))).status;
      }),
    );
    await webhook.rows('alter table subscriptions drop constraint broken');
    expect(statuses).toEqual(Array.from({ length: 20 }, (_, n) => (n === 7 ? 500 : 200)));
    expect(
      await webhook.rows(`select status, count(*)::int as events from billing_events group by 1 order by 1`),
    ).toEqual([
      { status: 'failed', events: 1 },
      { status: 'processed', events: 19 },
    ]);
  });

  it('a window of a run that holds one object does not hold up the others', async () => {
    const held = makeEvent('customer.subscription.created', makeSubscription('sub_held'), { id: 'evt_held' });
    await webhook.rows(`begin; select ops.lock_stripe('default', 'subscription:sub_held')`);
    const waiting = webhook.handler(delivery(held));
    expect((await send(delivery(event))).status).toBe(200);
    await webhook.rows('commit');
    expect((await waiting).status).toBe(200);
  });

  it('a database that fails for a moment is asked again within the request', async () => {
    let calls = 0;
    const flaky = webhook.with({
      store: {
        ...webhook.store,
        apply: (change) =>
          ++calls < 3 ? Promise.reject(new StoreError('deadlock', '40P01')) : webhook.store.apply(change),
      },
    });
    expect([(await flaky(delivery(event))).status, calls]).toEqual([200, 3]);
  });

  it('nothing is acknowledged that is not stored', async () => {
    const down = webhook.with({
      store: { ...webhook.store, apply: () => Promise.reject(new StoreError('down', undefined)) },
    });
    const response = await down(delivery(event));
    expect(response.status).toBe(500);
    expect(await webhook.rows('select * from billing_events')).toEqual([]);
    expect((await send(delivery(event))).body).toEqual({ received: true, result: 'processed' });
  });
});

it('one event takes one transaction', async () => {
  const commits = async () => {
    await webhook.rows('select pg_stat_force_next_flush()');
    const [row] = await webhook.rows<{ commits: string }>(
      `select xact_commit as commits from pg_stat_database where datname = current_database()`,
    );
    return Number(row?.commits);
  };
  const written = async () =>
    webhook.rows<{ n: number }>(
      'select count(distinct xmin::text)::int as n from (select xmin from billing_events union all select xmin from subscriptions union all select xmin from billing_objects) t',
    );
  await send(delivery({ ...event, id: 'evt_0', created: DAY_0 - 1 }));
  const before = await commits();
  await send(delivery(event));
  expect((await commits()) - before).toBeLessThanOrEqual(4);
  // Ledger, state and version were written by one and the same transaction.
  expect(await written()).toEqual([{ n: 2 }]);
});
