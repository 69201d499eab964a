/** I9 for events: whatever arrives late, goes, moves or turns out to be somebody else's, incremental equals full equals naive. */
import { readFile } from 'node:fs/promises';

import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { addDays } from '@floyo/shared/window';

import { createEventChanges } from './testing/event-changes.ts';
import { createWorld, POSTHOG, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.months('2026-01-01', '2026-04-30');
});
afterAll(() => world.close());
beforeEach(() => world.clear());

async function changeAndCompare(options: {
  readonly seed: number;
  readonly offsets: readonly [number, ...number[]];
  readonly batches: number;
  readonly changes: number;
  readonly today: string;
}): Promise<void> {
  const naive = await readFile(new URL('./testing/naive-product.sql', import.meta.url), 'utf8');
  const random = createEventChanges(options.seed, { first: '2026-01-20', offsets: options.offsets });
  let { today } = options;
  await world.cover([POSTHOG], '2026-01-21', today);
  await world.query(
    `update ops.coverage set final_at = case when extract(day from day)::int % 7 <> 0 then '-infinity' else 'infinity' end::timestamptz`,
  );
  for (let i = 0; i < 60; i++) await world.query(random.insert());
  for (let batch = 0; batch < options.batches; batch++) {
    const made = Array.from({ length: 1 + random.next(options.changes) }, () => random.change());
    const told = `batch ${batch} of ${today}: ${made.join('; ')}`;
    for (const change of made) await world.query(change);
    const now = Temporal.Instant.from(`${today}T12:00:00Z`);
    await world.run({ accounts: [POSTHOG], now });
    await world.query(`select set_config('naive.today', '${today}', false)`);
    const { rows } = await world.query(`
      select n.date, n.external_id, n.value as naive, d.value as stored, n.status as naive_status, d.status as stored_status
      from (${naive}) n left join daily_metrics d on d.date = n.date and d.external_id = n.external_id
      where d.date is null or round(n.value, 9) is distinct from round(d.value, 9) or n.status <> d.status`);
    expect(rows, told).toEqual([]);
    if (batch % 4 === 2)
      expect(await world.run({ accounts: [POSTHOG], now, full: true }), told).toMatchObject({
        inserted: 0,
        updated: 0,
        deleted: 0,
      });
    if (batch % 4 === 3) today = addDays(today, 1);
  }
}

test('I9: after random changes of events, few days and many changes', async () => {
  await changeAndCompare({
    seed: 11,
    offsets: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    batches: 6,
    changes: 3,
    today: '2026-02-01',
  });
});

test('I9: the same around the ends of 7 and 30 days, back and ahead', async () => {
  await changeAndCompare({
    seed: 5,
    offsets: [0, 1, 2, 3, 4, 6, 7, 8, 29, 30, 31, 32, 36, 37],
    batches: 6,
    changes: 4,
    today: '2026-02-27',
  });
});
