/** The connector on the sandbox's Stripe: real lives of customers, against the truth that the sandbox knows. */
import { createServer } from 'node:http';

import { getRequestListener } from '@hono/node-server';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createClock, createFaults, createRequestLog } from '@floyo/sandbox/core';
import { type Lives, makeLives } from '@floyo/sandbox/stripe/lives';
import { FAMILIES } from '@floyo/sandbox/stripe/objects';
import { createStripeServer } from '@floyo/sandbox/stripe/server';
import { mrrOf } from '@floyo/sandbox/stripe/truth';

import { type Harness, startHarness } from './testing/harness.ts';

const NOW = '2026-11-21T12:00:00Z';
let harness: Harness;
let url = '';
let lives: Lives;
const cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  harness = cleanup.use(await startHarness());
  lives = makeLives({ seed: 5, customers: 46, from: '2024-11-22T00:00:00Z', to: NOW, families: FAMILIES });
  const context = { clock: createClock(NOW), faults: createFaults(5), log: createRequestLog(), seed: 5 };
  const { app } = createStripeServer(context, { lives, limits: { perEndpoint: 10_000, total: 10_000 } });
  const listener = getRequestListener(app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  url = `http://127.0.0.1:${address.port}`;
  await harness.reset(NOW);
});
afterAll(async () => cleanup.disposeAsync());

/** `<customer>/<CURRENCY> mrr` by what is stored, at an instant. */
async function storedMrr(at: string): Promise<Map<string, string>> {
  const { rows } = await sql<{ name: string; mrr: string }>`
    select c.customer_id || '/' || c.currency as name, trim_scale(round(sum(m.mrr), 6))::text as mrr
    from (
      select distinct on (external_id) * from subscriptions
      where date <= (${at}::timestamptz at time zone 'UTC')::date order by external_id, date desc
    ) c
    cross join lateral (
      select case when subscription_counts(c.status, c.trial_end, c.pause_behavior, ${at}::timestamptz)
        then (subscription_mrr(c.items, c.discounts, c.account, c.livemode, ${at}::timestamptz)).net else 0 end as mrr
    ) m
    group by 1 having sum(m.mrr) <> 0 or bool_or(m.mrr is null)`.execute(harness.session.db);
  return new Map(rows.map(({ name, mrr }) => [name, mrr]));
}

function trueMrr(at: string): Map<string, string> {
  const seconds = Math.floor(Date.parse(at) / 1000);
  return new Map(
    [...mrrOf(lives, { at: seconds })].map(([name, mrr]) => [name, mrr.toDecimalPlaces(6).toString()]),
  );
}

/** What differs from the truth at an instant, with the kind of life: `stored / true`. */
async function differences(at: string): Promise<string[]> {
  const [stored, known] = [await storedMrr(at), trueMrr(at)];
  return [...new Set([...stored.keys(), ...known.keys()])]
    .filter((name) => stored.get(name) !== known.get(name))
    .map((name) => {
      const life = lives.book.current('customer', name.split('/')[0] ?? '')['description'];
      return `${String(life)} ${name}: ${stored.get(name) ?? 'none'} / ${known.get(name) ?? 'none'}`;
    });
}

it('a first run knows every customer, and each of the last 28 days; the next one finds nothing that differs', async () => {
  expect(await harness.run({ url })).toMatchObject({ status: 'succeeded', rows_rejected: 0 });
  expect(trueMrr(NOW).size).toBeGreaterThan(30);
  expect(await differences(NOW)).toEqual([]);
  for (const day of ['2026-11-20', '2026-11-12', '2026-11-04', '2026-10-25'])
    expect(await differences(`${day}T23:59:59Z`), day).toEqual([]);
  const { metadata } = await harness.run({ url });
  expect(metadata).toMatchObject({ drift: [], reconciled: { read_again: 0 } });
});

it('a backfill knows two years, from invoices alone what was before the events', async () => {
  expect(await harness.backfill('2024-11-22', '2026-11-21', { url })).toMatchObject({
    status: 'succeeded',
    rows_rejected: 0,
  });
  const days = [
    '2026-10-15',
    '2026-08-30',
    '2026-06-02',
    '2026-03-17',
    '2025-12-05',
    '2025-08-21',
    '2025-03-09',
  ];
  for (const day of days) expect(await differences(`${day}T23:59:59Z`), day).toEqual([]);
  expect(harness.warnings).toEqual([]);
});
