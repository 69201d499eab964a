/** Experiments on the command line: planned with all problems told at once, read by people, stopped. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { connect, type Session } from '@floyo/shared/db';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

import { floyo, floyoJson } from './floyo.ts';

let database: TestDatabase;
let session: Session;
let env: Record<string, string>;

beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  env = { DATABASE_URL: database.url, FLOYO_NOW: '2026-03-10T12:00:00Z' };
  await sql`select ops.ensure_event_partitions('2026-03-01', '2026-03-31')`.execute(session.db);
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select 'posthog', '9', 'events', d, now(), d + interval '1 day'
    from generate_series('2026-03-01'::timestamp, '2026-03-10', '1 day') d`.execute(session.db);
});

afterAll(async () => {
  await session.end();
  await database.drop();
});

const plan = (key: string, ...more: string[]) => [
  'experiments',
  'create',
  key,
  '--hypothesis',
  'Seen sooner, used more',
  '--variants',
  'control=50,green=50',
  '--conversion',
  'upgrade',
  '--owner',
  'ann',
  '--window',
  '1',
  '--start',
  '2026-03-01',
  ...more,
];

/** Users of each variant see it, and so many of them convert. */
async function happen(
  key: string,
  variants: Readonly<Record<string, readonly [users: number, conversions: number]>>,
): Promise<void> {
  for (const [variant, [users, conversions]] of Object.entries(variants)) {
    const name = `${key}-${variant}-`;
    await sql`
      insert into events (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
      select 'posthog:' || ${name} || n, '2026-03-02', 'posthog', 'experiment_exposed', ${name} || n, ${name} || n, '2026-03-02T10:00:00Z',
        jsonb_build_object('experiment', ${key}::text, 'variant', ${variant}::text)
      from generate_series(1, ${users}::int) n`.execute(session.db);
    await sql`
      insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
      select 'posthog:' || ${name} || n || ':upgrade', '2026-03-03', 'posthog', ${name} || n, ${name} || n, 'upgrade', 1,
        '2026-03-03T10:00:00Z', '2026-03-03T10:00:00Z'
      from generate_series(1, ${conversions}::int) n`.execute(session.db);
  }
}

it('tells all problems of a plan at once and plans nothing', async () => {
  const { code, document } = await floyoJson<{ error: { problems: { variable: string }[] } }>(
    ['experiments', 'create', 'Button', '--variants', 'control', '--window', 'x'],
    env,
  );
  expect(code).toBe(2);
  expect(document.error.problems.map(({ variable }) => variable)).toEqual([
    'key',
    '--hypothesis',
    '--owner',
    '--conversion',
    '--variants',
    '--window',
    '--planned-n',
  ]);
  expect((await sql`select 1 from experiments`.execute(session.db)).rows).toEqual([]);
});

it('warns of an exposure that would never be counted', async () => {
  const posthog = { POSTHOG_PROJECT_ID: '9', POSTHOG_PERSONAL_API_KEY: 'phx_a-key-of-somebody-1234567890' };
  const { code, document } = await floyoJson<{ warnings: string[] }>(plan('kept', '--end', '2026-03-05'), {
    ...env,
    ...posthog,
  });
  expect([code, document.warnings]).toEqual([0, []]);
  const { stdout } = await floyo(plan('lost', '--end', '2026-03-05', '--exposure', 'button_seen'), {
    ...env,
    ...posthog,
    POSTHOG_PROPERTIES: 'experiment',
  });
  expect(stdout).toContain(
    '! button_seen would not be kept, and nobody counted: add it to POSTHOG_RAW_EVENTS',
  );
  expect(stdout).toContain('! variant would not be kept, and nobody counted: add it to POSTHOG_PROPERTIES');
  await sql`delete from experiments`.execute(session.db);
});

it('prints what was tested and what can be said, finished and running', async () => {
  expect(await floyo(plan('button', '--end', '2026-03-05'), env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('experiment: button and variant: control or green') as unknown,
  });
  await sql`
    insert into experiments (key, hypothesis, variants, exposure_event, experiment_property, variant_property, conversion_event,
      window_days, planned_n, owner, started_at)
    select 'price', hypothesis, variants, exposure_event, experiment_property, variant_property, conversion_event, 1, 20000, owner, started_at
    from experiments`.execute(session.db);
  await happen('button', { control: [4000, 200], green: [4000, 250] });
  await happen('price', { control: [4000, 20], green: [4000, 22] });
  await sql`analyze`.execute(session.db);
  expect(await floyo(['metrics'], env)).toMatchObject({ code: 0 });
  const { code, stdout } = await floyo(['experiments'], env);
  expect(code).toBe(0);
  expect(stdout).toContain('green    4,000      250  6.25 %');
  expect(stdout).toContain(
    'green won after 8,000 users: green is at +1.25 points against the control (95 % interval +0.24 to +2.26), +25 % in relation. Chance alone shows as much in 1.53 % of such tests.',
  );
  expect(stdout).toContain(
    '8,000 of 20,000 planned users so far; green is at +0.05 points against the control (95 % interval −0.28 to +0.38). Too early to name a winner: a look before the end takes chance for an effect. It is decided when 20,000 users are in and 1 day for the last conversions have passed.',
  );
  const { document } = await floyoJson<{
    experiments: { key: string; results: { winner: string | null }[] }[];
  }>(['experiments', 'button'], env);
  expect(document.experiments).toMatchObject([
    { key: 'button', results: [{ winner: 'green' }, { variant: 'green' }] },
  ]);
});

it('stops one, whose result then says that nothing can be concluded', async () => {
  expect(await floyo(['experiments', 'stop', 'price'], env)).toMatchObject({ code: 0 });
  await floyo(['metrics'], env);
  expect(await floyo(['experiments', 'price'], env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(
      'Stopped before its plan was met, after 8,000 users: nothing can be concluded',
    ) as unknown,
  });
});

it('says of several variants what their stored result says', async () => {
  for (const [key, weights, counts] of [
    ['rare', [50, 50, 1], { control: [1000, 100], green: [1000, 200], tiny: [20, 2] }],
    ['close', [1, 1, 1], { control: [4000, 200], a: [4000, 242], b: [4000, 200] }],
    ['worse', [50, 50, 1], { control: [1000, 200], a: [1000, 100], tiny: [20, 1] }],
    ['few', [1, 1], { control: [20, 2], a: [20, 1] }],
  ] as const) {
    const variants = Object.keys(counts).map((name, index) => ({ name, weight: weights[index] }));
    await sql`
      insert into experiments (key, hypothesis, variants, exposure_event, experiment_property, variant_property, conversion_event,
        window_days, planned_end, owner, started_at)
      select ${key}, hypothesis, ${JSON.stringify(variants)}::jsonb, exposure_event, experiment_property, variant_property,
        conversion_event, window_days, planned_end, owner, started_at
      from experiments where key = 'button'`.execute(session.db);
    await happen(key, counts);
  }
  await sql`analyze`.execute(session.db);
  await floyo(['metrics'], env);
  const { stdout } = await floyo(['experiments'], env);
  // One variant that is too small to compare takes nothing from the others.
  expect(stdout).toContain(
    'green won after 2,020 users: green is at +10.00 points against the control (95 % interval +6.89 to +13.10)',
  );
  // Holm's p-value is 0.08, the interval of a alone leaves zero out.
  expect(stdout).toContain(
    'Over, after 12,000 users, without a winner: a is at +1.05 points against the control (95 % interval +0.05 to +2.06). Zero is not in that interval, but chance alone shows as much in 7.97 % of such tests once several variants are compared: too often for a winner.',
  );
  expect(stdout).toContain(
    "Over, after 2,020 users, without a winner: a is at −10.00 points against the control (95 % interval −13.10 to −6.89). It is worse than the control; that can't be said of every other variant.",
  );
  expect(stdout).toContain('Over, after 40 users, with too few who did upgrade to compare: no winner.');
});
