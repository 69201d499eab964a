/** Old months of events leave their tables when a run ends, and go on command alone. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { createTestDatabase } from '@floyo/shared/testing/database';

import { floyo, floyoJson, query } from './floyo.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  env = { DATABASE_URL: database.url, FLOYO_NOW: '2026-11-21T12:00:00Z', FLOYO_EVENTS_RETENTION_MONTHS: '3' };
  await query(database.url, ({ db }) =>
    sql`select ops.ensure_event_partitions('2026-07-01', '2026-11-30')`.execute(db),
  );
});

afterAll(() => database.drop());

interface Listed {
  readonly retired: { readonly partition: string }[];
}

const list = async () =>
  (await floyoJson<Listed>(['retention', 'list'], env)).document.retired.map(({ partition }) => partition);

it('months before the last three leave; they are shown first, and dropped with --yes', async () => {
  const run = await floyoJson(['metrics'], env);
  expect(run.code, run.stderr).toBe(0);
  const shown = await floyo(['retention', 'drop'], env);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/event_user_days_2026_07[\s\S]*events_2026_07/);
  expect(shown.stdout).not.toContain('2026_08');
  expect(shown.stdout).toContain('Nothing was dropped');
  expect((await floyo(['retention', 'drop', 'events_2026_08', '--yes'], env)).code).toBe(2);
  expect((await floyo(['retention', 'drop', 'events_2026_07', '--yes'], env)).code).toBe(0);
  expect(await list()).toEqual(['event_user_days_2026_07']);
});
