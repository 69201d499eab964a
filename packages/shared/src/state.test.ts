import { afterAll, beforeAll, expect, test } from 'vitest';

import { connect, type Session } from './db.ts';
import { forget, recall, remember } from './state.ts';
import { createTestDatabase, type TestDatabase } from './testing/database.ts';

let database: TestDatabase;
let session: Session;
let other: Session;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  other = await connect(database.url);
});

afterAll(async () => {
  await session.end();
  await other.end();
  await database.drop();
});

test('a value is remembered by agent, scope and key, with a version that counts up', async () => {
  const key = { agent: 'a', scope: 'account/stream', key: 'cursor' };
  expect(await recall(session.db, key)).toBeUndefined();
  expect(await remember(session.db, key, { since: '2026-11-01' }, 0)).toBe(1);
  expect(await remember(session.db, key, ['b', 1, null], 1)).toBe(2);
  expect(await recall(other.db, key)).toEqual({ value: ['b', 1, null], version: 2 });
  expect(await recall(session.db, { ...key, scope: 'other' })).toBeUndefined();
  await forget(session.db, key);
  expect(await recall(session.db, key)).toBeUndefined();
});

test('who decides on an old version is refused, and nothing is written', async () => {
  const key = { agent: 'b', scope: '', key: 'cursor' };
  await remember(session.db, key, 'first', 0);
  await expect(remember(other.db, key, 'also first', 0)).rejects.toMatchObject({
    type: 'lock',
    retryable: true,
  });
  await remember(other.db, key, 'second', 1);
  await expect(remember(session.db, key, 'stale', 1)).rejects.toMatchObject({ type: 'lock' });
  expect(await recall(session.db, key)).toEqual({ value: 'second', version: 2 });
});

test('of two who write at the same time one is refused', async () => {
  const key = { agent: 'c', scope: '', key: 'cursor' };
  await remember(session.db, key, 0, 0);
  const results = await Promise.allSettled([
    session.db.transaction().execute((trx) => remember(trx, key, 'left', 1)),
    other.db.transaction().execute((trx) => remember(trx, key, 'right', 1)),
  ]);
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect((await recall(session.db, key))?.version).toBe(2);
});

test('an agent remembers 10 KB and no more, a rewritten value counted once', async () => {
  const of = (key: string) => ({ agent: 'd', scope: '', key });
  await remember(session.db, of('a'), 'x'.repeat(6_000), 0);
  await remember(session.db, of('a'), 'y'.repeat(6_000), 1);
  await expect(remember(session.db, of('b'), 'z'.repeat(6_000), 0)).rejects.toThrow(/the limit is 10240/);
  await remember(session.db, of('b'), 'z'.repeat(4_000), 0);
  await remember(session.db, { ...of('a'), agent: 'e' }, 'x'.repeat(6_000), 0);
});
