/** Events of many lives, in every order of arrival: the same state, and the truth. The full storm is a proof of its own. */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { StoreError } from './store.ts';
import { inParallel, judge, makeStorm, ordersOf, settleDoubts, shuffle, stateOf } from './testing/storm.ts';
import { delivery, openTestWebhook, type TestWebhook } from './testing/webhook.ts';

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());

const storm = makeStorm({ seed: 5, customers: 24, days: 30 });

it('every order of arrival ends in the truth', async () => {
  const states: (readonly string[])[] = [];
  const orders = ordersOf(storm.events).map(([name, events], index) => ({
    name,
    events,
    concurrency: index % 2 === 0 ? 1 : 8,
  }));
  for (const { name, events, concurrency } of orders) {
    await webhook.clear();
    await inParallel(events, concurrency, async (event) => {
      await webhook.event(event);
    });
    await settleDoubts(webhook, storm);
    expect(await judge(webhook, storm), name).toMatchObject({
      stale: [],
      wrong: [],
      wrongDays: [],
      failed: 0,
    });
    states.push(await stateOf(webhook));
    expect(states.at(-1), name).toEqual(states[0]);
  }
});

it('with 5 % faults of ours every event gets in, and more than 99 % of deliveries at once', async () => {
  await webhook.clear();
  let calls = 0;
  const flaky = webhook.with({
    store: {
      ...webhook.store,
      async apply(change) {
        // Every twentieth call fails: by turns before anything was done, and after it was, with the answer lost.
        const fault = ++calls % 20 === 0 ? calls % 40 : undefined;
        if (fault === 0) throw new StoreError('the connection was lost', '08006');
        const applied = await webhook.store.apply(change);
        if (fault === 20) throw new StoreError('the answer was lost', undefined);
        return applied;
      },
    },
  });
  let deliveries = 0;
  let refused = 0;
  await inParallel(shuffle(storm.events, 3), 8, async (event) => {
    for (let status = 0; status !== 200; deliveries++) {
      status = (await flaky(delivery(event))).status;
      if (status !== 200) refused++;
    }
  });
  expect(calls).toBeGreaterThan(storm.events.length * 1.04);
  expect(refused / deliveries).toBeLessThan(0.01);
  await settleDoubts(webhook, storm);
  expect(await judge(webhook, storm)).toMatchObject({ stale: [], wrong: [], wrongDays: [], failed: 0 });
});
