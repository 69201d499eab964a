import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';

import type { AnyStream, LoadRows } from './connector.ts';
import { connect, type Database, type Session, type Transaction } from './db.ts';
import { createLoader, type LoadCounts, type Loader, type RecordKey } from './load.ts';
import { mergeStage } from './merge.ts';
import { createStage } from './stage.ts';
import type { TestDatabase } from './testing/database.ts';
import {
  createAdsSource,
  createOrdersSource,
  createWorld,
  streamOf,
  type TestOrder,
} from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { addDays, type DayWindow, listDays } from './window.ts';

let database: TestDatabase;
let session: Session;
useDatabase(['spend', 'orders', 'order_items', 'refunds'], (opened) => ({ database, session } = opened));

const ads = streamOf(createAdsSource(createWorld({})));
const orders = streamOf(createOrdersSource(createWorld({})));
const account = { id: 'A', timezone: 'UTC', currency: 'USD' };
const reporting = { timezone: 'UTC', currency: 'USD' };
const RUN = '00000000-0000-0000-0000-000000000001';
const WINDOW = { from: '2026-11-01', to: '2026-11-03' };

const ad = (id: string, day: string, spend = '1.50', of = 'A'): LoadRows =>
  ads.toRows({ ad: id, day, spend }, { ...account, id: of }, reporting);

const order = (id: string, more: Partial<TestOrder> = {}, shop = 'A'): LoadRows =>
  orders.toRows(
    {
      id,
      processed_at: '2026-11-01T10:00:00Z',
      updated_at: '2026-11-01T10:00:00Z',
      lines: [{ id: `${id}-1`, gross: '10' }],
      refunds: [],
      ...more,
    },
    { ...account, id: shop },
    reporting,
  );

/** Loads rows as a window's commit does. */
async function load(
  stream: AnyStream,
  rows: readonly LoadRows[],
  options: { window?: DayWindow; keep?: readonly RecordKey[]; runId?: string; loader?: Loader } = {},
): Promise<LoadCounts> {
  const loader = options.loader ?? (await createLoader(session, stream));
  await loader.clear();
  for (const row of rows) await loader.add(row);
  await loader.flush();
  return session.db.transaction().execute((trx) =>
    loader.apply(trx, {
      scope: stream.parent.scope('A'),
      runId: options.runId ?? RUN,
      ...(options.window ? { replace: { window: options.window, keep: options.keep ?? [] } } : {}),
    }),
  );
}

async function physical(table: string): Promise<unknown[]> {
  const { rows } =
    await sql`select xmin::text, xmax::text, ctid::text, t.* from ${sql.table(table)} t order by external_id, date`.execute(
      session.db,
    );
  return rows;
}

const spendRows = async () =>
  (
    await session.db
      .selectFrom('spend')
      .select(['external_id', 'date', 'spend'])
      .orderBy('external_id')
      .orderBy('date')
      .execute()
  ).map((row) => `${row.external_id} ${row.date} ${row.spend}`);

const idsOf = async (table: 'orders' | 'order_items' | 'refunds') =>
  (await session.db.selectFrom(table).select(['external_id', 'date']).orderBy('external_id').execute()).map(
    (row) => `${row.external_id} ${row.date}`,
  );

describe('I1: the same window twice', () => {
  test('I1: inserts, updates and deletes nothing, and touches no row', async () => {
    const rows = [ad('1', '2026-11-01'), ad('1', '2026-11-02', '2.00'), ad('2', '2026-11-01')];
    expect(await load(ads, rows, { window: WINDOW })).toEqual({
      inserted: 3,
      updated: 0,
      unchanged: 0,
      deleted: 0,
    });
    const before = await physical('spend');
    const again = await load(ads, rows, { window: WINDOW, runId: '00000000-0000-0000-0000-000000000002' });
    expect(again).toEqual({ inserted: 0, updated: 0, unchanged: 3, deleted: 0 });
    expect(await physical('spend')).toEqual(before);
  });

  test('I1: the same number written otherwise and JSON in another order are no change', async () => {
    const row = ad('1', '2026-11-01', '1.50').spend?.[0];
    if (row === undefined) throw new Error('no row');
    await load(ads, [{ spend: [{ ...row, raw: { a: 1, b: [2] } }] }]);
    const before = await physical('spend');
    await load(ads, [{ spend: [{ ...row, spend: '1.5', raw: { b: [2], a: 1 } }] }]);
    expect(await physical('spend')).toEqual(before);
  });

  test('I1: holds for orders with their children', async () => {
    const rows = [
      order('1'),
      order('2', { refunds: [{ id: 'r1', at: '2026-11-09T00:00:00Z', total: '3' }] }),
    ];
    expect(await load(orders, rows, { window: WINDOW })).toMatchObject({ inserted: 5 });
    const tables = ['orders', 'order_items', 'refunds'];
    const before = await Promise.all(tables.map(physical));
    expect(await load(orders, rows, { window: WINDOW })).toEqual({
      inserted: 0,
      updated: 0,
      unchanged: 5,
      deleted: 0,
    });
    expect(await Promise.all(tables.map(physical))).toEqual(before);
  });

  test('a changed row alone is written, and says who wrote it', async () => {
    await load(ads, [ad('1', '2026-11-01'), ad('2', '2026-11-01')], { window: WINDOW });
    const [first] = await physical('spend');
    const runId = '00000000-0000-0000-0000-000000000003';
    const counts = await load(ads, [ad('1', '2026-11-01'), ad('2', '2026-11-01', '9')], {
      window: WINDOW,
      runId,
    });
    expect(counts).toEqual({ inserted: 0, updated: 1, unchanged: 1, deleted: 0 });
    expect((await physical('spend'))[0]).toEqual(first);
    expect((await physical('spend'))[1]).toMatchObject({ spend: '9', run_id: runId });
  });
});

describe('I3: replacing days', () => {
  test('I3: changed, vanished and new rows; other accounts and days stay', async () => {
    await load(ads, [
      ad('1', '2026-11-01'),
      ad('2', '2026-11-01'),
      ad('3', '2026-11-03'),
      ad('4', '2026-10-31'),
    ]);
    await load(ads, [ad('9', '2026-11-01', '7', 'B')]);
    const counts = await load(ads, [ad('1', '2026-11-01', '5'), ad('5', '2026-11-02')], { window: WINDOW });
    expect(counts).toEqual({ inserted: 1, updated: 1, unchanged: 0, deleted: 1 });
    expect(await spendRows()).toEqual([
      'meta:1 2026-11-01 5',
      'meta:3 2026-11-03 1.50',
      'meta:4 2026-10-31 1.50',
      'meta:5 2026-11-02 1.50',
      'meta:9 2026-11-01 7',
    ]);
  });

  test('I3: days that the vendor says are empty become empty', async () => {
    await load(ads, [ad('1', '2026-11-01'), ad('1', '2026-11-03')]);
    expect(await load(ads, [], { window: WINDOW })).toMatchObject({ deleted: 1 });
    expect(await spendRows()).toEqual(['meta:1 2026-11-03 1.50']);
  });

  test('I3: of a record that comes twice the last version counts', async () => {
    const counts = await load(
      ads,
      [ad('1', '2026-11-01', '1'), ad('2', '2026-11-01'), ad('1', '2026-11-01', '2')],
      {
        window: WINDOW,
      },
    );
    expect(counts).toMatchObject({ inserted: 2 });
    expect(await spendRows()).toEqual(['meta:1 2026-11-01 2', 'meta:2 2026-11-01 1.50']);
  });

  test('I3: an order seen twice in one reading has the children of its newest version only', async () => {
    const older = order('1', {
      lines: [
        { id: 'a', gross: '1' },
        { id: 'b', gross: '1' },
      ],
      refunds: [],
    });
    const newer = order('1', {
      updated_at: '2026-11-05T00:00:00Z',
      lines: [
        { id: 'b', gross: '2' },
        { id: 'c', gross: '2' },
      ],
    });
    await load(orders, [older, order('2'), newer], { window: WINDOW });
    expect(await idsOf('order_items')).toEqual([
      'shopify:2-1 2026-11-01',
      'shopify:b 2026-11-01',
      'shopify:c 2026-11-01',
    ]);
    await sql`truncate orders, order_items`.execute(session.db);
    // A search index may show the older one last.
    await load(orders, [newer, order('2'), older], { window: WINDOW });
    expect(await idsOf('order_items')).toEqual([
      'shopify:2-1 2026-11-01',
      'shopify:b 2026-11-01',
      'shopify:c 2026-11-01',
    ]);
    expect(
      await session.db
        .selectFrom('orders')
        .select('updated_at')
        .where('external_id', '=', 'shopify:1')
        .execute(),
    ).toEqual([{ updated_at: '2026-11-05T00:00:00Z' }]);
  });

  test('I3: an order whose date moves leaves no twin; its lines move along, refunds keep their own day', async () => {
    const refunds = [{ id: 'r', at: '2026-11-20T00:00:00Z', total: '1' }];
    await load(orders, [order('1', { refunds })]);
    await load(orders, [
      order('1', { processed_at: '2026-11-08T00:00:00Z', updated_at: '2026-11-09T00:00:00Z', refunds }),
    ]);
    expect(await idsOf('orders')).toEqual(['shopify:1 2026-11-08']);
    expect(await idsOf('order_items')).toEqual(['shopify:1-1 2026-11-08']);
    expect(await idsOf('refunds')).toEqual(['shopify:r 2026-11-20']);
    const moved = [{ id: 'r', at: '2026-11-21T00:00:00Z', total: '1' }];
    await load(orders, [order('1', { updated_at: '2026-11-21T00:00:00Z', refunds: moved })]);
    expect(await idsOf('refunds')).toEqual(['shopify:r 2026-11-21']);
  });

  test('I3: an older version that is read later changes nothing, its children included', async () => {
    await load(orders, [
      order('1', { updated_at: '2026-11-05T00:00:00Z', lines: [{ id: 'new', gross: '5' }] }),
    ]);
    const before = [await physical('orders'), await physical('order_items')];
    const stale = order('1', {
      lines: [{ id: 'old', gross: '1' }],
      refunds: [{ id: 'r', at: '2026-11-20T00:00:00Z', total: '1' }],
    });
    expect(await load(orders, [stale], { window: WINDOW })).toEqual({
      inserted: 0,
      updated: 0,
      unchanged: 1,
      deleted: 0,
    });
    expect([await physical('orders'), await physical('order_items')]).toEqual(before);
    expect(await idsOf('refunds')).toEqual([]);
  });

  test('I3: an order that vanished from its day takes its lines and refunds along, of whatever day', async () => {
    const refunds = [{ id: 'r', at: '2026-11-20T00:00:00Z', total: '1' }];
    await load(orders, [
      order('1', { refunds }),
      order('2', { refunds: [{ id: 'r2', at: '2026-11-20T00:00:00Z', total: '1' }] }),
    ]);
    expect(
      await load(orders, [order('2', { refunds: [{ id: 'r2', at: '2026-11-20T00:00:00Z', total: '1' }] })], {
        window: WINDOW,
      }),
    ).toMatchObject({
      deleted: 3,
    });
    expect(await idsOf('orders')).toEqual(['shopify:2 2026-11-01']);
    expect(await idsOf('order_items')).toEqual(['shopify:2-1 2026-11-01']);
    expect(await idsOf('refunds')).toEqual(['shopify:r2 2026-11-20']);
  });

  test('I3: lines and refunds that are gone from an order are deleted, those of other orders stay', async () => {
    const refunds = [{ id: 'r', at: '2026-11-20T00:00:00Z', total: '1' }];
    await load(orders, [
      order('1', {
        refunds,
        lines: [
          { id: 'a', gross: '1' },
          { id: 'b', gross: '1' },
        ],
      }),
      order('2'),
    ]);
    const changed = order('1', { updated_at: '2026-11-05T00:00:00Z', lines: [{ id: 'b', gross: '1' }] });
    expect(await load(orders, [changed])).toMatchObject({ deleted: 2, updated: 1 });
    expect(await idsOf('order_items')).toEqual(['shopify:2-1 2026-11-01', 'shopify:b 2026-11-01']);
    expect(await idsOf('refunds')).toEqual([]);
  });

  test('I3: the stored row of a record that was rejected survives, with its children', async () => {
    await load(ads, [ad('1', '2026-11-01'), ad('1', '2026-11-02'), ad('2', '2026-11-01')]);
    await load(ads, [], { window: WINDOW, keep: [{ externalId: 'meta:1', date: '2026-11-01' }] });
    expect(await spendRows()).toEqual(['meta:1 2026-11-01 1.50']);
    await load(orders, [order('1'), order('2')]);
    await load(orders, [], { window: WINDOW, keep: [{ externalId: 'shopify:1' }] });
    expect([await idsOf('orders'), await idsOf('order_items')]).toEqual([
      ['shopify:1 2026-11-01'],
      ['shopify:1-1 2026-11-01'],
    ]);
  });

  test('I3: rows whose id another account holds are taken out, whatever the day, and their children with them', async () => {
    await load(ads, [ad('1', '2025-01-01', '3', 'B')]);
    const loader = await createLoader(session, ads);
    await loader.add(ad('1', '2026-11-01'));
    await loader.add(ad('2', '2026-11-01'));
    await loader.flush();
    const foreign = await session.db
      .transaction()
      .execute((trx) => loader.takeForeignRows(trx, ads.parent.scope('A')));
    expect(foreign).toMatchObject([{ externalId: 'meta:1', row: { date: '2026-11-01', account_id: 'A' } }]);
    await session.db
      .transaction()
      .execute((trx) => loader.apply(trx, { scope: ads.parent.scope('A'), runId: RUN }));
    expect(await spendRows()).toEqual(['meta:1 2025-01-01 3', 'meta:2 2026-11-01 1.50']);

    await load(orders, [order('1', {}, 'B')]);
    const shop = await createLoader(session, orders);
    await shop.add(order('1', { lines: [{ id: 'stolen', gross: '1' }] }));
    await shop.flush();
    expect(
      await session.db.transaction().execute((trx) => shop.takeForeignRows(trx, orders.parent.scope('A'))),
    ).toHaveLength(1);
    await session.db
      .transaction()
      .execute((trx) => shop.apply(trx, { scope: orders.parent.scope('A'), runId: RUN }));
    expect(await idsOf('order_items')).toEqual(['shopify:1-1 2026-11-01']);
  });
});

describe('days of which nothing is stored', () => {
  test('I3: a row that somebody else stores at the same moment becomes the vendor’s, and is counted as changed', async () => {
    const other = await connect(database.url);
    const loader = await createLoader(session, ads);
    for (const row of [ad('1', '2026-11-01', '5'), ad('2', '2026-11-01')]) await loader.add(row);
    await loader.flush();
    const stored = Promise.withResolvers<undefined>();
    const theirs = other.db.transaction().execute(async (trx) => {
      await sql`insert into spend (external_id, date, source, account_id, account_timezone, campaign_id, ad_group_id, ad_id,
          currency, spend, impressions, clicks, raw)
        values ('meta:1', '2026-11-01', 'meta', 'A', 'UTC', 'c', 'g', '1', 'USD', 1, 10, 1, '{}')`.execute(
        trx,
      );
      stored.resolve(undefined);
      for (let isAwaited = false; !isAwaited;) {
        const { rows } = await sql<{ waits: boolean }>`
          select exists (select 1 from pg_locks where not granted and locktype = 'transactionid') as waits`.execute(
          trx,
        );
        isAwaited = rows[0]?.waits ?? false;
      }
    });
    await stored.promise;
    const counts = await session.db.transaction().execute((trx) =>
      loader.apply(trx, {
        scope: ads.parent.scope('A'),
        runId: RUN,
        replace: { window: WINDOW, keep: [] },
      }),
    );
    await theirs;
    await other.end();
    expect(counts).toEqual({ inserted: 1, updated: 1, unchanged: 0, deleted: 0 });
    expect(await spendRows()).toEqual(['meta:1 2026-11-01 5', 'meta:2 2026-11-01 1.50']);
  });

  test('I3: a row that the account has on another day than the window is replaced as well', async () => {
    await load(ads, [ad('1', '2026-11-05')]);
    expect(
      await load(ads, [ad('1', '2026-11-05', '9'), ad('1', '2026-11-01')], { window: WINDOW }),
    ).toMatchObject({
      inserted: 1,
      updated: 1,
    });
    expect(await spendRows()).toEqual(['meta:1 2026-11-01 1.50', 'meta:1 2026-11-05 9']);
  });
});

describe('stages', () => {
  test('one session serves loaders of the same table one after another; what was staged is forgotten', async () => {
    const first = await createLoader(session, ads);
    await first.add(ad('1', '2026-11-01'));
    await first.flush();
    const second = await createLoader(session, ads);
    expect(await load(ads, [ad('2', '2026-11-01')], { loader: second })).toMatchObject({ inserted: 1 });
    expect(await load(ads, [ad('3', '2026-11-01')], { loader: first })).toMatchObject({ inserted: 1 });
    expect(await spendRows()).toEqual(['meta:2 2026-11-01 1.50', 'meta:3 2026-11-01 1.50']);
  });

  test('columns that the database makes itself are left to it', async () => {
    await sql`create table made (external_id text not null, date date not null, id bigint generated always as identity,
      amount numeric, twice numeric generated always as (amount * 2) stored, synced_at timestamptz, run_id uuid,
      unique (external_id, date))`.execute(session.db);
    const stage = await createStage(session, 'made');
    await session.copyFrom(`copy ${stage} (external_id, date, amount) from stdin`, 'a\t2026-11-01\t2\n');
    const merge = () =>
      session.db
        .transaction()
        .execute((trx) =>
          mergeStage(trx, { stage, table: 'made', key: ['external_id', 'date'], runId: RUN }),
        );
    expect(await merge()).toEqual({ inserted: 1, updated: 0, unchanged: 0 });
    expect(await merge()).toEqual({ inserted: 0, updated: 0, unchanged: 1 });
    const { rows } = await sql`select id, twice from made`.execute(session.db);
    expect(rows).toEqual([{ id: '1', twice: '4' }]);
    await sql`drop table made`.execute(session.db);
  });

  test('columns to be ignored are written with a change and make none', async () => {
    await load(ads, [ad('1', '2026-11-01')]);
    const loader = await createLoader(session, ads);
    await loader.add({
      spend: ad('1', '2026-11-01').spend?.map((row) => ({ ...row, ad_name: 'renamed' })) ?? [],
    });
    await loader.flush();
    const merge = (ignore: string[]) =>
      session.db
        .transaction()
        .execute((trx) =>
          mergeStage(trx, { stage: 'stage_spend', table: 'spend', key: ads.parent.key, runId: RUN, ignore }),
        );
    expect(await merge(['ad_name'])).toMatchObject({ updated: 0, unchanged: 1 });
    expect(await merge([])).toMatchObject({ updated: 1 });
  });

  test('a value that the database refuses leaves the session usable', async () => {
    const loader = await createLoader(session, ads);
    await loader.add(ad('1', '2026-11-01', 'many'));
    await expect(loader.flush()).rejects.toThrow(/invalid input syntax for type numeric/);
    expect(await load(ads, [ad('1', '2026-11-01')], { loader })).toMatchObject({ inserted: 1 });
  });
});

/** How often tables were read from end to end in this transaction so far, and how many of their rows were fetched. */
async function scans(trx: Transaction<Database>) {
  const { rows } = await sql<{ relname: string; seq_scan: string; fetched: string }>`
    select relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0) as fetched from pg_stat_xact_user_tables
    where relname in ('spend', 'stage_spend')`.execute(trx);
  return Object.fromEntries(
    rows.map((row) => [row.relname, { whole: Number(row.seq_scan), rows: Number(row.fetched) }]),
  );
}

test('in a table of 100,000 rows the work follows what is staged: no loop over the stage, no reading of the table', async () => {
  await sql`insert into spend (external_id, date, source, account_id, account_timezone, campaign_id, ad_group_id, ad_id,
      currency, spend, impressions, clicks, raw)
    select 'meta:' || ad, date '2026-01-01' + day, 'meta', 'A', 'UTC', 'c', 'g', ad, 'USD', 1, 10, 1, '{}'
    from generate_series(1, 1000) ad, generate_series(0, 99) day`.execute(session.db);
  await sql`analyze spend`.execute(session.db);
  const loader = await createLoader(session, ads);
  const scope = ads.parent.scope('A');
  for (const days of [2, 15]) {
    const window = { from: addDays('2026-04-11', -days), to: '2026-04-11' };
    await loader.clear();
    for (const day of listDays(window))
      for (let id = 1; id <= 1000; id++) await loader.add(ad(String(id), day, String((id + days) % 7)));
    await loader.flush();
    await sql`select pg_stat_force_next_flush()`.execute(session.db);
    await session.db.transaction().execute(async (trx) => {
      await loader.takeForeignRows(trx, scope);
      const counts = await loader.apply(trx, { scope, runId: RUN, replace: { window, keep: [] } });
      expect(counts).toMatchObject({ inserted: 0, deleted: 0 });
      const { spend, stage_spend: stage } = await scans(trx);
      expect(stage?.whole).toBeLessThan(12);
      expect(stage?.rows).toBeLessThan(12_000 * days);
      expect(spend?.whole).toBeLessThan(6);
      if (days === 2) expect(spend?.rows).toBeLessThan(20_000);
    });
  }
});
