/** The connector in the engine, on a database: what one way of reading loads, every other way finds unchanged. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { connect, type Session } from '@floyo/shared/db';
import type { AgentResult } from '@floyo/shared/ledger';
import { runSource, type Work } from '@floyo/shared/runner';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';
import { startTestRun } from '@floyo/shared/testing/test-run';

import { bulkLimits } from './bulk-desk.ts';
import { createShopify } from './index.ts';
import { type Harness, startHarness, usShop } from './testing/harness.ts';

const paging = createShopify();
const bulk = createShopify({ ...bulkLimits, threshold: 100, pollMs: 1 });

let harness: Harness;
let database: TestDatabase;
let session: Session;
beforeAll(async () => {
  harness = await startHarness();
  database = await createTestDatabase();
  session = await connect(database.url);
});
afterEach(() => {
  harness.faults.clear();
});
afterAll(async () => {
  await session.end();
  await database.drop();
  await harness.close();
});

/** One run at an instant, of the sandbox's clock as well. */
async function run(now: string, work: Work, connector = paging): Promise<AgentResult> {
  harness.clock.set(now);
  const reporting = { timezone: 'Europe/Berlin', currency: 'EUR' };
  await using test = await startTestRun(database.url, { now, reporting, waitBudgetMs: 5_000 });
  const [result] = await runSource(test.run, connector, harness.configOf(usShop), work);
  await test.run.ledger.finish('succeeded', {});
  if (result === undefined) throw new Error('nothing ran');
  return result;
}

const unchanged = { status: 'succeeded', rows_inserted: 0, rows_updated: 0, rows_deleted: 0 };
const span = { from: '2026-09-23', to: '2026-11-22' };
const backfill: Work = { kind: 'backfill', window: span };

it('scheduled runs over days end in what a backfill finds: late attribution, deletions, edits included', async () => {
  const first = await run('2026-11-21T09:00:00Z', { kind: 'scheduled' });
  expect(first).toMatchObject({ status: 'succeeded', rows_rejected: 0 });
  expect(first.rows_inserted).toBeGreaterThan(1_000);
  expect(await run('2026-11-21T09:00:00Z', { kind: 'scheduled' })).toMatchObject(unchanged);
  const waiting = await session.db
    .selectFrom('orders')
    .select('external_id')
    .where('attribution_ready', '=', false)
    .execute();
  expect(waiting.length).toBeGreaterThan(0);

  await run('2026-11-23T09:00:00Z', { kind: 'scheduled' });
  const last = await run('2026-11-27T09:00:00Z', { kind: 'scheduled' });
  expect(last).toMatchObject({ status: 'succeeded', rows_rejected: 0 });
  expect(last.metadata).toMatchObject({ drift: [] });
  const attributed = await session.db
    .selectFrom('orders')
    .select('external_id')
    .where(
      'external_id',
      'in',
      waiting.map((row) => row.external_id),
    )
    .where('attribution_ready', '=', true)
    .execute();
  const kept = await session.db
    .selectFrom('orders')
    .select('external_id')
    .where(
      'external_id',
      'in',
      waiting.map((row) => row.external_id),
    )
    .execute();
  expect(attributed).toHaveLength(kept.length);
  // Ours are gone as Shopify's are; the days before what the sweep reaches are left to backfills.
  const reach = { from: '2026-10-01', to: '2026-11-22' };
  expect(await run('2026-11-27T09:00:00Z', { kind: 'backfill', window: reach })).toMatchObject(unchanged);
});

/** What paging loads without a fault; once for the tests that compare with it. */
let baseline: Promise<AgentResult> | undefined;
const later = '2026-11-28T09:00:00Z';

it('a backfill in bulk finds what paging loaded unchanged', async () => {
  await (baseline ??= run(later, backfill));
  const calls = harness.log.entries.filter((entry) => entry.path.includes('/bulk/')).length;
  expect(await run(later, backfill, bulk)).toMatchObject({ ...unchanged, rows_rejected: 0 });
  expect(harness.log.entries.filter((entry) => entry.path.includes('/bulk/')).length - calls).toBe(3);
});

it.each([
  ['paging', paging],
  ['bulk operations', bulk],
])(
  'a backfill by %s through every fault at once ends in what a faultless one loaded',
  async (_name, connector) => {
    await (baseline ??= run(later, backfill));
    for (const [kind, probability, value] of [
      ['throttle', 0.05, { waitMs: 5 }],
      ['server_error', 0.03, undefined],
      ['reset', 0.02, undefined],
      ['not_json', 0.02, undefined],
      ['truncated', 0.03, undefined],
      ['too_large', 0.1, { above: 25 }],
      ['small_pages', 0.2, { size: 20 }],
      ['report_failed', 0.3, { status: 'FAILED', errorCode: 'TIMEOUT' }],
      ['report_completed_early', 0.2, undefined],
      ['report_skipped', 0.3, { keep: 1 }],
      ['report_not_found', 0.05, undefined],
    ] as const)
      harness.faults.add({ vendor: 'shopify', kind, probability, value });
    const result = await run(later, backfill, connector);
    expect(result).toMatchObject({ ...unchanged, rows_rejected: 0 });
    expect(result.retries).toBeGreaterThan(0);
  },
);
