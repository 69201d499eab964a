import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';

import type { AnyConnector, AnyStream } from './connector.ts';
import type { Session } from './db.ts';
import { AccountPausedError, PipelineError } from './errors.ts';
import type { TestDatabase } from './testing/database.ts';
import { containing } from './testing/matchers.ts';
import { runTestSource } from './testing/test-run.ts';
import {
  type AdDay,
  createAdsSource,
  createOrdersSource,
  createWorld,
  type TestOrder,
} from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { listDays } from './window.ts';

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

const NOW = '2026-11-21T09:00:00Z';
const with_ = (connector: AnyConnector, hooks: Partial<AnyStream>): AnyConnector => ({
  ...connector,
  streams: connector.streams.map((stream) => ({ ...stream, ...hooks })),
});
const run = async (connector: AnyConnector, options: Partial<Parameters<typeof runTestSource>[2]> = {}) => {
  const warnings: string[] = [];
  const results = await runTestSource(database.url, connector, {
    now: NOW,
    warn: (text) => warnings.push(text),
    ...options,
  });
  return { results, warnings };
};
const errors = () =>
  session.db.selectFrom('ops.errors').select(['error_type', 'severity', 'message', 'context']).execute();

const ad = (day: string, spend: string, id = '1'): AdDay => ({ ad: id, day, spend });
/** A vendor that fails for the window that begins on that day. */
const failOn =
  (day: string): NonNullable<ReturnType<typeof createWorld>['onPage']> =>
  ({ window }) => {
    if (window.from === day) throw new PipelineError({ type: 'upstream', message: 'down' });
  };
const adDays = listDays({ from: '2026-11-18', to: '2026-11-22' }).map((day) => ad(day, '100'));

describe('comparing with the vendor', () => {
  const told = (totals: Readonly<Record<string, string>>) => ({
    totals: {
      measures: ['spend'],
      read: () => Promise.resolve(new Map(Object.entries(totals).map(([day, spend]) => [day, { spend }]))),
    },
  });
  const right = { '2026-11-18': '100', '2026-11-19': '100.05', '2026-11-20': '100.00' };

  test('totals within 0.1 % are no drift; today, still growing, is not compared', async () => {
    const { results, warnings } = await run(with_(createAdsSource(createWorld({ a: adDays })), told(right)));
    expect(results).toMatchObject([{ status: 'succeeded', metadata: { reconciled_days: 3, drift: [] } }]);
    expect(warnings).toEqual([]);
  });

  test('I8: a larger difference is a P2 drift with both figures, and no failure', async () => {
    const connector = with_(
      createAdsSource(createWorld({ a: adDays })),
      told({ ...right, '2026-11-19': '100.2' }),
    );
    const { results, warnings } = await run(connector);
    expect(results).toMatchObject([
      {
        status: 'succeeded',
        metadata: { drift: [{ day: '2026-11-19', measure: 'spend', ours: '100', theirs: '100.2' }] },
      },
    ]);
    expect(warnings).toEqual([containing('spend of 2026-11-19: 100 here, 100.2 there')]);
    expect(await errors()).toMatchObject([{ error_type: 'drift', severity: 'P2' }]);
  });

  test('a day that the vendor leaves out has a total of 0', async () => {
    const { results } = await run(
      with_(createAdsSource(createWorld({ a: adDays })), told({ '2026-11-18': '100', '2026-11-19': '100' })),
    );
    expect(results[0]?.metadata['drift']).toEqual([
      { day: '2026-11-20', measure: 'spend', ours: '100', theirs: '0' },
    ]);
  });

  test('what can not be compared is told, and the rows stay', async () => {
    const connector = with_(createAdsSource(createWorld({ a: adDays })), {
      totals: {
        measures: ['spend'],
        read: () => Promise.reject(new PipelineError({ type: 'upstream', message: 'totals are down' })),
      },
    });
    const { results, warnings } = await run(connector);
    expect(results).toMatchObject([{ status: 'succeeded', rows_inserted: 4 }]);
    expect(warnings[0]).toContain('could not be compared');
    expect(warnings).toHaveLength(1);
    expect(await errors()).toMatchObject([{ severity: 'P2' }]);
  });

  test('a pause asked for by the totals pauses the account', async () => {
    const connector = with_(createAdsSource(createWorld({ a: adDays })), {
      totals: {
        measures: ['spend'],
        read: () =>
          Promise.reject(new AccountPausedError({ message: 'wait', until: '2026-11-21T12:00:00Z' })),
      },
    });
    expect((await run(connector)).results).toMatchObject([{ status: 'paused' }]);
  });
});

describe('changed fields', () => {
  const shape = {
    fieldsOf: (record: unknown) => Object.keys(record as object),
    known: ['name', 'raw'],
    always: ['ad', 'day', 'spend'],
  };

  test('are counted and told once, and once more when they are as before', async () => {
    const records = { a: adDays.map((record) => ({ ...record, reels: '1' })) as unknown as AdDay[] };
    const source = () => with_(createAdsSource(createWorld(records)), { shape });
    const first = await run(source());
    expect(first.results[0]?.metadata['shape']).toEqual({ unknown: { reels: 4 }, missing: {} });
    expect(first.warnings).toEqual([containing('new fields: reels (4 records)')]);
    expect((await run(source())).warnings).toEqual([]);
    records.a = adDays;
    expect((await run(source())).warnings).toEqual([containing('their known fields again')]);
    expect((await run(source())).warnings).toEqual([]);
  });

  test('in a backfill they are no change: older days have what they had', async () => {
    const records = [ad('2026-10-01', '1'), ...adDays.map((record) => ({ ...record, reels: '1' }))];
    const source = with_(createAdsSource(createWorld({ a: records })), { shape });
    expect((await run(source)).warnings).toEqual([containing('new fields: reels (4 records)')]);
    const work = { kind: 'backfill', window: { from: '2026-10-01', to: '2026-10-02' } } as const;
    expect(await run(source, { work })).toMatchObject({ warnings: [], results: [{ rows_inserted: 1 }] });
    expect((await run(source)).warnings).toEqual([]);
  });

  test('a field that is missing is told too', async () => {
    const records: Record<string, object[]> = { a: adDays.map(({ ad: id, day }) => ({ ad: id, day })) };
    const { warnings, results } = await run(
      with_(createAdsSource(createWorld<AdDay>(records as Record<string, AdDay[]>)), { shape }),
    );
    expect(results).toMatchObject([{ status: 'failed', error: { error_type: 'rejects' } }]);
    expect(warnings).toContainEqual(containing('fields that are missing: spend (2 records)'));
  });
});

describe('days read with other settings than those in force', () => {
  const EARLIER = { from: '2026-11-18', to: '2026-11-22' };
  const source = (counts: string, hooks: Partial<AnyStream> = {}) =>
    with_(createAdsSource(createWorld({ a: adDays })), {
      settings: () => ({ ADS_COUNT: counts }),
      ...hooks,
    });
  /** Reads the four days until they are final, counting purchases. */
  const readEarlier = async () => {
    await run(source('purchase'));
    await run(source('purchase'), { now: '2026-11-25T09:00:00Z' });
  };
  const later = { now: '2026-11-26T09:00:00Z' };
  const backfill = (from: string, to: string) =>
    ({ ...later, work: { kind: 'backfill', window: { from, to } } }) as const;

  test('are told in one warning, with the command that reads them again, in every run until it was given', async () => {
    await readEarlier();
    const { results, warnings } = await run(source('lead'), later);
    expect(results).toMatchObject([{ status: 'succeeded' }]);
    expect(warnings).toEqual([
      containing(
        '4 days of insights (2026-11-18 to 2026-11-21) were read with ADS_COUNT=purchase; in force is ADS_COUNT=lead, so that figures differ between them and other days although nothing happened. Read them again with `floyo backfill --source meta --account a --from 2026-11-18 --to 2026-11-21`, or set ADS_COUNT=purchase back',
      ),
    ]);
    expect(
      await session.db
        .selectFrom('ops.errors')
        .select(['error_type', 'severity', 'account_id', 'message'])
        .execute(),
    ).toEqual([
      {
        error_type: 'config',
        severity: 'P2',
        account_id: 'a',
        message: containing('`floyo backfill --source meta --account a --from 2026-11-18 --to 2026-11-21`'),
      },
    ]);
    expect((await run(source('lead'), later)).warnings).toHaveLength(1);
    expect((await run(source('lead'), backfill('2026-11-18', '2026-11-21'))).warnings).toEqual([
      containing('One day of insights (2026-11-21) was read with ADS_COUNT=purchase'),
    ]);
    expect((await run(source('lead'), backfill('2026-11-21', '2026-11-22'))).warnings).toEqual([]);
    expect((await run(source('lead'), later)).warnings).toEqual([]);
  });

  test('are those that a run elsewhere was the last to read; the others were read again by the next one', async () => {
    await readEarlier();
    expect((await run(source('lead'), { now: '2026-11-25T10:00:00Z' })).warnings).toHaveLength(1);
    expect((await run(source('purchase'), { now: '2026-11-25T11:00:00Z' })).warnings).toEqual([]);
    await run(source('lead'), later);
    expect((await run(source('purchase'), later)).warnings).toEqual([
      containing(
        'One day of insights (2026-11-22) was read with ADS_COUNT=lead; in force is ADS_COUNT=purchase',
      ),
    ]);
  });

  test('do not count when they remember none, and one more setting tells nothing of days before it', async () => {
    await readEarlier();
    const both = { settings: () => ({ ADS_COUNT: 'purchase', ADS_VALUE: 'total' }) };
    expect((await run(source('', both), later)).warnings).toEqual([]);
    await sql`update ops.coverage set settings = null where day < '2026-11-20'`.execute(session.db);
    expect((await run(source('lead'), later)).warnings).toEqual([containing('(2026-11-20 to 2026-11-22)')]);
  });

  test('name the latest of several settings and how many there are', async () => {
    await readEarlier();
    await run(source('cart'), { ...backfill('2026-11-19', '2026-11-20'), now: '2026-11-25T10:00:00Z' });
    const { warnings } = await run(source('lead'), later);
    expect(warnings).toEqual([
      containing(
        '(2026-11-18 to 2026-11-21) were read with 2 other settings, the latest ADS_COUNT=cart; in force is ADS_COUNT=lead',
      ),
    ]);
  });

  test('are not asked for where the vendor no longer tells them', async () => {
    await readEarlier();
    const first = await run(source('lead', { earliestDay: () => '2026-11-20' }), later);
    expect(first.warnings).toEqual([containing('--from 2026-11-20 --to 2026-11-21`')]);
    expect(await session.db.selectFrom('ops.errors').select('advice').execute()).toEqual([
      { advice: containing("Before 2026-11-20 are 2 that can't be read again: meta no longer tells them") },
    ]);
    const { warnings } = await run(source('lead', { earliestDay: () => '2026-11-22' }), later);
    expect(warnings).toEqual([]);
  });

  test('stay when only their changes were read', async () => {
    const order = {
      id: '1',
      processed_at: '2026-11-20T01:00:00Z',
      updated_at: '2026-11-20T02:00:00Z',
      lines: [],
    };
    const shop = (counts: string) =>
      with_(createOrdersSource(createWorld({ a: [order] })), { settings: () => ({ SHOP_COUNT: counts }) });
    await run(shop('gross'));
    const { warnings } = await run(shop('net'), { now: '2026-11-21T10:00:00Z' });
    expect(warnings).toEqual([containing('4 days of orders (2026-11-18 to 2026-11-21) were read')]);
  });

  test('are read again by the command that had read some of them before the change', async () => {
    const world = createWorld<AdDay>({ a: adDays }, { onPage: failOn('2026-11-18') });
    const work = { kind: 'backfill', window: EARLIER } as const;
    const counting = (counts: string) =>
      with_(createAdsSource(world), { settings: () => ({ ADS_COUNT: counts }) });
    expect((await run(counting('purchase'), { work })).results).toMatchObject([{ status: 'failed' }]);
    delete world.onPage;
    world.asked.length = 0;
    const { results, warnings } = await run(counting('lead'), { work });
    expect([results[0]?.status, warnings, world.asked.map(({ from }) => from)]).toEqual([
      'succeeded',
      [],
      ['2026-11-20', '2026-11-18'],
    ]);
  });
});

describe('the daily sweep of ids', () => {
  const order = (id: string, day: string, updated_at = `${day}T02:00:00Z`): TestOrder => ({
    id,
    processed_at: `${day}T01:00:00Z`,
    updated_at,
    lines: [{ id: `${id}-1`, gross: '10' }],
  });
  /** A shop whose list of ids and records by id come from `has`, whatever its other answers hold. */
  const swept = (
    world: Parameters<typeof createOrdersSource>[0],
    has: () => readonly TestOrder[],
    more: object = {},
  ) => {
    const asked: (readonly string[])[] = [];
    const connector = with_(createOrdersSource(world), {
      sweep: {
        days: 30,
        async *readIds() {
          await Promise.resolve();
          yield has().map(({ id, updated_at }) => ({ externalId: `shopify:${id}`, updatedAt: updated_at }));
        },
        async *readRecords(_account: unknown, ids: readonly string[]) {
          await Promise.resolve();
          asked.push(ids);
          yield has().filter(({ id }) => ids.includes(`shopify:${id}`));
        },
        ...more,
      },
    });
    return { connector, asked };
  };
  const ids = async () =>
    (await session.db.selectFrom('orders').select('external_id').orderBy('external_id').execute()).map(
      ({ external_id }) => external_id,
    );

  test('loads what was missed, reads again what is older here, and deletes what is gone, with its lines', async () => {
    const seen = [order('1', '2026-11-19'), order('2', '2026-11-19'), order('3', '2026-11-20')];
    const has = [
      order('1', '2026-11-19'),
      order('2', '2026-11-19', '2026-11-20T05:00:00Z'),
      order('4', '2026-11-20'),
    ];
    const { connector, asked } = swept(createWorld({ s: seen }), () => has);
    const { results } = await run(connector);
    expect(await ids()).toEqual(['shopify:1', 'shopify:2', 'shopify:4']);
    expect(asked.flat().sort()).toEqual(['shopify:2', 'shopify:3', 'shopify:4']);
    expect(results[0]?.metadata['sweep']).toEqual({ listed: 3, read_again: 2, not_listed: 1 });
    const { rows } = await sql`select 1 from order_items where order_external_id = 'shopify:3'`.execute(
      session.db,
    );
    expect(rows).toEqual([]);
  });

  test('happens once a day', async () => {
    const has = [order('1', '2026-11-19')];
    const { connector, asked } = swept(createWorld({ s: has }), () => has);
    await run(connector);
    await run(connector, { now: '2026-11-21T20:00:00Z' });
    expect(asked).toHaveLength(1);
    await run(connector, { now: '2026-11-22T01:00:00Z' });
    expect(asked).toHaveLength(2);
  });

  test('a record that the list lacks but that still exists stays', async () => {
    const all = [order('1', '2026-11-19'), order('2', '2026-11-20')];
    const { connector } = swept(createWorld({ s: all }), () => all, {
      async *readIds() {
        await Promise.resolve();
        yield [{ externalId: 'shopify:1', updatedAt: '2026-11-19T02:00:00Z' }];
      },
    });
    await run(connector);
    expect(await ids()).toEqual(['shopify:1', 'shopify:2']);
  });

  test('I8: a list that lacks many is not believed: nothing is deleted, the stream fails', async () => {
    const many = Array.from({ length: 40 }, (_, index) => order(String(index), '2026-11-19'));
    const { connector } = swept(createWorld({ s: many }, { pageSize: 50 }), () => many.slice(0, 20));
    const { results } = await run(connector);
    expect(results).toMatchObject([
      { status: 'failed', error: { error_type: 'contract', advice: containing('backfill') } },
    ]);
    expect(await ids()).toHaveLength(40);
  });

  test('unfinished rows are read again however unchanged they look', async () => {
    const has = [order('1', '2026-11-19'), order('2', '2026-11-20')];
    const { connector, asked } = swept(createWorld({ s: has }), () => has, { unfinished: 'test' });
    await run(connector);
    expect(asked.flat().sort()).toEqual(['shopify:1', 'shopify:2']);
  });
});

test('a backfill reads the windows that the source has prepared', async () => {
  const world = createWorld({ a: adDays });
  const connector = with_(createAdsSource(world), {
    prepareBackfill: (_account, windows) => {
      expect(windows.map(({ from, to }) => `${from}..${to}`)).toEqual([
        '2026-11-19..2026-11-21',
        '2026-11-18..2026-11-19',
      ]);
      return Promise.resolve([{ from: '2026-11-18', to: '2026-11-21' }]);
    },
  });
  await run(connector, { work: { kind: 'backfill', window: { from: '2026-11-18', to: '2026-11-21' } } });
  expect(world.asked).toEqual([{ account: 'a', from: '2026-11-18', to: '2026-11-21' }]);
});
