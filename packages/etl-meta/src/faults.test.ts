/** Through the runner into Postgres: every fault at once ends in the tables of a faultless run, and what is lost shows. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import type { Fault } from '@floyo/sandbox/core';
import { connect, type Session } from '@floyo/shared/db';
import type { AgentResult } from '@floyo/shared/ledger';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';
import { containing } from '@floyo/shared/testing/matchers';
import { runTestSource } from '@floyo/shared/testing/test-run';

import { openAccount } from './account.ts';
import { meta } from './index.ts';
import { countCalls, EUROPE, FAST, NOW, sandboxConfig, TOKYO, US } from './testing/harness.ts';

let sandbox: Sandbox;
let database: TestDatabase;
let other: TestDatabase;
beforeAll(async () => {
  [sandbox, database, other] = await Promise.all([
    startSandbox({ now: NOW }),
    createTestDatabase(),
    createTestDatabase(),
  ]);
});
afterAll(() => Promise.all([sandbox.close(), database.drop(), other.drop()]));
afterEach(() => {
  sandbox.faults.clear();
  sandbox.log.clear();
});

/** A backfill of all accounts, or of one. */
function backfill(url: string, days: string, account?: string): Promise<AgentResult[]> {
  const config = sandboxConfig(sandbox);
  const [from = '', to = ''] = days.split(' ');
  return runTestSource(
    url,
    {
      ...meta,
      accounts: () => config.accountIds,
      open: (_config, accountId, io) => openAccount(config, accountId, io, FAST),
    },
    {
      ...{ now: NOW, waitBudgetMs: 60_000, kind: 'backfill' },
      work: {
        kind: 'backfill',
        window: { from, to },
        ...(account === undefined ? {} : { accountId: account }),
      },
    },
  );
}

async function read<T>(url: string, query: (db: Session['db']) => Promise<T>): Promise<T> {
  const session = await connect(url, { applicationName: 'etl-meta test' });
  try {
    return await query(session.db);
  } finally {
    await session.end();
  }
}

/** Every row of spend, without when and by which run it was loaded. */
function readSpend(url: string) {
  return read(url, async (db) => {
    const rows = await db.selectFrom('spend').selectAll().orderBy('external_id').orderBy('date').execute();
    return rows.map((row) => ({ ...row, synced_at: null, run_id: null }));
  });
}

const FAULTS: readonly Omit<Fault, 'vendor'>[] = [
  { kind: 'server_error', probability: 0.04 },
  { kind: 'not_json', probability: 0.03 },
  { kind: 'reset', probability: 0.03 },
  { kind: 'truncated', probability: 0.03 },
  { kind: 'usage', probability: 0.2, value: { account: 90, app: 80 } },
  // The first answers take too long, then windows are too long, and no day with many ads fits in a call or a report.
  { kind: 'error', path: `act_${US}/insights`, times: 3, value: { code: 100, subcode: 1504018 } },
  { kind: 'too_large', probability: 0.3, value: { maxDays: 5 } },
  { kind: 'too_large', times: -1, value: { maxAds: 10, reports: true } },
  { kind: 'report_not_found', probability: 0.1 },
  { kind: 'report_running_100', probability: 0.1 },
  { kind: 'report_completed_early', probability: 0.1 },
  { kind: 'report_not_ready', probability: 0.1 },
  { kind: 'report_summary_bug', probability: 0.1 },
  { kind: 'report_skipped', probability: 0.1 },
  { kind: 'report_failed', probability: 0.1 },
  { kind: 'report_expired', probability: 0.05 },
];

test('three accounts through all faults at once end in the same rows, and these add up to the totals', async () => {
  const calm = await backfill(database.url, '2026-10-20 2026-11-20');
  const calmReports = countCalls(sandbox, 'POST', '/insights');
  sandbox.log.clear();
  for (const fault of FAULTS) sandbox.faults.add({ vendor: 'meta', ...fault });
  const stormy = await backfill(other.url, '2026-10-20 2026-11-20');
  // How many there are depends on which call meets which fault.
  expect(countCalls(sandbox, 'POST', '/insights')).toBeGreaterThan(calmReports + 25);
  const outcome = (results: readonly AgentResult[]) =>
    results.map(({ account_id: account, status, rows_inserted: inserted, metadata }) => {
      return { account, status, inserted, drift: metadata['drift'] };
    });
  // Totals that stay out of reach leave days uncompared, with a warning, and fail nothing: all days are compared in the calm alone.
  expect(outcome(stormy)).toEqual(outcome(calm));
  expect(calm).toMatchObject(
    [US, EUROPE, TOKYO].map((account) => ({
      account_id: account,
      status: 'succeeded',
      metadata: { drift: [], reconciled_days: 31 },
    })),
  );
  const rows = await readSpend(database.url);
  expect(rows.length).toBeGreaterThan(1_000);
  expect(await readSpend(other.url)).toEqual(rows);
});

test('a page that is cut off without a sign shows as a drift from the totals', async () => {
  sandbox.faults.add({
    ...{ vendor: 'meta', kind: 'truncated', path: `GET /meta/v26.0/act_${EUROPE}/insights` },
    value: { mode: 'rows' },
  });
  const [result] = await backfill(other.url, '2026-11-10 2026-11-14', EUROPE);
  expect(result).toMatchObject({ status: 'succeeded', metadata: { reconciled_days: 4 } });
  const told = await read(other.url, (db) =>
    db.selectFrom('ops.errors').select(['severity', 'message']).where('error_type', '=', 'drift').execute(),
  );
  expect(told).toEqual([{ severity: 'P2', message: containing(`meta ${EUROPE}`) }]);
  // The next reading heals it.
  await backfill(other.url, '2026-11-10 2026-11-14', EUROPE);
  expect(await readSpend(other.url)).toEqual(await readSpend(database.url));
});

test('an empty list in place of the ads fails the window and keeps what is stored', async () => {
  const before = await readSpend(other.url);
  const stored = before.filter(
    ({ account_id: account, date }) => account === US && date >= '2026-11-12' && date < '2026-11-15',
  );
  sandbox.faults.add({ vendor: 'meta', kind: 'no_rows', account: US });
  const [result] = await backfill(other.url, '2026-11-12 2026-11-15', US);
  expect(result).toMatchObject({
    status: 'failed',
    rows_deleted: 0,
    error: { error_type: 'truncated', message: containing(`${stored.length} stored rows were kept`) },
  });
  expect(await readSpend(other.url)).toEqual(before);
  const again = await backfill(other.url, '2026-11-12 2026-11-15', US);
  expect(again).toMatchObject([{ status: 'succeeded', rows_unchanged: stored.length }]);
});

test('a field that Meta gives in no way fails the day and keeps what is stored', async () => {
  const before = await readSpend(other.url);
  const row = before.find(({ account_id: account, date }) => account === US && date === '2026-11-12');
  const heavy = { ad: row?.ad_id, field: 'actions', maxFields: 0 };
  sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { heavy, reports: true } });
  const [result] = await backfill(other.url, '2026-11-12 2026-11-13', US);
  expect(result).toMatchObject({
    status: 'failed',
    error: { error_type: 'truncated', message: containing('the field actions of ad') },
  });
  expect(await readSpend(other.url)).toEqual(before);
});

test('an old backfill fails with the earliest day, and nothing is read', async () => {
  const [result] = await backfill(other.url, '2023-01-01 2023-02-01', US);
  expect(result).toMatchObject({
    status: 'failed',
    error: { error_type: 'config', advice: containing('--from 2023-10-26') },
  });
  expect(countCalls(sandbox, 'GET', '/insights')).toBe(0);
});
