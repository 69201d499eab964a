/** Limits by real time: any second, an operation and all together; what was refused does not count. */
import { expect, it } from 'vitest';

import { startSandbox } from '../index.ts';
import { createGate, LIVE_LIMITS } from './limits.ts';
import { makeLives } from './lives.ts';
import { askStripe } from './testing.ts';

it('25 calls of one operation and 100 in all go through in any second', () => {
  let now = 0;
  const gate = createGate(LIVE_LIMITS, () => now);
  const passed = (endpoint: string, calls: number) =>
    Array.from({ length: calls }, () => {
      try {
        gate(endpoint);
        return 1;
      } catch {
        return 0;
      }
    }).reduce<number>((sum, one) => sum + one, 0);
  expect(passed('charges', 40)).toBe(25);
  now = 999;
  expect(passed('charges', 1)).toBe(0);
  expect(['charges/:id', 'invoices', 'refunds', 'disputes'].map((endpoint) => passed(endpoint, 30))).toEqual([
    25, 25, 25, 0,
  ]);
  now = 1_000;
  expect(passed('charges', 40)).toBe(25);
});

it('a burst is answered 429 rate_limit over the limit', async () => {
  await using stack = new AsyncDisposableStack();
  const lives = makeLives({ seed: 1, customers: 1, from: '2026-11-01', to: '2026-11-20' });
  const sandbox = await startSandbox({
    now: '2026-11-21T12:00:00Z',
    stripe: { lives, limits: { perEndpoint: 5, total: 100 } },
  });
  stack.defer(() => sandbox.close());
  const answers = await Promise.all(
    Array.from({ length: 60 }, () => askStripe(sandbox, 'customers?limit=1')),
  );
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(5);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(5);
  expect(refused[0]?.body.error).toMatchObject({ code: 'rate_limit', type: 'invalid_request_error' });
  expect(refused[0]?.headers.get('stripe-rate-limited-reason')).toBe('endpoint-rate');
});
