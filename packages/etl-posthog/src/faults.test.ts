/** What goes wrong at PostHog: limits, timeouts, cuts, spoilt answers. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { createTestIo } from '@floyo/shared/testing/vendor';

import { createPostHogClient } from './client.ts';
import { examine } from './examine.ts';
import { type Bench, type BenchRun, BERLIN, NOW, sandboxConfig, startBench } from './testing/harness.ts';

let bench: Bench;
/** Three days, by backfill: every one of them is read. */
const DAYS: BenchRun = {
  kind: 'backfill',
  work: { kind: 'backfill', window: { from: '2026-11-10', to: '2026-11-13' } },
};
let whole: string;

beforeAll(async () => {
  bench = await startBench({ posthog: { signups: 3, pageviews: 1 } });
  bench.sandbox.posthog.send(
    Array.from({ length: 700 }, (_, index) => ({
      event: index % 7 === 0 ? 'upgrade' : 'signup',
      distinct_id: `tied_${index % 350}`,
      timestamp: '2026-11-11T10:00:00.000007Z',
      // Each uuid twice: what comes after the edge of a page has to be told from what came before it.
      uuid: `bbbbbbbb-0000-4000-8000-${String(index % 300).padStart(12, '0')}`,
    })),
  );
  await bench.run(DAYS);
  whole = await bench.digest();
});
afterAll(() => bench[Symbol.asyncDispose]());
afterEach(async () => {
  bench.sandbox.faults.clear();
  // A backfill that failed would go on with the next test's: each is to read all of its days.
  await sql`update ops.runs set unfinished_backfill = null`.execute(bench.session.db);
});

const again = (options: BenchRun = {}) => bench.run({ ...DAYS, ...options });
const errorsOf = (results: Awaited<ReturnType<typeof again>>) =>
  results.map(({ error }) => error?.error_type ?? null);

const tooLarge = (path: string, value: object) =>
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'too_large', times: -1, path, value });

it('what is too much is halved: days, parts of a day, people; nothing is lost', async () => {
  const { asked } = bench.sandbox.posthog;
  asked.length = 0;
  await sql`truncate events, event_user_days, ops.coverage, ops.source_days`.execute(bench.session.db);
  tooLarge('events pull', { maxHours: 5 });
  tooLarge('user days pull', { maxGroups: 150, status: 513 });
  tooLarge('reconcile', { maxHours: 48 });
  const results = await again();
  expect(results.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  expect(await bench.digest()).toBe(whole);
  const parts = new Set(asked.map(({ values }) => values['parts']));
  expect(parts, 'the day with 700 in an instant').toContain(4);
});

it('pages end in the middle of an instant, and nothing is lost', async () => {
  await sql`delete from events where date = '2026-11-11'`.execute(bench.session.db);
  tooLarge('events pull', { maxRows: 400 });
  const { asked } = bench.sandbox.posthog;
  asked.length = 0;
  const window = { from: '2026-11-11', to: '2026-11-12' };
  expect(await again({ work: { kind: 'backfill', window } })).toMatchObject([
    { status: 'succeeded', metadata: { drift: [] } },
    { status: 'succeeded' },
  ]);
  expect(await bench.digest()).toBe(whole);
  expect(asked.filter(({ rows }) => rows === 312).length, 'full pages').toBeGreaterThan(1);
});

it('not even half an hour, however few the rows: it fails, and nothing is written', async () => {
  tooLarge('events pull', { maxHours: 0.5 });
  expect(errorsOf(await again())).toEqual(['truncated', null]);
  expect(await bench.digest()).toBe(whole);
});

it.each([504, 513])('HTTP %d for any size fails as truncated, and nothing is written', async (status) => {
  bench.sandbox.faults.add({
    vendor: 'posthog',
    kind: 'too_large',
    times: -1,
    path: 'pull',
    value: { status },
  });
  expect(errorsOf(await again())).toEqual(['truncated', 'truncated']);
  expect(await bench.digest()).toBe(whole);
});

it('I6: throttling is waited for, what passes is tried again', async () => {
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'throttle', times: 2, value: { seconds: 0 } });
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'server_error', times: 2 });
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'cached_answer', times: 1 });
  const results = await again({ waitBudgetMs: 5_000 });
  expect(results.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  expect(results.reduce((sum, { retries }) => sum + retries, 0)).toBe(3);
  expect(await bench.digest()).toBe(whole);
});

it('I6: throttled beyond the budget, the account is paused', async () => {
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'throttle', times: 1, value: { seconds: 600 } });
  const results = await again({ waitBudgetMs: 1_000 });
  expect(results.map(({ status }) => status)).toEqual(['paused', 'paused']);
  await sql`delete from ops.agent_state where key = 'paused_until'`.execute(bench.session.db);
});

it.each([
  ['wrong_token', 'auth'],
  ['missing_scope', 'permission'],
  ['cached_answer', 'upstream'],
  ['truncated', 'truncated'],
] as const)('I8: %s is never taken for a whole answer', async (kind, type) => {
  bench.sandbox.faults.add({ vendor: 'posthog', kind, times: -1 });
  const results = await again();
  expect(errorsOf(results)).toEqual([type, type]);
  expect(results.every(({ error }) => error?.advice)).toBe(true);
  bench.sandbox.faults.clear();
  await again();
  expect(await bench.digest()).toBe(whole);
});

it('I8: rows out of order, a missing column and a day that is not ours are refused', async () => {
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'page_order', times: -1, path: 'pull' });
  expect(errorsOf(await again())).toEqual(['contract', 'contract']);
  bench.sandbox.faults.clear();
  bench.sandbox.faults.add({
    vendor: 'posthog',
    kind: 'invalid_record',
    times: -1,
    path: 'pull',
    value: { set: { day: '2026-11-09' } },
  });
  expect(errorsOf(await again())).toEqual(['contract', 'contract']);
  const client = createPostHogClient(sandboxConfig(bench.sandbox));
  const query = {
    name: 'test',
    sql: 'SELECT now() AS here',
    values: {},
    columns: ['here', 'there'],
    limit: 1,
  };
  await expect(client.query(createTestIo({ now: NOW }), query)).rejects.toThrow('lacks the columns there');
});

it('I7: a bad record is set aside and the rest loaded; many fail the window', async () => {
  const spoil = (rows: number) =>
    bench.sandbox.faults.add({
      vendor: 'posthog',
      kind: 'invalid_record',
      times: 1,
      path: 'events pull',
      value: { set: { distinct_id: '' }, rows },
    });
  spoil(3);
  const [events] = await again();
  expect(events).toMatchObject({ status: 'succeeded', rows_rejected: 3, rows_deleted: 0 });
  const { rows } = await sql<{ reasons: string[]; payload: object }>`
    select reasons, payload from ops.rejected_records where resolved_at is null`.execute(bench.session.db);
  expect(rows).toHaveLength(3);
  expect(rows[0]?.reasons).toEqual(['distinct_id: is empty']);
  expect(JSON.stringify(rows)).not.toContain('203.0.113');
  spoil(200);
  expect(errorsOf(await again())).toEqual(['rejects', null]);
  await again();
  expect(await bench.digest()).toBe(whole);
});

it('stores what Postgres can not hold without what it can not hold', async () => {
  bench.sandbox.posthog.send([
    {
      event: 'suggestion_shown',
      distinct_id: 'nul\0l',
      timestamp: '2026-11-12T09:00:00Z',
      properties: { suggestion_id: 'a\0b\ud800', plan: { deep: ['\0'] }, campaign: 7, is_bot: true },
    },
  ]);
  expect((await again()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
  const { rows } = await sql`select distinct_id, properties from events where distinct_id = 'null'`.execute(
    bench.session.db,
  );
  expect(rows).toEqual([
    {
      distinct_id: 'null',
      properties: { suggestion_id: 'ab\ufffd', plan: { deep: [''] }, campaign: 7, is_bot: true },
    },
  ]);
});

it('makes at most two queries at once, whoever asks', async () => {
  const config = sandboxConfig(bench.sandbox);
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'latency', times: -1, value: { ms: 15 } });
  const io = createTestIo({ now: NOW });
  const ask = () =>
    createPostHogClient(config).query(io, {
      name: 'test',
      sql: 'SELECT now() AS now',
      values: {},
      columns: ['now'],
      limit: 1,
    });
  await Promise.all(Array.from({ length: 7 }, ask));
  expect(bench.sandbox.posthog.mostAtOnce).toBe(2);
});

it('doctor: access, clock, calendar and events', async () => {
  const io = { ...createTestIo({ now: NOW }), reporting: BERLIN };
  const config = sandboxConfig(bench.sandbox);
  const levels = async (of: typeof config, with_ = io) =>
    (await examine(of, '52073', with_)).map(({ check, level }) => `${check} ${level}`);
  const good = { ...config, rawEvents: ['signup', 'suggestion_*'] };
  expect(await levels(good)).toEqual(['access ok', 'clock ok', 'time zone ok', 'events ok']);
  expect(await levels({ ...good, rawEvents: ['signup', 'sign_up'] })).toContain('events warning');
  expect(
    await levels(good, { ...io, ...createTestIo({ now: '2026-11-20T13:00:00Z' }), reporting: BERLIN }),
  ).toContain('clock warning');
  bench.sandbox.faults.add({ vendor: 'posthog', kind: 'missing_scope', times: -1 });
  expect(await levels(good)).toEqual(['access error']);
});
