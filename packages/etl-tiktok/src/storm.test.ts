/** The connector under the runner and on a database: whatever goes wrong, what is stored is the same. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { FaultKind } from '@floyo/sandbox/core';
import { connect } from '@floyo/shared/db';
import type { AgentResult } from '@floyo/shared/ledger';
import { runSource, type Work } from '@floyo/shared/runner';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';
import { containing } from '@floyo/shared/testing/matchers';
import { startTestRun } from '@floyo/shared/testing/test-run';

import { tiktok } from './index.ts';
import { type Bench, NOW, startBench, TOKYO, US } from './testing/bench.ts';

const BACKFILL = { kind: 'backfill', window: { from: '2026-09-20', to: '2026-11-22' } } as const;

let bench: Bench;
const databases: TestDatabase[] = [];
beforeAll(async () => {
  bench = await startBench();
});
afterEach(() => bench.sandbox.faults.clear());
afterAll(async () => {
  await bench.sandbox.close();
  await Promise.all(databases.map((database) => database.drop()));
});

async function run(work: Work): Promise<{ readonly results: AgentResult[]; readonly rows: unknown[] }> {
  const database = await createTestDatabase();
  databases.push(database);
  await using held = await startTestRun(database.url, { now: NOW, kind: 'backfill', waitBudgetMs: 10_000 });
  const results = await runSource(held.run, tiktok, bench.createConfig(), work);
  const session = await connect(database.url);
  const { rows } = await sql`select to_jsonb(s) - 'synced_at' - 'run_id' as row from spend s
    order by external_id, date`.execute(session.db);
  await session.end();
  return { results, rows };
}

const addFault = (kind: FaultKind, fault: object = {}) =>
  bench.sandbox.faults.add({ vendor: 'tiktok', kind, times: -1, ...fault });

test('a backfill through every fault at once ends as one without', async () => {
  const faultless = await run(BACKFILL);
  expect(faultless.results.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  expect(faultless.rows.length).toBeGreaterThan(1_000);

  addFault('small_pages', { value: { size: 60 } });
  addFault('page_drift', { probability: 0.1 });
  addFault('page_drift', { probability: 0.1, value: { mode: 'shifted' } });
  addFault('too_large', { account: US, path: '/integrated/', value: { maxDays: 9 } });
  addFault('truncated', { account: TOKYO, value: { keep: 8 } });
  addFault('error', { path: '/task/create/', probability: 0.3, value: { code: 40118 } });
  addFault('error', { path: '/task/check/', probability: 0.2, value: { code: 40201 } });
  addFault('report_task', { times: 1, value: { status: 'FAILED' } });
  addFault('report_task', { times: 1, value: { link: true, expiredLinks: 1 } });
  addFault('report_task', { times: 1, value: { translated: true, pending: 1 } });
  for (const kind of ['server_error', 'not_json', 'reset'] as const) addFault(kind, { probability: 0.02 });
  addFault('throttle', { times: 1, value: { code: 40133 } });
  addFault('error', { times: 1, path: '/integrated/', value: { code: 20001 } });
  const stormy = await run(BACKFILL);
  expect(stormy.results.map(({ status, metadata }) => [status, metadata])).toEqual(
    faultless.results.map(({ status, metadata }) => [status, metadata]),
  );
  expect(stormy.rows).toEqual(faultless.rows);
}, 60_000);

test('spend that a report leaves out is told with both figures', async () => {
  addFault('truncated');
  addFault('ignored_filter', { path: '/task/' });
  const { results } = await run({ ...BACKFILL, accountId: US });
  expect(JSON.stringify(results[0]?.metadata)).toContain('"measure":"spend"');
});

test('an app that is shut out for the day calls nothing more, for none of its advertisers', async () => {
  addFault('throttle', { times: 1, value: { per: 'day' } });
  const { results } = await run({ kind: 'scheduled' });
  expect(results.map(({ status, api_calls }) => ({ status, api_calls }))).toEqual([
    { status: 'paused', api_calls: 1 },
    { status: 'paused', api_calls: 0 },
  ]);
  expect(results[1]).toMatchObject({ error: { message: containing('2026-11-22T00:00:00') } });
});
