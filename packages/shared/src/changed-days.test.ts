/** Streams whose vendor tells what it has of each day: which days are read, and what that leaves. */
import { sql } from 'kysely';
import { expect, test } from 'vitest';

import type { AnyConnector, DayFigures } from './connector.ts';
import type { Session } from './db.ts';
import { WindowTooLargeError } from './errors.ts';
import type { TestDatabase } from './testing/database.ts';
import { runTestSource } from './testing/test-run.ts';
import { type AdDay, createAdsSource, createWorld, type TestVendorWorld } from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';
import { countDays, type DayWindow, listDays } from './window.ts';

const NOW = '2026-11-21T09:00:00Z';
const LATER = '2026-11-21T10:00:00Z';
const DAYS = listDays({ from: '2026-11-18', to: '2026-11-22' });

let database: TestDatabase;
let session: Session;
useDatabase(
  ['spend', 'ops.runs', 'ops.coverage', 'ops.source_days', 'ops.errors', 'ops.agent_state'],
  (opened) => ({ database, session } = opened),
);

/** Ads of four days whose vendor tells the number of records and their spend of each. */
function createSource(
  world: TestVendorWorld<AdDay>,
  maxDays = Infinity,
): { source: AnyConnector; told: DayWindow[] } {
  const told: DayWindow[] = [];
  const source = createAdsSource(world);
  const figures = {
    read: (account: { id: string }, window: DayWindow) => {
      told.push(window);
      if (countDays(window) > maxDays)
        return Promise.reject(new WindowTooLargeError({ message: 'too many days', advice: '' }));
      const days = new Map<string, DayFigures>();
      for (const record of world.records[account.id] ?? []) {
        if (record === null || typeof record !== 'object' || !('ad' in record)) continue;
        const { ad, day, spend } = record as AdDay;
        if (day >= window.from && day < window.to) days.set(day, { ...days.get(day), [ad]: [1, spend] });
      }
      return Promise.resolve(days);
    },
  };
  return { source: { ...source, streams: source.streams.map((stream) => ({ ...stream, figures })) }, told };
}

const world = () => createWorld<AdDay>({ a: DAYS.map((day) => ({ ad: '1', day, spend: '10' })) });
const run = (source: AnyConnector, now = NOW) => runTestSource(database.url, source, { now });
const daysAsked = (of: TestVendorWorld<AdDay>) =>
  of.asked.flatMap(({ from, to }) => listDays({ from, to })).sort();

test('I1: days of which the vendor says the same are not read again, and are covered anew', async () => {
  const vendor = world();
  const { source, told } = createSource(vendor);
  expect(await run(source)).toMatchObject([
    { rows_inserted: 4, metadata: { compared_days: 4, changed_days: 4 } },
  ]);
  const before = vendor.asked.length;
  expect(await run(source, LATER)).toMatchObject([
    {
      status: 'succeeded',
      rows_read: 0,
      window_from: '2026-11-18',
      metadata: { compared_days: 4, changed_days: 0 },
    },
  ]);
  expect(vendor.asked).toHaveLength(before);
  expect(told).toEqual([
    { from: '2026-11-18', to: '2026-11-22' },
    { from: '2026-11-18', to: '2026-11-22' },
  ]);
  const { rows } = await sql<{ read_at: string }>`select distinct read_at from ops.coverage`.execute(
    session.db,
  );
  expect(rows).toEqual([{ read_at: LATER }]);
});

test('I3: a day that changed, appeared or vanished is read, whole and alone', async () => {
  const vendor = world();
  const { source } = createSource(vendor);
  await run(source);
  vendor.asked.length = 0;
  vendor.records['a'] = [
    { ad: '1', day: '2026-11-18', spend: '10' },
    { ad: '1', day: '2026-11-20', spend: '12' },
    { ad: '2', day: '2026-11-20', spend: '1' },
    { ad: '1', day: '2026-11-21', spend: '10' },
  ];
  expect(await run(source)).toMatchObject([
    { rows_inserted: 1, rows_updated: 1, rows_deleted: 1, metadata: { changed_days: 2 } },
  ]);
  expect(daysAsked(vendor)).toEqual(['2026-11-19', '2026-11-20']);
});

test('rows that are missing here are found, though the vendor says nothing new', async () => {
  const vendor = world();
  const { source } = createSource(vendor);
  await run(source);
  vendor.asked.length = 0;
  await sql`delete from spend where date = '2026-11-19'`.execute(session.db);
  expect(await run(source)).toMatchObject([{ rows_inserted: 1, metadata: { changed_days: 1 } }]);
  expect(daysAsked(vendor)).toEqual(['2026-11-19']);
});

test('I2: broken off, what was told is kept with the rows that are in, and the rest is read next time', async () => {
  const vendor = world();
  const { source } = createSource(vendor);
  vendor.onPage = ({ window }) => {
    if (window.from === '2026-11-18') throw new Error('the connection broke');
  };
  expect(await run(source)).toMatchObject([{ status: 'failed', rows_inserted: 2 }]);
  delete vendor.onPage;
  vendor.asked.length = 0;
  expect(await run(source)).toMatchObject([
    { status: 'succeeded', rows_inserted: 2, metadata: { changed_days: 2 } },
  ]);
  expect(daysAsked(vendor)).toEqual(['2026-11-18', '2026-11-19']);
});

test('the question is halved when it is too much, and what comes in between makes the next run look again', async () => {
  const vendor = world();
  const { source, told } = createSource(vendor, 1);
  vendor.onPage = ({ window, last }) => {
    if (last && window.to === '2026-11-22')
      vendor.records['a']?.push({ ad: '9', day: '2026-11-21', spend: '1' });
  };
  await run(source);
  expect(told.map(countDays).filter((days) => days === 1)).toHaveLength(4);
  delete vendor.onPage;
  expect(await run(source)).toMatchObject([{ rows_inserted: 1, metadata: { changed_days: 1 } }]);
});
