import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';

import type { Settings } from './connector.ts';
import { findOtherDays, listCoverage, listOpenDays, writeCoverage } from './coverage.ts';
import type { Session } from './db.ts';
import { useDatabase } from './testing/use-database.ts';

let session: Session;
useDatabase([], (opened) => ({ session } = opened));

const FIRST = '00000000-0000-0000-0000-000000000001';
const SECOND = '00000000-0000-0000-0000-000000000002';

const cover = (
  stream: string,
  readAt: string,
  runId: string,
  options: { to?: string; timezone?: string; settings?: Settings } = {},
) =>
  session.db.transaction().execute((trx) =>
    writeCoverage(
      trx,
      { source: 'meta', accountId: '1', stream },
      {
        window: { from: '2026-10-24', to: options.to ?? '2026-10-26' },
        readAt,
        timezone: options.timezone ?? 'Europe/Berlin',
        restatementDays: 1,
        runId,
        settings: options.settings,
      },
    ),
  );

async function list(stream: string) {
  const { rows } = await sql`
    select day, read_at as "readAt", run_id as "runId", read_at >= final_at as final from ops.coverage
    where source = 'meta' and account_id = '1' and stream = ${stream} order by day`.execute(session.db);
  return rows as { day: string; readAt: string; runId: string; final: boolean }[];
}

test('a day is final when it was read after its last restatement, by the clock of its own calendar', async () => {
  // In Berlin the 25th has 25 hours; the 24th is restated until the 26th begins at 23:00 UTC.
  await cover('a', '2026-10-25T22:59:59Z', FIRST);
  expect((await list('a')).map(({ day, final }) => [day, final])).toEqual([
    ['2026-10-24', false],
    ['2026-10-25', false],
  ]);
  await cover('a', '2026-10-25T23:00:00Z', FIRST);
  expect((await list('a')).map(({ final }) => final)).toEqual([true, false]);
});

test('a later reading replaces an earlier one and never the other way round', async () => {
  await cover('b', '2026-11-02T00:00:00Z', FIRST, { to: '2026-10-25' });
  await cover('b', '2026-11-01T00:00:00Z', SECOND, { to: '2026-10-25' });
  expect(await list('b')).toEqual([
    { day: '2026-10-24', readAt: '2026-11-02T00:00:00Z', runId: FIRST, final: true },
  ]);
  await cover('b', '2026-11-03T00:00:00Z', SECOND, { to: '2026-10-25' });
  expect(await list('b')).toMatchObject([{ readAt: '2026-11-03T00:00:00Z', runId: SECOND }]);
});

test('streams have their own days', async () => {
  await cover('c', '2026-11-02T00:00:00Z', FIRST);
  expect(await list('d')).toEqual([]);
});

describe('open days', () => {
  const open = (stream: string, from: string, to: string) =>
    listOpenDays(session.db, { source: 'meta', accountId: '1', stream }, { from, to });

  test('are those never read, and those read before they were final, wherever they lie', async () => {
    expect(await open('e', '2026-10-23', '2026-10-25')).toEqual({
      missing: ['2026-10-23', '2026-10-24'],
      notFinal: [],
    });
    // The 24th is final then, the 25th not yet.
    await cover('e', '2026-10-25T23:00:00Z', FIRST);
    expect(await open('e', '2026-10-23', '2026-10-28')).toEqual({
      missing: ['2026-10-23', '2026-10-26', '2026-10-27'],
      notFinal: ['2026-10-25'],
    });
    expect(await open('e', '2026-10-27', '2026-10-28')).toEqual({
      missing: ['2026-10-27'],
      notFinal: ['2026-10-25'],
    });
    await cover('e', '2026-10-26T23:00:00Z', SECOND);
    expect(await open('e', '2026-10-24', '2026-10-26')).toEqual({ missing: [], notFinal: [] });
  });

  test('do not fill the gap between days read long ago and the first run, and end with the window', async () => {
    await cover('f', '2026-11-30T00:00:00Z', FIRST);
    expect((await open('f', '2026-11-01', '2026-11-03')).missing).toEqual(['2026-11-01', '2026-11-02']);
    await cover('g', '2026-10-24T00:00:00Z', FIRST);
    expect(await open('g', '2026-10-24', '2026-10-25')).toEqual({ missing: [], notFinal: ['2026-10-24'] });
  });
});

describe('settings', () => {
  const key = (stream: string) => ({ source: 'meta', accountId: '1', stream });
  const A = { COUNTS: 'a' };
  const B = { COUNTS: 'b' };

  test('stay with a day that is covered without being read, and change with its next reading', async () => {
    await cover('h', '2026-11-02T00:00:00Z', FIRST, { settings: A });
    await cover('h', '2026-11-03T00:00:00Z', SECOND);
    expect(await findOtherDays(session.db, key('h'), B, undefined)).toEqual({
      ...{ days: 2, from: '2026-10-24', to: '2026-10-25', forgotten: 0, settings: A, kinds: 1 },
    });
    await cover('h', '2026-11-04T00:00:00Z', SECOND, { settings: B });
    expect(await findOtherDays(session.db, key('h'), B, undefined)).toBeUndefined();
    await cover('h', '2026-11-03T00:00:00Z', SECOND, { settings: A });
    expect(await findOtherDays(session.db, key('h'), B, undefined)).toBeUndefined();
  });

  test('other ones make a reading no longer count as a run of the same backfill', async () => {
    await cover('i', '2026-11-02T00:00:00Z', FIRST, { to: '2026-10-25', settings: A });
    const window = { from: '2026-10-24', to: '2026-10-25' };
    const runOf = async (settings?: Settings) =>
      (await listCoverage(session.db, key('i'), window, settings)).map(({ runId }) => runId);
    expect([await runOf(A), await runOf(), await runOf(B)]).toEqual([[FIRST], [FIRST], [null]]);
    await cover('j', '2026-11-02T00:00:00Z', FIRST, { to: '2026-10-25' });
    expect(await listCoverage(session.db, key('j'), window, A)).toEqual([{ day: window.from, runId: FIRST }]);
  });
});
