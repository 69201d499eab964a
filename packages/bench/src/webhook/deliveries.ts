/** The events of many made-up lives as Stripe delivers them, and what delivering them takes. */
import { createHmac } from 'node:crypto';
import { Agent, request } from 'node:http';

import { renderEvent } from '@floyo/sandbox/stripe/families';
import { makeLives } from '@floyo/sandbox/stripe/lives';

import { SECRET, type Signed } from './ways.ts';

/** What the peer knows; it answers anything else with an error. */
const KNOWN =
  /^(customer\.(created|updated|deleted)|customer\.subscription\.(created|updated|deleted)|invoice\.(created|finalized|paid|payment_failed|payment_succeeded|updated|voided)|payment_intent\.\w+|charge\.(succeeded|failed|refunded|updated)|charge\.dispute\.\w+|refund\.\w+|product\.\w+|price\.\w+)$/;

/** So many events of 160 lives, in the order in which they happened, in an API version that the peer reads as well. */
export function makeEvents(count: number, seed: number): string[] {
  const lives = makeLives({
    seed,
    customers: 160,
    from: '2026-08-01T00:00:00Z',
    to: '2026-11-01T00:00:00Z',
  });
  return lives.happenings
    .filter(({ type }) => KNOWN.test(type))
    .slice(0, count)
    .map((happening) =>
      JSON.stringify(renderEvent(happening, '2025-09-30.clover', lives.references), null, 2),
    );
}

/** Signed now: a signature lasts five minutes. */
export function signAll(events: readonly string[]): Signed[] {
  const time = Math.floor(Date.now() / 1000);
  return events.map((text) => {
    const body = Buffer.from(text);
    const hmac = createHmac('sha256', SECRET)
      .update(`${String(time)}.`)
      .update(body)
      .digest('hex');
    return { body, signature: `t=${String(time)},v1=${hmac}` };
  });
}

/** What some deliveries took: all of them together, and each. */
export interface Took {
  readonly ms: number;
  readonly eachMs: readonly number[];
}

/** Delivers all, so many at once. */
export async function deliverAll(
  deliveries: readonly Signed[],
  concurrency: number,
  deliver: (delivery: Signed) => Promise<void>,
): Promise<Took> {
  const eachMs: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let delivery = deliveries[next++]; delivery !== undefined; delivery = deliveries[next++]) {
        const before = performance.now();
        await deliver(delivery);
        eachMs.push(performance.now() - before);
      }
    }),
  );
  return { ms: performance.now() - started, eachMs };
}

export interface Speed {
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function speedOf(turns: readonly Took[]): Speed {
  const times = turns.flatMap(({ eachMs }) => eachMs).sort((a, b) => a - b);
  const ms = turns.reduce((sum, turn) => sum + turn.ms, 0);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN;
  return { eventsPerSecond: (times.length / ms) * 1000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** A client that keeps its connections. */
export function createClient(port: number): { deliver(delivery: Signed): Promise<void>; close(): void } {
  const agent = new Agent({ keepAlive: true });
  return {
    deliver: ({ body, signature }) =>
      new Promise((resolve, reject) => {
        const sent = request(
          {
            agent,
            port,
            host: '127.0.0.1',
            path: '/webhooks/stripe',
            method: 'POST',
            headers: {
              'content-type': 'application/json; charset=utf-8',
              'content-length': body.length,
              'stripe-signature': signature,
            },
          },
          (response) => {
            response.resume();
            response.on('end', () =>
              response.statusCode === 200
                ? resolve()
                : reject(new Error(`The delivery was answered ${String(response.statusCode)}`)),
            );
          },
        );
        sent.on('error', reject);
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
