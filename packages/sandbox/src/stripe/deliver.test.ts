/** Webhooks as Stripe sends them: signed so that Stripe's own SDK takes them, in any order, again until they are taken. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { startSandbox } from '../index.ts';
import { stripeWebhookSecret } from './access.ts';
import { eventBody } from './control.ts';
import { deliver } from './deliver.ts';
import { makeLives } from './lives.ts';
import { FAMILIES } from './objects.ts';

const lives = makeLives({ seed: 3, customers: 8, from: '2026-08-01', to: '2026-11-21', families: FAMILIES });
const events = lives.happenings.map((happening) => ({
  id: happening.id,
  body: eventBody({ lives }, happening),
}));
const some = events.slice(0, 40);
const secrets = ['whsec_old', 'whsec_new'];
const once_ = { secrets, concurrency: 4, maxAttempts: 4, backoffMs: 1, seed: 1 } as const;

/** A webhook that keeps what it is sent and answers as told. */
const received: { readonly id: string; readonly body: string; readonly signature: string }[] = [];
let answer: (nth: number) => number;
let server: Server;
let url: string;
beforeAll(async () => {
  server = createServer((request: IncomingMessage, response) => {
    void text(request).then((body) => {
      const { id } = z.object({ id: z.string() }).parse(JSON.parse(body));
      received.push({ id, body, signature: String(request.headers['stripe-signature']) });
      response.writeHead(answer(received.length), { location: '/elsewhere' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`;
});
beforeEach(() => {
  received.length = 0;
  answer = () => 200;
});
afterAll(() => server.close());
const ids = () => received.map(({ id }) => id);

describe('a signature', () => {
  const stripe = new Stripe('sk_live_any');
  it.each(FAMILIES)('is taken by the SDK with either secret, in version %s', async (family) => {
    const happening = lives.happenings.find((one) => lives.familyOf(one) === family);
    const event = events.find(({ id }) => id === happening?.id);
    await deliver({ ...once_, url, order: 'in-order', events: event === undefined ? [] : [event] });
    const [{ body, signature } = { body: '', signature: '' }] = received;
    expect(signature).toMatch(/^t=\d{10},v1=[0-9a-f]{64},v1=[0-9a-f]{64},v0=[0-9a-f]{64}$/);
    for (const secret of secrets)
      expect(await stripe.webhooks.constructEventAsync(body, signature, secret)).toMatchObject({
        id: event?.id,
        api_version: family,
      });
    await expect(
      stripe.webhooks.constructEventAsync(body, signature, 'whsec_of_no_endpoint'),
    ).rejects.toThrow();
    await expect(stripe.webhooks.constructEventAsync(`${body} `, signature, 'whsec_new')).rejects.toThrow();
  });
});

describe('deliveries', () => {
  it('come in order, reversed, twice, or shuffled alike for the same seed', async () => {
    const expected = some.map(({ id }) => id);
    const send = async (
      more: Pick<Parameters<typeof deliver>[0], 'order'> & { twice?: boolean; seed?: number },
    ) => {
      received.length = 0;
      await deliver({ ...once_, concurrency: 1, url, events: some, ...more });
      return ids();
    };
    expect(await send({ order: 'in-order' })).toEqual(expected);
    expect(await send({ order: 'reversed' })).toEqual(expected.toReversed());
    expect(await send({ order: 'in-order', twice: true })).toEqual(expected.flatMap((id) => [id, id]));
    const shuffled = await send({ order: 'shuffled' });
    expect(shuffled).not.toEqual(expected);
    expect(shuffled.toSorted()).toEqual(expected.toSorted());
    expect(await send({ order: 'shuffled' })).toEqual(shuffled);
    expect(await send({ order: 'shuffled', seed: 2 })).not.toEqual(shuffled);
  });

  it('are made again, signed anew, until they are taken; a redirect is a failure', async () => {
    answer = (nth) => [500, 302, 400][nth % 9] ?? 200;
    let seconds = 1_800_000_000;
    const now = () => (seconds += 1) * 1000;
    const stats = await deliver({ ...once_, url, events: some, order: 'in-order', now });
    expect(stats).toMatchObject({ events: 40, succeeded: 40, undelivered: [], attempts: received.length });
    expect(received.length).toBeGreaterThan(50);
    expect(new Set(received.map(({ signature }) => signature)).size).toBe(received.length);
    expect(new Set(ids()).size).toBe(40);
    expect(stats.deliveries.find(({ statuses }) => statuses.length > 1)?.statuses.at(-1)).toBe(200);
  });

  it('end after so many tries, and say which events never came through', async () => {
    answer = () => 503;
    const [first] = some;
    const stats = await deliver({
      ...once_,
      url,
      events: some.slice(0, 1),
      order: 'in-order',
      maxAttempts: 3,
    });
    expect(stats).toMatchObject({ attempts: 3, succeeded: 0, undelivered: [first?.id] });
    const nowhere = 'http://127.0.0.1:1/';
    const lost = await deliver({
      ...once_,
      url: nowhere,
      events: some.slice(0, 1),
      order: 'in-order',
      maxAttempts: 2,
    });
    expect(lost.deliveries).toEqual([{ id: first?.id, statuses: [0, 0], succeeded: false }]);
  });
});

it('a person has the events of the last day delivered to a webhook of theirs', async () => {
  await using stack = new AsyncDisposableStack();
  const sandbox = await startSandbox({ now: '2026-10-01T00:00:00Z', stripe: { lives } });
  stack.defer(() => sandbox.close());
  const order = (body: object) =>
    fetch(`${sandbox.url}/_sandbox/stripe/deliver`, { method: 'POST', body: JSON.stringify(body) });
  expect((await order({ url: 'no url' })).status).toBe(400);
  const stats: unknown = await (await order({ url, from: '2026-09-20T00:00:00Z', twice: true })).json();
  const due = lives.happenings.filter(
    ({ created }) => created >= Date.parse('2026-09-20') / 1000 && created <= Date.parse('2026-10-01') / 1000,
  );
  expect(due.length).toBeGreaterThan(5);
  expect(stats).toMatchObject({ events: due.length, deliveries: due.length * 2, undelivered: [] });
  expect(ids().toSorted()).toEqual(due.flatMap(({ id }) => [id, id]).toSorted());
  const stripe = new Stripe('sk_live_any');
  const [{ body, signature } = { body: '', signature: '' }] = received;
  await stripe.webhooks.constructEventAsync(body, signature, stripeWebhookSecret);
});
