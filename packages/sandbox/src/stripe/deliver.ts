/**
 * Delivers events to a webhook as Stripe does: at least once, in no order, signed anew at every try, again after anything
 * but a 2xx. https://docs.stripe.com/webhooks#behaviors
 */
import { setTimeout as wait } from 'node:timers/promises';

import { createRandom } from '../core.ts';
import { signBody } from './sign.ts';

export interface Delivery {
  readonly url: string;
  /** Several while an endpoint's secret is rolled. */
  readonly secrets: readonly string[];
  /** Whole bodies, oldest event first. */
  readonly events: readonly { readonly id: string; readonly body: string }[];
  readonly order: 'in-order' | 'shuffled' | 'reversed';
  /** Every event is delivered two times; in order, one right after the other. */
  readonly twice?: boolean;
  /** So many deliveries are under way at once. */
  readonly concurrency: number;
  readonly maxAttempts: number;
  /** The pause before the second try; it doubles with each. */
  readonly backoffMs: number;
  readonly seed: number;
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
  /** For the signatures' time, epoch milliseconds. */
  readonly now?: () => number;
}

/** What became of one delivery of an event. */
export interface Delivered {
  readonly id: string;
  /** The status of every try; 0 where there was no answer. */
  readonly statuses: readonly number[];
  readonly succeeded: boolean;
}

export interface DeliveryStats {
  readonly deliveries: readonly Delivered[];
  readonly attempts: number;
  readonly succeeded: number;
  readonly events: number;
  /** Events of which no delivery came through. */
  readonly undelivered: readonly string[];
}

interface Job {
  readonly id: string;
  readonly body: string;
  readonly statuses: number[];
}

/** Delivers every event until it was taken or tried `maxAttempts` times; what failed is tried after all the others. */
export async function deliver(delivery: Delivery): Promise<DeliveryStats> {
  const jobs = arrange(delivery).map(({ id, body }): Job => ({ id, body, statuses: [] }));
  let left = jobs;
  for (let attempt = 1; attempt <= delivery.maxAttempts && left.length > 0; attempt += 1) {
    if (attempt > 1) await wait(delivery.backoffMs * 2 ** (attempt - 2));
    const waiting = left.values();
    await Promise.all(
      Array.from({ length: delivery.concurrency }, async () => {
        for (const job of waiting) job.statuses.push(await post(delivery, job.body));
      }),
    );
    left = left.filter((job) => !isTaken(job));
  }
  const taken = new Set(jobs.filter(isTaken).map(({ id }) => id));
  const ids = new Set(jobs.map(({ id }) => id));
  return {
    deliveries: jobs.map((job) => ({ id: job.id, statuses: job.statuses, succeeded: isTaken(job) })),
    attempts: jobs.reduce((sum, { statuses }) => sum + statuses.length, 0),
    succeeded: jobs.filter(isTaken).length,
    events: ids.size,
    undelivered: [...ids].filter((id) => !taken.has(id)),
  };
}

function isTaken({ statuses }: Job): boolean {
  const last = statuses.at(-1) ?? 0;
  return last >= 200 && last < 300;
}

function arrange({ events, order, twice, seed }: Delivery): Delivery['events'] {
  const all = twice === true ? events.flatMap((event) => [event, event]) : [...events];
  if (order === 'reversed') return all.reverse();
  if (order === 'in-order') return all;
  const random = createRandom(`${seed}:stripe:shuffle`);
  const keyed = all.map((event) => ({ event, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ event }) => event);
}

/** The status of one try; 0 when there was no answer. A redirect is not followed. */
async function post(delivery: Delivery, body: string): Promise<number> {
  const { url, secrets, timeoutMs = 10_000, fetch: send = fetch, now = Date.now } = delivery;
  try {
    const response = await send(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signBody(body, secrets, Math.floor(now() / 1000)),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
      body,
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
