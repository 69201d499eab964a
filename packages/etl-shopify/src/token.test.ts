/** Tokens that are granted and tokens that are refreshed, against the sandbox. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { shopifyAccess } from '@floyo/sandbox/shopify/server';
import type { Io, SecretStore } from '@floyo/shared/connector';
import { AccountPausedError } from '@floyo/shared/errors';

import { seal, unseal } from './seal.ts';
import { euShop, type Harness, startHarness, usShop } from './testing/harness.ts';
import { createTokenSource } from './token.ts';

const tomorrow = '2026-11-21T23:00:00Z';
const tokenKey = '0123456789abcdef'.repeat(4);

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
  const first = await source.get(io, tomorrow);
  now = 23 * 3_600_000;
  expect(await source.get(io, tomorrow)).toBe(first);
  now = 86_399_000 - 4 * 60_000;
  const second = await source.get(io, tomorrow);
  expect(second).not.toBe(first);
  source.forget();
  expect(await source.get(io, tomorrow)).not.toBe(second);
  expect(io.http.counts.apiCalls).toBe(3);
});

it('says what to check when the shop does not know the client', async () => {
  const auth = { kind: 'client', clientId: 'nobody', clientSecret: 'wrong-secret' } as const;
  const source = createTokenSource(usShop, `${harness.url}/${usShop}`, auth);
  const failure = await source.get(harness.createIo(), tomorrow).catch((error: unknown) => error);
  expect(failure).toMatchObject({ type: 'auth', retryable: false });
  expect(failure).toHaveProperty('advice', expect.stringContaining('SHOPIFY_CLIENT_SECRETS'));
  expect(JSON.stringify(failure)).not.toContain('wrong-secret');
});

it('leaves a frozen shop alone until tomorrow when already its tokens are refused', async () => {
  const { clientId, clientSecret } = shopifyAccess(usShop);
  const source = createTokenSource(usShop, `${harness.url}/${usShop}`, {
    kind: 'client',
    clientId,
    clientSecret,
  });
  harness.faults.add({ vendor: 'shopify', kind: 'server_error', path: 'oauth', value: { status: 402 } });
  const failure = await source.get(harness.createIo(), tomorrow).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AccountPausedError);
  expect(failure).toMatchObject({ until: tomorrow });
});

it('is asked for once by calls beside each other', async () => {
  const { clientId, clientSecret } = shopifyAccess(usShop);
  const auth = { kind: 'client', clientId, clientSecret } as const;
  const source = createTokenSource(usShop, `${harness.url}/${usShop}`, auth);
  const io = harness.createIo();
  const tokens = await Promise.all([source.get(io, tomorrow), source.get(io, tomorrow)]);
  expect(tokens[0]).toBe(tokens[1]);
  expect(io.http.counts.apiCalls).toBe(1);
});

describe('an expiring token', () => {
  /** Keeps in memory what the engine keeps in the database. */
  function createStore(): SecretStore & { value: string | undefined; history: string[] } {
    const store = {
      value: undefined as string | undefined,
      history: [] as string[],
      load: () => Promise.resolve(store.value),
      replace: (_key: string, previous: string | undefined, next: string) => {
        if (store.value !== previous) return Promise.resolve(false);
        store.value = next;
        store.history.push(next);
        return Promise.resolve(true);
      },
    };
    return store;
  }
  const authOf = (shop: string) => {
    const { clientId, clientSecret, refreshToken } = shopifyAccess(shop);
    return { kind: 'refresh', clientId, clientSecret, refreshToken, tokenKey } as const;
  };
  const sourceOf = (shop: string, auth = authOf(shop), nowMs?: () => number) =>
    createTokenSource(shop, `${harness.url}/${shop}`, auth, nowMs);
  const ioWith = (secrets: SecretStore): Io => ({ ...harness.createIo(), secrets });

  it('is refreshed before its hour is over, each time with the token that came last', async () => {
    const store = createStore();
    let now = 0;
    const source = sourceOf(usShop, authOf(usShop), () => now);
    const first = await source.get(ioWith(store), tomorrow);
    now = 54 * 60_000;
    expect(await source.get(ioWith(store), tomorrow)).toBe(first);
    now = 56 * 60_000;
    expect(await source.get(ioWith(store), tomorrow)).not.toBe(first);
    expect(store.history).toHaveLength(2);
    // A new process goes on with what is stored; the configured token is spent.
    expect(await sourceOf(usShop).get(ioWith(store), tomorrow)).not.toBe(first);
    await expect(sourceOf(usShop).get(ioWith(createStore()), tomorrow)).rejects.toMatchObject({
      type: 'auth',
      advice: expect.stringContaining('SHOPIFY_REFRESH_TOKENS') as string,
    });
  });

  it('opens a shop, and is stored sealed', async () => {
    const store = createStore();
    await sourceOf(euShop).get(ioWith(store), tomorrow);
    expect(store.history.join()).not.toMatch(/shprt|sandbox/);
    const sealed = store.value?.split(':')[1] ?? '';
    expect(unseal(sealed, tokenKey, euShop)).toMatch(/^shprt_/);
    expect(unseal(sealed, tokenKey, usShop)).toBeUndefined();
    expect(unseal(sealed, tokenKey.replace('0', '1'), euShop)).toBeUndefined();
    expect(seal('x', tokenKey, euShop)).not.toBe(seal('x', tokenKey, euShop));
    const wrongKey = { ...authOf(euShop), tokenKey: 'f'.repeat(64) };
    await expect(sourceOf(euShop, wrongKey).get(ioWith(store), tomorrow)).rejects.toMatchObject({
      type: 'config',
      advice: expect.stringContaining('key') as string,
    });
  });

  it('is stored before the access token is used: when storing fails, nothing is asked with it', async () => {
    const io = {
      ...harness.createIo(),
      secrets: { load: () => Promise.resolve(undefined), replace: () => Promise.reject(new Error('disk')) },
    };
    const before = harness.log.count('shopify');
    const { refreshToken } = harness.grants.issue(usShop);
    await expect(sourceOf(usShop, { ...authOf(usShop), refreshToken }).get(io, tomorrow)).rejects.toThrow(
      'disk',
    );
    expect(harness.log.count('shopify') - before).toBe(1);
  });

  it('that another process has just refreshed is taken over', async () => {
    const { refreshToken } = harness.grants.issue(usShop);
    const auth = { ...authOf(usShop), refreshToken };
    const store = createStore();
    await sourceOf(usShop, auth).get(ioWith(store), tomorrow);
    const behind = store.value;
    await sourceOf(usShop, auth).get(ioWith(store), tomorrow);
    // Sees the old value first, as one that loaded before the other stored.
    let loads = 0;
    const late: SecretStore = {
      load: () => Promise.resolve(loads++ === 0 ? behind : store.value),
      replace: (key, previous, next) => store.replace(key, previous, next),
    };
    expect(await sourceOf(usShop, auth).get(ioWith(late), tomorrow)).toMatch(/^shpat_/);
  });

  it('needs a place to keep it', async () => {
    await expect(sourceOf(usShop).get(harness.createIo(), tomorrow)).rejects.toMatchObject({
      type: 'config',
    });
  });
});
