/** Stripe's API as a reader sees it: lists, cursors, the clock, refusals, and the SDK. */
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type Sandbox, startSandbox } from '../index.ts';
import { stripeKey } from './access.ts';
import { makeLives } from './lives.ts';
import { FAMILIES, toSeconds } from './objects.ts';
import { askStripe, readStripe } from './testing.ts';
import { versionAt } from './truth.ts';

const NOW = '2026-11-21T12:00:00Z';
const lives = makeLives({ seed: 5, customers: 46, from: '2026-07-01', to: '2026-12-15', families: FAMILIES });

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW, stripe: { lives, limits: { perEndpoint: 1_000, total: 1_000 } } });
});
afterEach(() => {
  sandbox.faults.clear();
  sandbox.clock.set(NOW);
});
afterAll(() => sandbox.close());

const ask = (path: string, headers?: Record<string, string>) => askStripe(sandbox, path, headers);
const idsOf = (objects: readonly { readonly id: string }[] = []) => objects.map(({ id }) => id);

/** The truth: ids of a type at the clock, by the book itself. */
function idsInBook(type: string, keep: (object: Readonly<Record<string, unknown>>) => boolean = () => true) {
  const now = toSeconds(sandbox.clock.now().toString());
  return [...lives.versions.values()]
    .map((versions) => versionAt(versions, now))
    .flatMap((version) =>
      version?.type === type && !version.deleted && keep(version.object) ? version.id : [],
    )
    .sort();
}

describe('a list', () => {
  it.each([
    ['invoices', 'invoice'],
    ['charges', 'charge'],
    ['invoice_payments', 'invoice_payment'],
    ['balance_transactions', 'balance_transaction'],
    ['prices', 'price'],
  ])('%s: whole by cursor, newest first, nothing twice', async (path, type) => {
    const read = await readStripe(sandbox, `${path}?limit=7`);
    expect(idsOf(read).toSorted()).toEqual(idsInBook(type));
    const created = read.map((object) => object.created ?? 0);
    expect(created).toEqual(created.toSorted((a, b) => b - a));
  });

  it('ends where there is no more, and goes back by ending_before', async () => {
    const whole = await readStripe(sandbox, 'invoices?limit=100');
    const { body } = await ask('invoices');
    expect(body).toMatchObject({ object: 'list', url: '/v1/invoices', has_more: true });
    expect(idsOf(body.data)).toEqual(idsOf(whole.slice(0, 10)));
    const back = await ask(`invoices?limit=5&ending_before=${whole[20]?.id ?? ''}`);
    expect(idsOf(back.body.data)).toEqual(idsOf(whole.slice(15, 20)));
    expect(back.body.has_more).toBe(true);
    const top = await ask(`invoices?limit=5&ending_before=${whole[3]?.id ?? ''}`);
    expect([idsOf(top.body.data), top.body.has_more]).toEqual([idsOf(whole.slice(0, 3)), false]);
  });

  it('of subscriptions leaves out the canceled ones unless they are asked for, and test clocks', async () => {
    const isReal = (object: Readonly<Record<string, unknown>>) => object['test_clock'] === null;
    const all = await readStripe(sandbox, 'subscriptions?limit=100&status=all');
    expect(idsOf(all).toSorted()).toEqual(idsInBook('subscription', isReal));
    const canceled = await readStripe(sandbox, 'subscriptions?limit=100&status=canceled');
    const live = await readStripe(sandbox, 'subscriptions?limit=100');
    expect(canceled.length).toBeGreaterThan(2);
    expect([...idsOf(canceled), ...idsOf(live)].toSorted()).toEqual(idsOf(all).toSorted());
  });

  it('takes a range of creation, and a cursor that is not in it any more', async () => {
    const [from, to] = [toSeconds('2026-09-01'), toSeconds('2026-10-01')];
    const within = await readStripe(sandbox, `charges?limit=9&created[gte]=${from}&created[lt]=${to}`);
    const all = await readStripe(sandbox, 'charges?limit=100');
    expect(idsOf(within)).toEqual(idsOf(all.filter(({ created = 0 }) => created >= from && created < to)));
    expect(within.length).toBeGreaterThan(9);
    const canceled = (await readStripe(sandbox, 'subscriptions?limit=100&status=canceled'))[0];
    const after = await ask(`subscriptions?limit=100&starting_after=${canceled?.id ?? ''}`);
    expect(after.body.data?.every(({ created = 0 }) => created <= (canceled?.created ?? 0))).toBe(true);
  });

  it('expands discounts, tiers and products of coupons when asked', async () => {
    const plain = await readStripe(sandbox, 'subscriptions?limit=100&status=all');
    const path =
      'subscriptions?limit=100&status=all&expand[]=data.discounts&expand[]=data.items.data.discounts';
    const expanded = await readStripe(sandbox, path);
    const withDiscount = plain.findIndex(({ discounts }) => Array.isArray(discounts) && discounts.length > 0);
    expect(plain[withDiscount]?.['discounts']).toEqual([expect.stringMatching(/^di_/)]);
    expect(expanded[withDiscount]?.['discounts']).toMatchObject([
      { object: 'discount', source: { type: 'coupon' } },
    ]);
    expect((await ask('prices/price_seat_volume')).body).not.toHaveProperty('tiers');
    expect((await ask('prices/price_seat_volume?expand[]=tiers')).body['tiers']).toHaveLength(2);
    expect((await ask('coupons?limit=100')).body.data?.some((coupon) => 'applies_to' in coupon)).toBe(false);
    const coupon = (await ask('coupons/SEATS25?expand[]=applies_to')).body;
    expect(coupon['applies_to']).toEqual({ products: ['prod_seats'] });
    const whole = await readStripe(
      sandbox,
      'subscriptions?limit=100&status=all&expand[]=data.discounts.source.coupon',
    );
    expect(whole[withDiscount]?.['discounts']).toMatchObject([{ source: { coupon: { object: 'coupon' } } }]);
    const deep = await ask('subscriptions?expand[]=data.items.data.price.tiers');
    expect(deep.body.error?.message).toContain('more than 4 levels');
  });

  it('tells amounts in other currencies when asked, and their tiers where the currency is named', async () => {
    expect((await ask('prices/price_team_month')).body).not.toHaveProperty('currency_options');
    const asked = (await ask('prices/price_team_month?expand[]=currency_options')).body;
    expect(asked['currency_options']).toMatchObject({
      usd: { unit_amount: 4900 },
      eur: { unit_amount: 4500 },
    });
    const off = (await ask('coupons/TENOFF?expand[]=currency_options')).body['currency_options'];
    expect(off).toEqual({ usd: { amount_off: 1000 }, eur: { amount_off: 900 } });
    const path = 'prices/price_seat_volume?expand[]=tiers&expand[]=currency_options';
    const untold = (await ask(path)).body['currency_options'];
    expect(untold).toMatchObject({ eur: { unit_amount: null } });
    expect(JSON.stringify(untold)).not.toContain('tiers');
    const named = (await ask(`${path}&expand[]=currency_options.eur.tiers`)).body['currency_options'];
    expect(named).toMatchObject({ eur: { tiers: [{ unit_amount: 650 }] } });
  });
});

describe('the clock', () => {
  it('decides what there is, in which version, and what time the answer is of', async () => {
    const [newest] = (await ask('charges?limit=1')).body.data ?? [];
    const paid = (await readStripe(sandbox, 'invoices?limit=100&status=paid')).at(-1);
    sandbox.clock.set(new Date(((newest?.created ?? 0) - 1) * 1000).toISOString());
    const earlier = await ask('charges?limit=1');
    expect(earlier.body.data?.[0]?.id).not.toBe(newest?.id);
    expect(earlier.headers.get('date')).toBe(new Date(((newest?.created ?? 0) - 1) * 1000).toUTCString());
    sandbox.clock.set(new Date((paid?.created ?? 0) * 1000).toISOString());
    expect((await ask(`invoices/${paid?.id ?? ''}`)).body).toMatchObject({ id: paid?.id });
    sandbox.clock.set(new Date(((paid?.created ?? 0) - 1) * 1000).toISOString());
    expect((await ask(`invoices/${paid?.id ?? ''}`)).status).toBe(404);
  });

  it('keeps events for 30 days, newest first, each in the version it was made in', async () => {
    const now = toSeconds(NOW);
    const events = await readStripe(sandbox, 'events?limit=100');
    const expected = lives.happenings.filter(({ created }) => created <= now && created > now - 30 * 86_400);
    expect(idsOf(events)).toEqual(idsOf(expected).toReversed());
    sandbox.clock.set('2026-08-20T00:00:00Z');
    const old = await readStripe(sandbox, 'events?limit=100&types[]=invoice.paid&types[]=charge.failed');
    expect(new Set(old.map(({ type }) => type))).toEqual(new Set(['invoice.paid', 'charge.failed']));
    expect(new Set(old.map(({ api_version: version }) => version))).toContain('2025-03-31.basil');
    expect((await ask('events?delivery_success=false')).body.data).toEqual([]);
  });

  it('what happens between the making of an answer and its sending is not in it', async () => {
    const [canceling] = await readStripe(sandbox, 'subscriptions?limit=1&status=active');
    const id = canceling?.id ?? '';
    const stop = sandbox.stripe.onRendered(({ path }) => {
      if (path.startsWith('subscriptions/'))
        lives.book.change('subscription', id, toSeconds(NOW), { status: 'canceled' }, [
          'customer.subscription.deleted',
        ]);
    });
    expect((await ask(`subscriptions/${id}`)).body['status']).toBe('active');
    stop();
    expect((await ask(`subscriptions/${id}`)).body['status']).toBe('canceled');
    expect((await ask('events?limit=1')).body.data).toMatchObject([
      { type: 'customer.subscription.deleted' },
    ]);
  });
});

describe('refusals', () => {
  it.each([
    ['customers/cus_nobody', 404, 'resource_missing'],
    ['charges?limit=5&colour=red', 400, 'parameter_unknown'],
    ['charges?limit=many', 400, 'parameter_invalid_integer'],
    ['charges?limit=101', 400, undefined],
    ['charges?starting_after=ch_nothing', 400, 'resource_missing'],
    ['subscription_items', 400, 'parameter_missing'],
    ['events?types=charge.failed', 400, 'parameter_unknown'],
    [`events?${'types[]=a&'.repeat(21)}`, 400, undefined],
    ['nothing', 404, undefined],
  ])('%s: %d', async (path, status, code) => {
    const answer = await ask(path);
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatchObject({
      type: 'invalid_request_error',
      ...(code === undefined ? {} : { code }),
    });
  });

  it('a key that is wrong, a test key, another account', async () => {
    expect((await ask('charges', {})).status).toBe(401);
    expect((await ask('charges', { authorization: 'Bearer sk_live_other' })).status).toBe(401);
    const basic = `Basic ${Buffer.from(`${stripeKey}:`).toString('base64')}`;
    expect((await ask('charges', { authorization: basic })).body.data).toHaveLength(10);
    const test = { authorization: `Bearer ${stripeKey.replace('live', 'test')}` };
    expect((await ask('charges', test)).body.data).toEqual([]);
    const other = { authorization: `Bearer ${stripeKey}`, 'stripe-account': 'acct_other' };
    expect((await ask('charges', other)).status).toBe(403);
  });

  it.each([
    ['throttle', 429, 'rate_limit'],
    ['lock_timeout', 429, 'lock_timeout'],
    ['server_error', 500, undefined],
    ['conflict', 409, undefined],
    ['permission', 403, undefined],
  ] as const)('on demand: %s', async (kind, status, code) => {
    sandbox.faults.add({ vendor: 'stripe', kind, path: '/charges' });
    const { status: answered, body } = await ask('charges');
    expect([answered, body.error?.code]).toEqual([status, code]);
    expect((await ask('charges')).status).toBe(200);
  });

  it('a deleted customer says so', async () => {
    const gone = [...lives.versions.values()].find(
      (versions) => versions[0]?.type === 'customer' && (versions.at(-1)?.deleted ?? false),
    );
    const last = gone?.at(-1);
    sandbox.clock.set('2026-12-15T00:00:00Z');
    expect((await ask(`customers/${last?.id ?? ''}`)).body).toEqual({
      id: last?.id,
      object: 'customer',
      deleted: true,
    });
    expect(idsOf(await readStripe(sandbox, 'customers?limit=100'))).not.toContain(last?.id);
  });
});

it('the SDK reads it to the end', async () => {
  const { hostname: host, port } = new URL(sandbox.url);
  const stripe = new Stripe(stripeKey, { host, port, protocol: 'http' });
  const ids: string[] = [];
  for await (const { id } of stripe.subscriptions.list({
    status: 'all',
    limit: 10,
    expand: ['data.discounts'],
  }))
    ids.push(id);
  expect(ids).toEqual(idsOf(await readStripe(sandbox, 'subscriptions?limit=100&status=all')));
  const since = { gte: toSeconds('2026-11-01') };
  const events = await stripe.events.list({ types: ['invoice.paid'], created: since, limit: 3 });
  expect(events.data.map(({ type }) => type)).toEqual(['invoice.paid', 'invoice.paid', 'invoice.paid']);
  await expect(stripe.prices.retrieve('price_none')).rejects.toMatchObject({ code: 'resource_missing' });
});
