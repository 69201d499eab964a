/** The connector on the sandbox's Stripe: real lives of customers, against the truth that the sandbox knows. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { startSandbox } from '@floyo/sandbox';
import { type Lives, makeLives } from '@floyo/sandbox/stripe/lives';
import { FAMILIES } from '@floyo/sandbox/stripe/objects';
import { mrrOf } from '@floyo/sandbox/stripe/truth';
import { addDays } from '@floyo/shared/window';

import { type Harness, startHarness } from './testing/harness.ts';

/**
 * What no invoice tells: a pause whose invoices are void, a subscription that is unpaid for a while, a coupon that comes or
 * goes in the middle of a period.
 */
const UNTOLD = new Set(['holdsCollection', 'paysAtLast', 'allFreeForAWhile', 'discountTakenAway']);
const NOW = '2026-11-21T12:00:00Z';
let harness: Harness;
let url = '';
let lives: Lives;
const cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  harness = cleanup.use(await startHarness());
  lives = makeLives({ seed: 5, customers: 46, from: '2024-11-22T00:00:00Z', to: NOW, families: FAMILIES });
  const limits = { perEndpoint: 10_000, total: 10_000 };
  const sandbox = await startSandbox({ now: NOW, stripe: { lives, limits } });
  cleanup.defer(() => sandbox.close());
  url = sandbox.env['STRIPE_BASE_URL'] ?? '';
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

it('a first run knows every customer on each of the days that it covers; the next one finds nothing that differs', async () => {
  expect(await harness.run({ url })).toMatchObject({ status: 'succeeded', rows_rejected: 0 });
  expect(trueMrr(NOW).size).toBeGreaterThan(30);
  expect(await differences(NOW)).toEqual([]);
  const days = [
    '2026-11-20',
    '2026-11-04',
    '2026-10-25',
    '2026-10-18',
    '2026-10-09',
    '2026-10-01',
    '2026-09-24',
  ];
  for (const day of days) expect(await differences(`${day}T23:59:59Z`), day).toEqual([]);
  const { metadata } = await harness.run({ url });
  expect(metadata).toMatchObject({ drift: [], reconciled: { read_again: 0 } });
});

it('a backfill knows two years, from invoices alone what was before the events', async () => {
  expect(await harness.backfill('2024-11-22', '2026-11-21', { url })).toMatchObject({
    status: 'succeeded',
    rows_rejected: 0,
  });
  const untold: string[] = [];
  for (let day = '2024-12-01'; day < '2026-11-20'; day = addDays(day, 13)) {
    const found = await differences(`${day}T23:59:59Z`);
    untold.push(...found);
    expect(
      found.filter((line) => !UNTOLD.has(line.split(' ')[0] ?? '')),
      day,
    ).toEqual([]);
  }
  expect(untold.length).toBeLessThan(8);
  expect(harness.warnings).toEqual([]);
});
