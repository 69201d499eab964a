import { expect, test } from 'vitest';

import type { Session } from './db.ts';
import { createReaderPool, type Reader } from './reader-pool.ts';

/** Stand-ins that are only told apart: the pool calls nothing on them. */
const readers = (count: number): Reader[] =>
  Array.from({ length: count }, () => ({
    session: {} as Session,
    write: () => Promise.reject(new Error('nothing is written here')),
  }));

test('as many windows at once as there are sessions, each on a session of its own', async () => {
  const pool = createReaderPool(readers(3));
  const busy = new Set<Session>();
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      pool.use(async ({ session }) => {
        expect(busy.has(session)).toBe(false);
        busy.add(session);
        most = Math.max(most, busy.size);
        await new Promise(setImmediate);
        busy.delete(session);
      }),
    ),
  );
  expect(most).toBe(3);
});

test('I4: the gate opens only while no window is being read, and reading goes on afterwards', async () => {
  let reading = 0;
  let opened = 0;
  let wanted = 2;
  const pool = createReaderPool(readers(3), {
    wanted: () => Promise.resolve(wanted > 0),
    open: async () => {
      expect(reading).toBe(0);
      opened++;
      wanted--;
      await new Promise(setImmediate);
      expect(reading).toBe(0);
    },
  });
  await Promise.all(
    Array.from({ length: 20 }, () =>
      pool.use(async () => {
        reading++;
        await new Promise(setImmediate);
        reading--;
      }),
    ),
  );
  expect(opened).toBe(2);
});

test('a window that fails gives its session back', async () => {
  const pool = createReaderPool(readers(1));
  await expect(pool.use(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await expect(pool.use(() => Promise.resolve('fine'))).resolves.toBe('fine');
});
