/**
 * `stripe-backfill`: subscriptions of one item each through `floyo backfill --source stripe`, from a local Stripe that
 * answers at once and from one that takes 80 ms a page. The bars are the fastest of the known sync engines, which write a
 * page only when the next one has not been asked for yet.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { Bench } from './bench-server.ts';
import { type Benchmark, figuresOf } from './figure.ts';
import { runFloyo } from './floyo.ts';
import { type LocalServer, serve } from './local-server.ts';

const SUBSCRIPTIONS = 5_000;
const PAGE = 100;
const ROUNDS = 3;
const NOW = '2026-11-21T12:00:00Z';
const CREATED = Date.parse(NOW) / 1000;
const SLOW_MS = 80;

export const measureStripeBackfill: Benchmark = async (bench, { quick }) => {
  const count = quick ? SUBSCRIPTIONS / 5 : SUBSCRIPTIONS;
  const speeds = { atOnce: [] as number[], slow: [] as number[] };
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++) {
    bench.say(`stripe-backfill: round ${round} of ${rounds}`);
    speeds.atOnce.push(count / (await backfill(bench, count, 0)));
    speeds.slow.push(count / (await backfill(bench, count, SLOW_MS)));
  }
  const figure = figuresOf('stripe-backfill');
  return [
    figure('subscriptions, pages at once', 'rows/s', speeds.atOnce, { least: 1_808 }),
    figure(`subscriptions, ${SLOW_MS} ms a page`, 'rows/s', speeds.slow, { least: 730 }),
  ];
};

/** Seconds from the beginning of the agent's work to its end. */
async function backfill(bench: Bench, count: number, latencyMs: number): Promise<number> {
  await using database = await bench.createDatabase();
  await using stripe = await startStub(count, latencyMs);
  const day = NOW.slice(0, 10);
  const document = await runFloyo(['backfill', '--source', 'stripe', '--from', day, '--to', day], {
    DATABASE_URL: database.url,
    STRIPE_SECRET_KEY: 'sk_live_bench',
    STRIPE_BASE_URL: stripe.url,
    FLOYO_NOW: NOW,
  });
  const result = document.agents.find(({ agent }) => agent === 'billing');
  if (result === undefined) throw new Error('The backfill has no result of billing.');
  return (Date.parse(result.finished_at) - Date.parse(result.started_at)) / 1_000;
}

/** Serves the subscriptions, their price, and empty lists; every page is made beforehand. */
function startStub(count: number, latencyMs: number): Promise<LocalServer> {
  const pages = new Map<string, string>();
  for (let start = 0; start < count; start += PAGE) {
    const data = Array.from({ length: Math.min(PAGE, count - start) }, (_, index) =>
      subscription(start + index),
    );
    pages.set(start === 0 ? '' : `sub_${start - 1}`, list(data, start + PAGE < count));
  }
  const others: Readonly<Record<string, string>> = { '/v1/prices': list([PRICE], false) };
  return serve((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://stripe');
    const body =
      pathname === '/v1/subscriptions'
        ? pages.get(searchParams.get('starting_after') ?? '')
        : others[pathname];
    void delay(latencyMs).then(() => {
      response.writeHead(200, { date: new Date(NOW).toUTCString(), 'content-type': 'application/json' });
      response.end(body ?? list([], false));
    });
  });
}

const PRICE = {
  id: 'price_1',
  object: 'price',
  created: CREATED - 90_000_000,
  livemode: true,
  active: true,
  billing_scheme: 'per_unit',
  currency: 'usd',
  product: 'prod_1',
  type: 'recurring',
  unit_amount: 1900,
  unit_amount_decimal: '1900',
  recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' },
};

function subscription(index: number): object {
  const created = CREATED - 3_600 - index;
  return {
    id: `sub_${index}`,
    object: 'subscription',
    created,
    start_date: created,
    livemode: true,
    customer: `cus_${index}`,
    status: 'active',
    currency: 'usd',
    cancel_at_period_end: false,
    collection_method: 'charge_automatically',
    metadata: { plan: 'team', seats: '5', note: 'x'.repeat(400) },
    discounts: [],
    items: {
      object: 'list',
      has_more: false,
      data: [
        {
          id: `si_${index}`,
          object: 'subscription_item',
          created,
          quantity: 5,
          price: PRICE,
          discounts: [],
          current_period_start: created,
          current_period_end: created + 2_592_000,
        },
      ],
    },
  };
}

function list(data: readonly object[], hasMore: boolean): string {
  return JSON.stringify({ object: 'list', data, has_more: hasMore });
}
