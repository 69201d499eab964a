/**
 * The proof behind "the same state whatever the order": 2,000 events of 160 customer lives, in every order of arrival, one
 * at a time and eight at once, through the webhook's handler; and through a server that is killed again and again.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { deliver, startWebhookProcess } from '@floyo/billing-webhook/testing/process';
import {
  inParallel,
  judge,
  makeStorm,
  ordersOf,
  settleDoubts,
  shuffle,
  stateOf,
} from '@floyo/billing-webhook/testing/storm';
import { delivery, openTestWebhook, type TestWebhook } from '@floyo/billing-webhook/testing/webhook';

const KILLS = 12;
const storm = makeStorm({ seed: 42, customers: 160, days: 25 });

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());

it('has 2,000 events and more, of 160 customers', () => {
  expect(storm.events.length).toBeGreaterThan(2_000);
});

it('ends in the truth in every order, at one and at eight at once', async () => {
  let first: readonly string[] | undefined;
  for (const concurrency of [1, 8])
    for (const [name, events] of ordersOf(storm.events)) {
      await webhook.clear();
      await inParallel(events, concurrency, async (event) => {
        expect((await webhook.handler(delivery(event))).status).toBe(200);
      });
      const doubts = await settleDoubts(webhook, storm);
      const verdict = await judge(webhook, storm);
      process.stdout.write(
        `${name}, ${concurrency} at once: ${events.length} deliveries, ${verdict.objects} objects, ${verdict.stale.length} stale, ${verdict.wrong.length} wrong, ${verdict.wrongDays.length} wrong days, ${doubts} read again\n`,
      );
      expect(verdict, name).toMatchObject({ stale: [], wrong: [], wrongDays: [], failed: 0 });
      const state = await stateOf(webhook);
      first ??= state;
      expect(state, name).toEqual(first);
    }
});

it('loses nothing when the server is killed at random', async () => {
  await webhook.clear();
  const pending = new Set(shuffle(storm.events, 17));
  let running = await startWebhookProcess(webhook.url);
  const port = Number(new URL(running.url).port);
  for (let kill = 0; pending.size > 0; kill++) {
    const round = inParallel([...pending], 8, async (event) => {
      if ((await deliver(running.url, event)) === 200) pending.delete(event);
    });
    if (kill < KILLS) {
      const goal = pending.size - 60 - ((kill * 37) % 90);
      while (pending.size > Math.max(goal, 0)) await new Promise((resolve) => setImmediate(resolve));
      await running.stop('SIGKILL');
      await round;
      running = await startWebhookProcess(webhook.url, port);
    } else await round;
  }
  await running.stop('SIGTERM');
  await settleDoubts(webhook, storm);
  expect(await judge(webhook, storm)).toMatchObject({ stale: [], wrong: [], wrongDays: [], failed: 0 });
});
