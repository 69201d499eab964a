import { expect, test } from 'vitest';

import type { Session } from './db.ts';
import { createSecretStore } from './secret-store.ts';
import { useDatabase } from './testing/use-database.ts';

let session: Session;
useDatabase([], (opened) => ({ session } = opened));

const storeOf = (account: string) =>
  createSecretStore(session, (work) => session.db.transaction().execute(work), 'etl-shopify', account);

test('a value is replaced only by who knows the one that stands there', async () => {
  const store = storeOf('a.myshopify.com');
  expect(await store.load('refresh_token')).toBeUndefined();
  expect(await store.replace('refresh_token', undefined, 'sealed-1')).toBe(true);
  expect(await store.replace('refresh_token', undefined, 'sealed-x')).toBe(false);
  expect(await store.replace('refresh_token', 'sealed-0', 'sealed-x')).toBe(false);
  expect(await store.replace('refresh_token', 'sealed-1', 'sealed-2')).toBe(true);
  expect(await store.load('refresh_token')).toBe('sealed-2');
});

test('each account has its own', async () => {
  expect(await storeOf('b.myshopify.com').load('refresh_token')).toBeUndefined();
});
