/** The client-credentials grant against the sandbox. */
import { afterAll, beforeAll, expect, it } from 'vitest';

import { shopifyAccess } from '@floyo/sandbox/shopify/server';

import { type Harness, startHarness, usShop } from './testing/harness.ts';
import { createTokenSource } from './token.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

it('keeps a granted token for its day and replaces it shortly before its end', async () => {
  let now = 0;
  const { clientId, clientSecret } = shopifyAccess(usShop);
  const auth = { kind: 'client', clientId, clientSecret } as const;
  const source = createTokenSource(usShop, `${harness.url}/${usShop}`, auth, () => now);
  const io = harness.createIo();
  const first = await source.get(io);
  now = 23 * 3_600_000;
  expect(await source.get(io)).toBe(first);
  now = 86_399_000 - 4 * 60_000;
  const second = await source.get(io);
  expect(second).not.toBe(first);
  source.forget();
  expect(await source.get(io)).not.toBe(second);
  expect(io.http.counts.apiCalls).toBe(3);
});

it('says what to check when the shop does not know the client', async () => {
  const auth = { kind: 'client', clientId: 'nobody', clientSecret: 'wrong-secret' } as const;
  const source = createTokenSource(usShop, `${harness.url}/${usShop}`, auth);
  const failure = await source.get(harness.createIo()).catch((error: unknown) => error);
  expect(failure).toMatchObject({ type: 'auth', retryable: false });
  expect(failure).toHaveProperty('advice', expect.stringContaining('SHOPIFY_CLIENT_SECRETS'));
  expect(JSON.stringify(failure)).not.toContain('wrong-secret');
});
