import { describe, expect, test } from 'vitest';

import type { Session } from './db.ts';
import type { TestDatabase } from './testing/database.ts';
import { runTestSource } from './testing/test-run.ts';
import {
  type AdDay,
  createAdsSource,
  createOrdersSource,
  createWorld,
  type TestOrder,
} from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';

let database: TestDatabase;
let session: Session;
useDatabase(
  [
    'spend',
    'orders',
    'order_items',
    'refunds',
    'ops.runs',
    'ops.coverage',
    'ops.errors',
    'ops.agent_state',
    'ops.rejected_records',
  ],
  (opened) => ({ database, session } = opened),
);

const run = async (
  connector: Parameters<typeof runTestSource>[1],
  options: Partial<Parameters<typeof runTestSource>[2]> = {},
) => {
  const warnings: string[] = [];
  const [result] = await runTestSource(database.url, connector, {
    now: '2026-11-21T09:00:00Z',
    warn: (text) => warnings.push(text),
    ...options,
  });
  return { result, warnings };
};

const backfill = (from: string, to: string) =>
  ({ work: { kind: 'backfill', window: { from, to } } }) as const;

const openRejects = async () =>
  (
    await session.db
      .selectFrom('ops.rejected_records')
      .select('external_id')
      .where('resolved_at', 'is', null)
      .orderBy('id')
      .execute()
  ).map(({ external_id }) => external_id);

const spendOf = async (...ads: string[]) =>
  (
    await session.db
      .selectFrom('spend')
      .select(['ad_id', 'spend'])
      .where('ad_id', 'in', ads)
      .orderBy('ad_id')
      .execute()
  ).map(({ ad_id, spend }) => `${ad_id}: ${spend}`);

const countOf = async (table: 'orders' | 'order_items' | 'refunds') =>
  (await session.db.selectFrom(table).select('external_id').execute()).length;

describe('I7: a reject whose id can not be told', () => {
  const ads = (count: number): AdDay[] =>
    Array.from({ length: count }, (_, index) => ({ ad: String(100 + index), day: '2026-11-21', spend: '1' }));
  const nameless = { day: '2026-11-21', spend: '1' };

  test('I7: what came is merged, nothing of its window is deleted, and a warning says so', async () => {
    const world = createWorld<AdDay>({ A: ads(40) }, { pageSize: 16 });
    const source = createAdsSource(world);
    await run(source);
    // The record of ad 100 has lost its id, ad 101 is gone, ad 102 cost more, ad 200 is new.
    world.records['A'] = [
      nameless,
      { ad: '102', day: '2026-11-21', spend: '5' },
      { ad: '200', day: '2026-11-21', spend: '2' },
      ...ads(40).slice(3),
    ];
    const { result, warnings } = await run(source);
    expect(result).toMatchObject({
      status: 'succeeded',
      rows_inserted: 1,
      rows_updated: 1,
      rows_deleted: 0,
      rows_rejected: 1,
    });
    expect(await spendOf('100', '101', '102', '200')).toEqual(['100: 1', '101: 1', '102: 5', '200: 2']);
    expect(warnings).toContainEqual(
      expect.stringMatching(/meta A: 1 of 40 records of insights from 2026-11-20 to 2026-11-21 .*deleted/),
    );
    expect(await session.db.selectFrom('ops.errors').select(['error_type', 'severity']).execute()).toEqual(
      expect.arrayContaining([{ error_type: 'rejects', severity: 'P2' }]),
    );

    // Told whole again, its days are the vendor's again, and the record is set aside no longer.
    world.records['A'] = [...ads(1), ...ads(40).slice(2)];
    expect((await run(source)).result).toMatchObject({ rows_deleted: 2, rows_rejected: 0 });
    expect(await spendOf('100', '101', '200')).toEqual(['100: 1']);
    expect(await openRejects()).toEqual([]);
  });

  test('I7: stays open until days of its own window are read whole without it', async () => {
    const world = createWorld<AdDay>({ A: [...ads(40), nameless] }, { pageSize: 50 });
    const source = createAdsSource(world);
    await run(source);
    await run(source);
    expect(await openRejects()).toEqual([expect.stringMatching(/^sha256:.*\[2026-11-20,2026-11-22\)$/)]);
    world.records['A'] = ads(40);
    await run(source, backfill('2026-11-10', '2026-11-20'));
    expect(await openRejects()).toHaveLength(1);
    await run(source, backfill('2026-11-21', '2026-11-22'));
    expect(await openRejects()).toEqual([]);
  });
});

describe('I7: an order whose id can not be told', () => {
  const orders = (count: number): TestOrder[] =>
    Array.from({ length: count }, (_, index) => ({
      id: String(100 + index),
      processed_at: '2026-11-21T01:00:00Z',
      updated_at: '2026-11-21T02:00:00Z',
      lines: [{ id: `${100 + index}-1`, gross: '10' }],
      refunds: [{ id: `${100 + index}-r`, at: '2026-11-21T03:00:00Z', total: '1' }],
    }));
  const withoutId = (order: TestOrder) => ({ ...order, id: undefined });
  const counts = async () => [
    await countOf('orders'),
    await countOf('order_items'),
    await countOf('refunds'),
  ];

  test('I7: keeps its row, lines and refunds when its day is read whole', async () => {
    const world = createWorld<TestOrder>({ shop: orders(30) }, { pageSize: 50 });
    const source = createOrdersSource(world);
    await run(source);
    world.records['shop'] = orders(30).map((order, index) => (index === 0 ? withoutId(order) : order));
    const { result } = await run(source, backfill('2026-11-21', '2026-11-22'));
    expect(result).toMatchObject({ status: 'succeeded', rows_deleted: 0, rows_rejected: 1 });
    expect(await counts()).toEqual([30, 30, 30]);
  });

  test('I7: is not taken for deleted by the sweep of ids', async () => {
    const all = orders(30);
    const source = createOrdersSource(createWorld<TestOrder>({ shop: all }, { pageSize: 50 }));
    const sweep = {
      days: 30,
      // The list lacks an order, and asked for by its id it comes without one.
      async *readIds() {
        await Promise.resolve();
        yield all
          .slice(1)
          .map(({ id, updated_at }) => ({ externalId: `shopify:${id}`, updatedAt: updated_at }));
      },
      async *readRecords() {
        await Promise.resolve();
        yield all.slice(0, 1).map(withoutId);
      },
    };
    const { result, warnings } = await run({
      ...source,
      streams: source.streams.map((stream) => ({ ...stream, sweep })),
    });
    expect(result).toMatchObject({ status: 'succeeded', rows_deleted: 0, rows_rejected: 1 });
    expect(await counts()).toEqual([30, 30, 30]);
    expect(warnings).toContainEqual(expect.stringContaining('shopify shop: 1 of 1 records of orders from'));
  });
});
