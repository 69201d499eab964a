import { describe, expect, test } from 'vitest';

import type { AnyConnector, AnyStream } from './connector.ts';
import type { Session } from './db.ts';
import { PipelineError, WindowTooLargeError } from './errors.ts';
import type { TestDatabase } from './testing/database.ts';
import { containing } from './testing/matchers.ts';
import { runTestSource } from './testing/test-run.ts';
import { type AdDay, createAdsSource, createWorld, type TestVendorWorld } from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { type DayWindow, listDays } from './window.ts';

let database: TestDatabase;
let session: Session;
useDatabase(
  ['spend', 'ops.runs', 'ops.coverage', 'ops.errors', 'ops.agent_state', 'ops.rejected_records'],
  (opened) => ({ database, session } = opened),
);

const DAYS = listDays({ from: '2026-11-18', to: '2026-11-22' });
const ads = (): AdDay[] => DAYS.map((day) => ({ ad: '1', day, spend: '100' }));
const all = Object.fromEntries(DAYS.map((day) => [day, '100']));

/** The totals that `tell` gives of the spend, and the windows that were asked for. */
function totalsOf(tell: () => Readonly<Record<string, string>>) {
  const asked: DayWindow[] = [];
  const totals: AnyStream['totals'] = {
    measures: ['spend'],
    read: (_account, window) => {
      asked.push(window);
      return Promise.resolve(new Map(Object.entries(tell()).map(([day, spend]) => [day, { spend }])));
    },
  };
  return { asked, totals };
}

/** Today is the last of four days; windows have two. */
const sourceOf = (world: TestVendorWorld<AdDay>, hooks: Partial<AnyStream> = {}): AnyConnector => {
  const source = createAdsSource(world);
  return { ...source, streams: source.streams.map((stream) => ({ ...stream, ...hooks })) };
};

async function run(
  connector: AnyConnector,
  options: Partial<Parameters<typeof runTestSource>[2]> = {},
): Promise<{ result: Awaited<ReturnType<typeof runTestSource>>[number] | undefined; warnings: string[] }> {
  const warnings: string[] = [];
  const [result] = await runTestSource(database.url, connector, {
    now: '2026-11-21T09:00:00Z',
    warn: (text) => warnings.push(text),
    ...options,
  });
  return { result, warnings };
}

const storedDays = async () =>
  (await session.db.selectFrom('spend').select('date').orderBy('date').execute()).map(({ date }) => date);

/** Everything that says what has been read. */
const ledger = async () => ({
  coverage: await session.db.selectFrom('ops.coverage').selectAll().orderBy('day').execute(),
  state: await session.db.selectFrom('ops.agent_state').selectAll().orderBy('key').execute(),
});

describe('I8: no rows for a window of which rows are stored, from a vendor that tells totals', () => {
  test('I8: fail the window when the totals say otherwise; rows and cursor stay, the next run reads it again', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    const { totals } = totalsOf(() => all);
    await run(sourceOf(world, { totals }));
    const before = await ledger();
    world.records['a'] = [];
    expect((await run(sourceOf(world, { totals }))).result).toMatchObject({
      status: 'failed',
      rows_deleted: 0,
      error: {
        error_type: 'truncated',
        severity: 'P1',
        message:
          'meta a gave no rows of insights for 2026-11-20..2026-11-21, but its own totals say of 2026-11-20: spend 100. 2 stored rows were kept',
        advice: containing('next run reads these days again'),
      },
    });
    const told = await session.db.selectFrom('ops.errors').select(['severity', 'retryable']).execute();
    expect(told).toEqual([{ severity: 'P1', retryable: true }]);
    expect(await storedDays()).toEqual(DAYS);
    expect(await ledger()).toEqual(before);
    world.records['a'] = ads();
    expect((await run(sourceOf(world, { totals }))).result).toMatchObject({
      status: 'succeeded',
      rows_unchanged: 4,
    });
  });

  test('I8: a total of today, which is still growing, is enough', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    const { totals } = totalsOf(() => ({ '2026-11-20': '0.00', '2026-11-21': '0.01' }));
    await run(sourceOf(world, { totals }));
    world.records['a'] = [];
    const { result } = await run(sourceOf(world, { totals }));
    expect(result?.error?.message).toContain('of 2026-11-21: spend 0.01');
    expect(await storedDays()).toEqual(DAYS);
  });

  test('I8: a day that is listed without a figure is no zero', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    const totals = { measures: ['spend'], read: () => Promise.resolve(new Map([['2026-11-21', {}]])) };
    await run(sourceOf(world, { totals }));
    world.records['a'] = [];
    const { result } = await run(sourceOf(world, { totals }));
    expect(result?.error?.message).toContain('of 2026-11-21: spend unknown');
    expect(await storedDays()).toEqual(DAYS);
  });

  test.each([
    ['nothing', {}],
    ['zeros', Object.fromEntries(DAYS.map((day) => [day, '0.00']))],
  ])('are believed when the totals are %s', async (_name, told) => {
    const world = createWorld<AdDay>({ a: ads() });
    await run(sourceOf(world));
    world.records['a'] = [];
    const { result, warnings } = await run(sourceOf(world, { totals: totalsOf(() => told).totals }));
    expect(result).toMatchObject({ status: 'succeeded', rows_deleted: 4, metadata: { drift: [] } });
    expect(warnings).toEqual([]);
    expect(await storedDays()).toEqual([]);
  });

  test('I8: fail the window when the totals can not be read', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    await run(sourceOf(world));
    world.records['a'] = [];
    const read = () => Promise.reject(new PipelineError({ type: 'upstream', message: 'totals are down' }));
    const { result } = await run(sourceOf(world, { totals: { measures: ['spend'], read } }));
    expect(result).toMatchObject({ status: 'failed', error: { message: 'totals are down' } });
    expect(await storedDays()).toEqual(DAYS);
  });

  test('ask for the totals of fewer days when they are too many', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    await run(sourceOf(world));
    world.records['a'] = [];
    const read = (_account: unknown, { from, to }: DayWindow) =>
      listDays({ from, to }).length > 1
        ? Promise.reject(new WindowTooLargeError({ message: 'Ask for less' }))
        : Promise.resolve(new Map());
    await run(sourceOf(world, { totals: { measures: ['spend'], read } }));
    expect(await storedDays()).toEqual([]);
  });

  test('in a backfill the other windows are read, and the same command goes on', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    const { totals } = totalsOf(() => all);
    await run(sourceOf(world, { totals }));
    const work = { kind: 'backfill', window: { from: '2026-11-18', to: '2026-11-22' } } as const;
    world.records['a'] = ads().slice(0, 2);
    const failed = await run(sourceOf(world, { totals }), { work });
    expect(failed.result).toMatchObject({ status: 'failed', rows_unchanged: 2, rows_deleted: 0 });
    world.records['a'] = ads();
    const { asked } = world;
    asked.length = 0;
    expect((await run(sourceOf(world, { totals }), { work })).result).toMatchObject({ status: 'succeeded' });
    expect(asked).toEqual([{ account: 'a', from: '2026-11-20', to: '2026-11-22' }]);
  });
});

describe('no rows for such a window, from a vendor without totals', () => {
  test('are asked for again, and believed with a warning when they are none again', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    await run(sourceOf(world));
    world.records['a'] = ads().slice(0, 2);
    const { result, warnings } = await run(sourceOf(world));
    expect(result).toMatchObject({ status: 'succeeded', rows_deleted: 2 });
    expect(warnings).toEqual([
      containing('gave no rows of insights for 2026-11-20..2026-11-21, twice: 2 stored rows were removed'),
    ]);
    expect(await storedDays()).toEqual(DAYS.slice(0, 2));
    const told = await session.db.selectFrom('ops.errors').select(['error_type', 'severity']).execute();
    expect(told).toEqual([{ error_type: 'drift', severity: 'P2' }]);
  });

  test('I8: the rows of the second reading are loaded when there are some', async () => {
    const world = createWorld<AdDay>({ a: ads() });
    await run(sourceOf(world));
    world.records['a'] = [];
    world.onPage = ({ last }) => {
      if (last) world.records['a'] = [...ads().slice(0, 3), { ad: '1', day: '2026-11-21', spend: '120' }];
    };
    const { result, warnings } = await run(sourceOf(world));
    expect(result).toMatchObject({
      status: 'succeeded',
      rows_deleted: 0,
      rows_updated: 1,
      rows_unchanged: 3,
    });
    expect(warnings).toEqual([]);
  });
});

test('windows that bring records or had none are read once, and their totals not before', async () => {
  const world = createWorld<AdDay>({ a: ads().slice(1) });
  const { totals, asked } = totalsOf(() => ({}));
  await run(sourceOf(world, { totals }));
  // One day alone is no window: what vanished of it goes, as the ads of a window do.
  world.records['a'] = ads().slice(3);
  await run(sourceOf(world, { totals }), {
    work: { kind: 'backfill', window: { from: '2026-11-20', to: '2026-11-22' } },
  });
  expect(await storedDays()).toEqual(['2026-11-19', '2026-11-21']);
  await run(sourceOf(world), {
    work: { kind: 'backfill', window: { from: '2026-10-01', to: '2026-10-03' } },
  });
  expect(world.asked.map(({ from }) => from)).toEqual([
    '2026-11-20',
    '2026-11-18',
    '2026-11-20',
    '2026-10-01',
  ]);
  // Today is never part of the comparison that follows.
  expect(asked.map(({ to }) => to)).not.toContain('2026-11-22');
});
