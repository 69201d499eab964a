/** I9: whatever changes and whoever changes it, what is stored after metrics equals a full recompute. */
import { readFile } from 'node:fs/promises';

import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { connect } from '@floyo/shared/db';
import { addDays } from '@floyo/shared/window';

import { createChanges } from './testing/random-changes.ts';
import { createWorld, META, SHOP, TIKTOK, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const ACCOUNTS = [META, TIKTOK, SHOP];

/** Rows that differ from the naive query, or are missing. */
async function differingFromNaive(naive: string, today: string): Promise<unknown[]> {
  await world.query(`select set_config('naive.today', '${today}', false)`);
  const { rows } = await world.query(`
    select n.date, n.external_id, n.value as naive, d.value as stored, n.status as naive_status, d.status as stored_status
    from (${naive}) n left join daily_metrics d on d.date = n.date and d.external_id = n.external_id
    where d.date is null or round(n.value, 9) is distinct from round(d.value, 9) or n.status <> d.status`);
  return rows;
}

const stored = () =>
  world
    .query('select external_id, date, value, numerator, denominator, status from daily_metrics order by 1, 2')
    .then(({ rows }) => rows);

/** A metrics run during which another session writes and commits, after it has read and before it commits. */
async function runWithWriter(change: string, now?: Temporal.Instant): Promise<void> {
  const writer = await connect(world.url);
  try {
    await world.run({
      ...(now ? { now } : {}),
      write: (work, options) =>
        world.db
          .transaction()
          .setIsolationLevel(options?.isolationLevel ?? 'read committed')
          .execute(async (trx) => {
            const result = await work(trx);
            await sql`set lock_timeout = '1s'`.execute(writer.db);
            // To empty a table takes a lock that waits for every reader.
            if (!change.startsWith('truncate')) await sql.raw(change).execute(writer.db);
            return result;
          }),
    });
  } finally {
    await writer.end();
  }
}

/** Changes at random, computes, compares; `moveClock` gives the next day of now. */
async function changeAndCompare(options: {
  readonly seed: number;
  readonly first: string;
  readonly offsets: readonly [number, ...number[]];
  readonly batches: number;
  readonly changes: number;
  readonly today: string;
  readonly moveClock?: (today: string, batch: number) => string;
}): Promise<void> {
  const naive = await readFile(new URL('./testing/naive.sql', import.meta.url), 'utf8');
  const random = createChanges(options.seed, options);
  let { today } = options;
  await world.cover(ACCOUNTS, addDays(options.first, 1), today);
  await world.query(
    `update ops.coverage set final_at = case when extract(day from day)::int % 7 = 0 then 'infinity' else '-infinity' end::timestamptz`,
  );
  for (let i = 0; i < 60; i++) await world.query(random.insert());
  for (let i = 0; i < 6; i++) await world.query(random.insertRate());
  for (let batch = 0; batch < options.batches; batch++) {
    const made = Array.from({ length: 1 + random.next(options.changes) }, () => random.change());
    const told = `batch ${batch} of ${today}: ${made.join('; ')}`;
    for (const change of made) await world.query(change);
    const now = Temporal.Instant.from(`${today}T12:00:00Z`);
    // Now and then somebody writes while metrics are computed; that is the next run's.
    if (batch % 3 === 0) await runWithWriter(random.change(), now);
    await world.run({ now });
    expect(await differingFromNaive(naive, today), told).toEqual([]);
    expect(await world.run({ full: true, now }), told).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    today = options.moveClock?.(today, batch) ?? today;
  }
}

test('I9: after random changes of every kind, incremental equals full equals a naive query', async () => {
  const offsets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] as const;
  await changeAndCompare({
    seed: 20261121,
    first: '2026-02-22',
    offsets,
    batches: 8,
    changes: 2,
    today: '2026-03-10',
  });
  const before = await stored();
  await world.query('truncate daily_metrics, ops.missing_rates, ops.dirty_marks');
  await world.run();
  expect(before.length).toBeGreaterThan(500);
  expect(await stored()).toEqual(before);
});

test('I9: the same where metrics look ahead by 30, 90 and 365 days, and the clock goes on', async () => {
  await changeAndCompare({
    seed: 4,
    first: '2025-02-01',
    offsets: [0, 1, 2, 3, 29, 30, 31, 32, 33, 90, 91, 92, 93, 120, 364, 365, 366, 367],
    batches: 5,
    changes: 4,
    today: '2026-02-01',
    moveClock: (today, batch) => (batch % 2 === 0 ? addDays(today, 1) : today),
  });
});

test('I9: only what changed is computed, and a second run does nothing', async () => {
  await world.cover(ACCOUNTS, '2026-02-01', '2026-03-10');
  await world.spend({ date: '2026-02-10', spend: '1' });
  const moved = await world.order({ date: '2026-02-11', customer_id: '1' });
  await world.order({ date: '2026-02-20', customer_id: '1' });
  expect(await world.run()).toMatchObject({ days: 38, updated: 0, deleted: 0 });
  expect(await world.run()).toMatchObject({ days: 0, inserted: 0, updated: 0, unchanged: 0, deleted: 0 });

  // The customer's other day is touched too: its order becomes the first one.
  await world.query(
    `update orders set date = '2026-02-25', processed_at = '2026-02-25' where external_id = '${moved}'`,
  );
  expect(await world.run()).toMatchObject({ days: 3 });
  expect(await world.value('new_customers', '2026-02-20')).toBe(1);
  expect(await world.value('returning_customers', '2026-02-25')).toBe(1);
});

test('I9: an order that turns out to be voided takes its refunds of other days with it, and brings them back', async () => {
  await world.cover(ACCOUNTS, '2026-02-01', '2026-03-10');
  const order = await world.order({ date: '2026-02-11' });
  await world.refund({ order_external_id: order, date: '2026-02-20', returns: '3' });
  await world.run();
  expect(await world.value('returns', '2026-02-20')).toBe(3);
  await world.query("update orders set financial_status = 'VOIDED'");
  expect(await world.run()).toMatchObject({ days: 2 });
  expect(await world.value('returns', '2026-02-20')).toBe(0);
  await world.query("update orders set financial_status = 'REFUNDED'");
  await world.run();
  expect(await world.value('returns', '2026-02-20')).toBe(3);
});

test('I9: what metrics do not read leaves no mark', async () => {
  await world.spend();
  const order = await world.order();
  await world.refund({ order_external_id: order });
  await world.rate('USD', '2026-03-01', '1');
  await world.query('truncate ops.dirty_marks');
  await world.query(`update spend set synced_at = now(), run_id = gen_random_uuid(), campaign_name = 'new'`);
  await world.query(`update orders set synced_at = now(), updated_at = now(), refunded = 1, total = 2`);
  await world.query(`update refunds set synced_at = now(), total = 5`);
  await world.query(`update fx_rates set synced_at = now()`);
  expect((await world.query('select * from ops.dirty_marks')).rows).toEqual([]);
});

test('I9: rows that were deleted or changed by hand in daily_metrics come back', async () => {
  await world.cover(ACCOUNTS, '2026-03-01', '2026-03-10');
  await world.run();
  await world.query(`delete from daily_metrics where external_id = 'orders' and date = '2026-03-04'`);
  await world.query(
    `insert into daily_metrics (external_id, date, metric, unit, status) values ('gone', '2026-03-05', 'gone', 'count', 'final')`,
  );
  expect(await world.run()).toMatchObject({ days: 2, inserted: 1, updated: 0, deleted: 1 });
});

test('I9: a range is computed on request and a metric whose version rose is computed for every day', async () => {
  await world.cover(ACCOUNTS, '2026-03-01', '2026-03-10');
  await world.run();
  expect(await world.run({ range: { from: '2026-03-02', to: '2026-03-04' } })).toMatchObject({
    days: 2,
    updated: 0,
  });
  await world.query(`update metric_definitions set version = 0 where name = 'orders'`);
  expect(await world.run()).toMatchObject({ days: 10, updated: 0 });
  expect(await world.run()).toMatchObject({ days: 0 });
});

test('I9: a writer is not held up by a metrics run, and its mark outlives it', async () => {
  await world.cover(ACCOUNTS, '2026-03-01', '2026-03-10');
  await world.spend({ spend: '1' });
  await runWithWriter('update public.spend set spend = 5');
  const writer = await connect(world.url);
  try {
    expect(await world.value('ad_spend')).toBe(1);
    expect(await world.run()).toMatchObject({ days: 1 });
    expect(await world.value('ad_spend')).toBe(5);

    // A writer that has not committed holds up no metrics run.
    await writer.db.transaction().execute(async (trx) => {
      await sql`update public.spend set spend = 7`.execute(trx);
      await sql`set lock_timeout = '1s'`.execute(world.db);
      expect(await world.run()).toMatchObject({ days: 0 });
    });
    await world.run();
    expect(await world.value('ad_spend')).toBe(7);
  } finally {
    await writer.end();
  }
});

test('I9: whoever may write marks, also without any right to the operations schema', async () => {
  await world.spend();
  await world.query('truncate ops.dirty_marks');
  await world.db.transaction().execute(async (trx) => {
    await sql`create role floyo_test_writer`.execute(trx);
    await sql`grant select, update on public.spend to floyo_test_writer`.execute(trx);
    await sql`create policy writer on public.spend to floyo_test_writer using (true)`.execute(trx);
    await sql`set local role floyo_test_writer`.execute(trx);
    await sql`update public.spend set spend = 3`.execute(trx);
    await sql`reset role`.execute(trx);
    const { rows } = await sql`select kind, table_name, day from ops.dirty_marks`.execute(trx);
    expect(rows).toEqual([{ kind: 'day', table_name: 'spend', day: '2026-03-01' }]);
    await sql`drop policy writer on public.spend`.execute(trx);
    await sql`drop owned by floyo_test_writer`.execute(trx);
    await sql`drop role floyo_test_writer`.execute(trx);
  });
});
