import { sql } from 'kysely';
import { afterEach, describe, expect, test } from 'vitest';

import type { Session } from './db.ts';
import { PipelineError } from './errors.ts';
import type { TestDatabase } from './testing/database.ts';
import { runTestSource } from './testing/test-run.ts';
import { createOrdersSource, createWorld, type PageEvent, type TestOrder } from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { listDays } from './window.ts';

let database: TestDatabase;
let session: Session;
useDatabase([], (opened) => ({ database, session } = opened));

const TABLES = ['orders', 'order_items', 'refunds'] as const;
const clear = () =>
  sql`truncate orders, order_items, refunds, ops.runs, ops.coverage, ops.errors, ops.agent_state, ops.rejected_records cascade`.execute(
    session.db,
  );
afterEach(clear);

const now = '2026-11-21T09:00:00Z';
const run = (
  connector: Parameters<typeof runTestSource>[1],
  options: Partial<Parameters<typeof runTestSource>[2]> = {},
) => runTestSource(database.url, connector, { now, ...options });

const order = (id: string, processed_at: string, more: Partial<TestOrder> = {}): TestOrder => ({
  id,
  processed_at,
  updated_at: processed_at,
  lines: [{ id: `${id}-1`, gross: '10' }],
  ...more,
});

/** Two orders on each of the days of the first run. */
const firstDays = (): TestOrder[] =>
  listDays({ from: '2026-11-18', to: '2026-11-22' }).flatMap((day, index) => [
    order(`${index}a`, `${day}T01:00:00Z`),
    order(`${index}b`, `${day}T02:00:00Z`),
  ]);

/** The tables as they stand, without who wrote the rows when. */
async function contents() {
  const tables: Record<string, unknown[]> = {};
  for (const table of TABLES) {
    const { rows } = await sql<{ row: unknown }>`
      select to_jsonb(t) - 'synced_at' - 'run_id' as row from ${sql.table(table)} t order by external_id`.execute(
      session.db,
    );
    tables[table] = rows.map(({ row }) => row);
  }
  return tables;
}

const coverage = async () =>
  (await session.db.selectFrom('ops.coverage').select(['day', 'read_at']).orderBy('day').execute()).map(
    ({ day, read_at }) => `${day} ${read_at}`,
  );

const cursor = async () =>
  (
    await session.db
      .selectFrom('ops.agent_state')
      .select('value')
      .where('key', '=', 'cursor')
      .executeTakeFirst()
  )?.value;

const orderIds = async () =>
  (await session.db.selectFrom('orders').select('external_id').orderBy('external_id').execute()).map(
    ({ external_id }) => external_id,
  );

function atPage(n: number, act: (event: PageEvent) => void) {
  let count = 0;
  return (event: PageEvent) => (count++ === n ? act(event) : undefined);
}

const broken = () => {
  throw new PipelineError({ type: 'upstream', message: 'The vendor broke off' });
};

describe('the first run and those after it', () => {
  test('days first, then only changes since, reaching back by the overlap and staying behind by the lag', async () => {
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    expect(world.asked.map(({ from, to }) => `${from} ${to}`)).toEqual([
      '2026-11-20 2026-11-22',
      '2026-11-18 2026-11-20',
    ]);
    expect(await cursor()).toEqual({ since: '2026-11-18', synced_to: now, covered_to: now });
    world.asked.splice(0);
    world.records['shop']?.push(order('new', '2026-11-21T09:30:00Z'), order('late', '2026-11-21T09:59:30Z'));
    const [second] = await run(shop, { now: '2026-11-21T10:00:00Z' });
    expect(world.asked.map(({ from, to }) => `${from} ${to}`)).toEqual([
      '2026-11-21T08:50:00Z 2026-11-21T09:59:00Z',
    ]);
    expect(second).toMatchObject({ status: 'succeeded', rows_inserted: 2, rows_deleted: 0 });
    expect(await cursor()).toEqual({
      since: '2026-11-18',
      synced_to: '2026-11-21T09:59:00Z',
      covered_to: '2026-11-21T09:59:00Z',
    });
    expect((await coverage()).at(-1)).toBe('2026-11-21 2026-11-21T09:59:00Z');
    await run(shop, { now: '2026-11-21T11:00:00Z' });
    expect(await orderIds()).toContain('shopify:late');
  });

  test('I1: the same changes twice change nothing', async () => {
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    world.records['shop']?.push(order('new', '2026-11-21T09:30:00Z'));
    await run(shop, { now: '2026-11-21T09:35:00Z' });
    const physical = async () =>
      Promise.all(
        TABLES.map(
          async (table) =>
            (
              await sql`select xmin::text, xmax::text, ctid::text from ${sql.table(table)} order by external_id`.execute(
                session.db,
              )
            ).rows,
        ),
      );
    const before = await physical();
    // The overlap shows the order again.
    const [again] = await run(shop, { now: '2026-11-21T09:40:00Z' });
    expect(again).toMatchObject({
      rows_read: 1,
      rows_inserted: 0,
      rows_updated: 0,
      rows_deleted: 0,
      rows_unchanged: 2,
    });
    expect(await physical()).toEqual(before);
  });

  test('I3: an order that changes later is replaced with its lines and refunds, whatever its day', async () => {
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    world.records['shop'] = [
      order('0a', '2026-11-18T01:00:00Z', {
        updated_at: '2026-11-21T09:30:00Z',
        lines: [{ id: '0a-2', gross: '7' }],
        refunds: [{ id: 'r', at: '2026-11-21T09:30:00Z', total: '7' }],
      }),
    ];
    expect((await run(shop, { now: '2026-11-21T10:00:00Z' }))[0]).toMatchObject({
      rows_inserted: 2,
      rows_updated: 1,
      rows_deleted: 1,
    });
    const { rows } =
      await sql`select external_id from order_items where order_external_id = 'shopify:0a'`.execute(
        session.db,
      );
    expect(rows).toEqual([{ external_id: 'shopify:0a-2' }]);
    expect(await orderIds()).toHaveLength(8);
  });

  test('days are those of the reporting zone, also on the day that clocks change', async () => {
    const reporting = { timezone: 'Europe/Berlin', currency: 'EUR' };
    const world = createWorld<TestOrder>({
      shop: [
        order('1', '2026-10-24T22:30:00Z'),
        order('2', '2026-10-25T22:59:00Z'),
        order('3', '2026-10-25T23:00:00Z'),
      ],
    });
    await run(createOrdersSource(world, { daysBack: 1 }), { now: '2026-10-26T12:00:00Z', reporting });
    const { rows } = await sql`select external_id, date from orders order by 1`.execute(session.db);
    expect(rows).toEqual([
      { external_id: 'shopify:1', date: '2026-10-25' },
      { external_id: 'shopify:2', date: '2026-10-25' },
      { external_id: 'shopify:3', date: '2026-10-26' },
    ]);
  });
});

describe('I2: broken off', () => {
  test('I2: a first run broken off anywhere, gone on with later, ends in the same tables', async () => {
    const end = '2026-11-21T12:00:00Z';
    const all = () => [
      ...firstDays(),
      order('new', '2026-11-21T09:30:00Z'),
      order('3a', '2026-11-21T01:00:00Z', { updated_at: '2026-11-21T10:00:00Z', lines: [] }),
    ];
    const whole = createWorld<TestOrder>({ shop: firstDays() });
    await run(createOrdersSource(whole));
    whole.records['shop'] = all();
    await run(createOrdersSource(whole), { now: end });
    const expected = { tables: await contents(), days: (await coverage()).map((line) => line.slice(0, 10)) };
    for (let step = 0; step < 6; step++) {
      await clear();
      const world = createWorld<TestOrder>({ shop: firstDays() }, { onPage: atPage(step, broken) });
      expect((await run(createOrdersSource(world)))[0]?.status).toBe('failed');
      world.records['shop'] = all();
      expect((await run(createOrdersSource(world), { now: end }))[0]?.status).toBe('succeeded');
      expect({ tables: await contents(), days: (await coverage()).map((line) => line.slice(0, 10)) }).toEqual(
        expected,
      );
    }
  });

  test('I2: catching up in several windows, broken off in between, covers a day only when it is whole', async () => {
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    const before = await coverage();
    for (const day of ['22', '23', '24', '25'])
      world.records['shop']?.push(order(`n${day}`, `2026-11-${day}T12:00:00Z`));
    // Four windows of a day; the third one breaks.
    let windows = 0;
    world.onPage = ({ last }) => {
      if (last && ++windows === 3) broken();
    };
    const [failed] = await run(shop, { now: '2026-11-25T15:00:00Z' });
    expect(failed).toMatchObject({ status: 'failed', rows_inserted: 2 });
    expect(await coverage()).toEqual(before);
    expect(await cursor()).toEqual({
      since: '2026-11-18',
      synced_to: '2026-11-23T09:00:00Z',
      covered_to: now,
    });
    delete world.onPage;
    world.asked.splice(0);
    // Two days later still: it goes on where it stopped.
    expect((await run(shop, { now: '2026-11-27T08:00:00Z' }))[0]?.status).toBe('succeeded');
    expect(world.asked[0]?.from).toBe('2026-11-23T08:50:00Z');
    expect(await orderIds()).toHaveLength(12);
    expect(await cursor()).toEqual({
      since: '2026-11-18',
      synced_to: '2026-11-27T07:59:00Z',
      covered_to: '2026-11-27T07:59:00Z',
    });
    expect(await coverage()).toEqual([
      ...before.slice(0, 3),
      ...listDays({ from: '2026-11-21', to: '2026-11-28' }).map((day) => `${day} 2026-11-27T07:59:00Z`),
    ]);
    world.asked.splice(0);
    await run(shop, { now: '2026-11-27T09:00:00Z' });
    expect(world.asked).toHaveLength(1);
  });

  test('I2: a cursor that can not be written takes the rows and the coverage with it', async () => {
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    const before = [await contents(), await coverage(), await cursor()];
    world.records['shop']?.push(order('new', '2026-11-21T09:30:00Z'));
    await sql`create function refuse() returns trigger language plpgsql as $$ begin raise exception 'disk full'; end $$`.execute(
      session.db,
    );
    await sql`create trigger refuse before update on ops.agent_state for each row execute function refuse()`.execute(
      session.db,
    );
    try {
      expect((await run(shop, { now: '2026-11-21T10:00:00Z' }))[0]).toMatchObject({
        status: 'failed',
        error: { error_type: 'load' },
      });
    } finally {
      await sql`drop function refuse cascade`.execute(session.db);
    }
    expect([await contents(), await coverage(), await cursor()]).toEqual(before);
  });

  test('I2: an order that moves to another day while a backfill reads is there once', async () => {
    const moved = { updated_at: '2026-11-21T08:00:00Z' };
    const world = createWorld<TestOrder>({ shop: firstDays() });
    const shop = createOrdersSource(world);
    await run(shop);
    world.records['shop'] = [...firstDays().slice(1), order('0a', '2026-11-20T05:00:00Z', moved)];
    await run(shop, {
      work: { kind: 'backfill', window: { from: '2026-11-18', to: '2026-11-21' } },
      now: '2026-11-21T10:00:00Z',
    });
    const { rows } =
      await sql`select o.date, i.date as item_date from orders o join order_items i on i.order_external_id = o.external_id where o.external_id = 'shopify:0a'`.execute(
        session.db,
      );
    expect(rows).toEqual([{ date: '2026-11-20', item_date: '2026-11-20' }]);
    expect(await orderIds()).toHaveLength(8);
  });
});

test('I3: a rejected order keeps its row and children, when its day is read whole as well', async () => {
  const many = Array.from({ length: 30 }, (_, index) => order(String(index), '2026-11-20T01:00:00Z'));
  const world = createWorld<TestOrder>({ shop: many }, { pageSize: 50 });
  const shop = createOrdersSource(world);
  await run(shop);
  world.records['shop'] = [
    ...many.slice(1),
    { id: '0', processed_at: '2026-11-20T01:00:00Z', lines: 'none' },
  ];
  const work = { kind: 'backfill', window: { from: '2026-11-20', to: '2026-11-21' } } as const;
  expect((await run(shop, { work }))[0]).toMatchObject({
    status: 'succeeded',
    rows_rejected: 1,
    rows_deleted: 0,
  });
  expect(await orderIds()).toHaveLength(30);
  expect(await session.db.selectFrom('order_items').select('external_id').execute()).toHaveLength(30);
});
