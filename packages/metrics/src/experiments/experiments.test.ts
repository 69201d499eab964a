/** Experiments from events to verdicts: who counts, when a winner may be named, and how often chance is taken for an effect. */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { listDays } from '@floyo/shared/window';

import type { MetricsOptions } from '../run.ts';
import { createRandom } from '../testing/random.ts';
import { createWorld, POSTHOG, type World } from '../testing/world.ts';
import { countDays, type Plan, type UserGroup } from './counts.ts';
import { createExperiment, type ExperimentInput, planExperiment, stopExperiment } from './define.ts';
import { type Arm, judge } from './verdict.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.months('2026-01-01', '2026-04-30');
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.clear();
  await world.query('truncate experiments, experiment_results, ops.experiment_states');
});

const noon = (date: string) => Temporal.Instant.from(`${date}T12:00:00Z`);
const run = (date = '2026-03-10', options: Partial<MetricsOptions> = {}) =>
  world.run({ accounts: [POSTHOG], now: noon(date), ...options });
const INPUT: ExperimentInput = {
  key: 'button',
  hypothesis: 'A green button is seen sooner, so more people upgrade',
  variants: 'control=50,green=50',
  conversion: 'upgrade',
  owner: 'ann',
  exposure: 'experiment_exposed',
  window: '2',
  plannedN: undefined,
  end: '2026-02-10',
  start: '2026-02-01',
};
const create = (input: Partial<ExperimentInput> = {}) =>
  createExperiment(world.db, { ...INPUT, ...input }, { now: noon('2026-02-01'), timezone: 'UTC' });
const expose = (user: string | null, date: string, variant: string, time = '10:00:00', more = {}) =>
  world.event(
    'experiment_exposed',
    date,
    { experiment: 'button', variant, ...more },
    { user_id: user, occurred_at: `${date}T${time}Z` },
  );
const upgrade = (user: string, date: string, first = '10:00:00', last = first) =>
  world.did(user, 'upgrade', date, { first_at: `${date}T${first}Z`, last_at: `${date}T${last}Z` });
const result = async (date: string, variant = 'green') =>
  world.db
    .selectFrom('experiment_results')
    .selectAll()
    .where('date', '=', date)
    .where('variant', '=', variant)
    .executeTakeFirst();
const counts = async (date: string, variant = 'green') => {
  const row = await result(date, variant);
  return row && [row.users, row.conversions, row.excluded_users];
};
/** Many users at once: so many exposed on a day, so many of them converted the day after. */
async function crowd(variant: string, date: string, users: number, conversions: number) {
  await sql`
    insert into events (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
    select ${`posthog:${variant}`} || n || ${date}, ${date}::date, 'posthog', 'experiment_exposed', ${variant} || n, ${variant} || n,
      ${date}::timestamptz, jsonb_build_object('experiment', 'button', 'variant', ${variant}::text)
    from generate_series(1, ${users}::int) n`.execute(world.db);
  await sql`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select ${`posthog:${variant}`} || n || ':upgrade', ${date}::date + 1, 'posthog', ${variant} || n, ${variant} || n, 'upgrade', 1,
      ${date}::date + 1, ${date}::date + 1
    from generate_series(1, ${conversions}::int) n`.execute(world.db);
}

test('who counts: identified users once, by what they saw first, with conversions after it and within the window', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create();
  await expose('before', '2026-01-31', 'green');
  await expose('after', '2026-02-11', 'green');
  await expose(null, '2026-02-03', 'green');
  await expose('other', '2026-02-03', 'green', '10:00:00', { experiment: 'another' });
  await expose('unknown', '2026-02-03', 'purple');
  // Ann sees it twice and converts on the last day of the window of the first time.
  await expose('ann', '2026-02-03', 'green');
  await expose('ann', '2026-02-05', 'green');
  await upgrade('ann', '2026-02-05');
  // Bob converts on the third day, Cid before on the same day, Dee before and after.
  await expose('bob', '2026-02-03', 'green');
  await upgrade('bob', '2026-02-06');
  await expose('cid', '2026-02-03', 'green');
  await upgrade('cid', '2026-02-03', '08:00:00', '09:59:59');
  await expose('dee', '2026-02-03', 'green');
  await upgrade('dee', '2026-02-03', '08:00:00', '10:00:01');
  // Eve converts and then sees the other variant: she counts until that day.
  await expose('eve', '2026-02-04', 'green');
  await upgrade('eve', '2026-02-04', '11:00:00');
  await expose('eve', '2026-02-06', 'control');
  await expose('fay', '2026-02-04', 'control');
  await run();
  expect(await counts('2026-02-02')).toEqual([0, 0, 0]);
  expect(await counts('2026-02-03')).toEqual([4, 1, 0]);
  expect(await counts('2026-02-04')).toEqual([5, 2, 0]);
  expect(await counts('2026-02-05')).toEqual([5, 3, 0]);
  expect(await counts('2026-02-06')).toEqual([4, 2, 1]);
  expect(await counts('2026-02-12')).toEqual([4, 2, 1]);
  expect(await counts('2026-02-12', 'control')).toEqual([1, 0, 1]);
  // The last window is over on the 12th.
  expect(await counts('2026-02-13')).toBeUndefined();
  expect(await result('2026-02-06')).toMatchObject({
    external_id: 'button[variant=green]',
    rate: 0.5,
    p_value: null,
  });
});

test('a winner is named at the planned end, when the last window is over, and not a day before', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create();
  await crowd('control', '2026-02-02', 4000, 200);
  await crowd('green', '2026-02-02', 4000, 250);
  await run('2026-02-12');
  const status = async (date: string) => {
    const row = await result(date);
    return row && [row.status, row.is_closed, row.winner];
  };
  expect(await status('2026-02-09')).toEqual(['running', false, null]);
  expect(await status('2026-02-10')).toEqual(['running', true, null]);
  // Today is not over.
  expect(await status('2026-02-12')).toEqual(['running', true, null]);
  await run('2026-02-13');
  expect(await status('2026-02-12')).toEqual(['finished', true, 'green']);
  expect(await status('2026-02-11')).toEqual(['running', true, null]);
  const row = await result('2026-02-12');
  expect(row?.z).toBeCloseTo(2.4262, 4);
  expect(row?.p_value).toBeCloseTo(0.01526, 5);
  expect(row?.difference).toBeCloseTo(0.0125, 12);
  expect(row?.srm_p_value).toBe(1);
  // Nothing more to do, until an event of those days arrives late.
  expect(await run('2026-02-20')).toMatchObject({ experiments: 0 });
  await world.did('control 999', 'page_viewed', '2026-02-18');
  expect(await run('2026-02-20')).toMatchObject({ experiments: 0 });
  await upgrade('control3999', '2026-02-03');
  expect(await run('2026-02-20')).toMatchObject({ experiments: 1 });
  expect(await counts('2026-02-12', 'control')).toEqual([4000, 201, 0]);
});

test('while days are missing nothing is finished; the planned number of users ends it as the planned day does', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create({ plannedN: '8000', end: '2026-03-30' });
  await crowd('control', '2026-02-02', 4000, 250);
  await crowd('green', '2026-02-02', 3999, 200);
  await run();
  expect(await result('2026-03-10')).toMatchObject({ status: 'running', is_closed: false });
  await expose('one more', '2026-02-04', 'green');
  await expose('too late', '2026-02-05', 'green');
  await world.query(`delete from ops.coverage where day = '2026-02-03'`);
  await run();
  expect(await result('2026-02-03')).toMatchObject({ is_closed: false });
  expect(await result('2026-02-06')).toMatchObject({
    status: 'running',
    is_closed: true,
    users: 4000,
    winner: null,
  });
  await world.cover([POSTHOG], '2026-02-03', '2026-02-03');
  await run();
  expect(await result('2026-02-06')).toMatchObject({ status: 'finished', winner: 'control' });
  expect(await result('2026-02-07')).toBeUndefined();
});

test('stopped before its plan is met, it has no winner', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create();
  await crowd('control', '2026-02-02', 4000, 200);
  await crowd('green', '2026-02-02', 4000, 300);
  await stopExperiment(world.db, 'button', noon('2026-02-05'));
  await run();
  expect(await result('2026-02-04')).toMatchObject({ status: 'running' });
  expect(await result('2026-02-07')).toMatchObject({ status: 'stopped', winner: null });
  expect(await result('2026-02-08')).toBeUndefined();
  await expect(stopExperiment(world.db, 'button', noon('2026-02-06'))).rejects.toThrow(
    'was stopped on 2026-02-05',
  );
  await expect(stopExperiment(world.db, 'buton', noon('2026-02-06'))).rejects.toThrow('there are button');
});

test('feature flags of PostHog expose too; off is no variant', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create({ exposure: '$feature_flag_called' });
  const flag = (user: string, value: unknown) =>
    world.event(
      '$feature_flag_called',
      '2026-02-03',
      { $feature_flag: 'button', $feature_flag_response: value },
      { user_id: user },
    );
  await flag('ann', 'green');
  await flag('bob', false);
  await flag('cid', null);
  await run();
  expect(await counts('2026-02-03')).toEqual([1, 0, 0]);
});

test('users who did not come in the planned ratio make it invalid', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create();
  await crowd('control', '2026-02-02', 1000, 50);
  await crowd('green', '2026-02-02', 1200, 150);
  await run();
  expect(await result('2026-02-03')).toMatchObject({ status: 'invalid_srm', winner: null });
  expect(await result('2026-02-12')).toMatchObject({ status: 'invalid_srm', winner: null });
});

test('more than two variants: Holm, the best of those that are better, and the control when all are worse', () => {
  const arm = (variant: string, conversions: number): Arm => ({
    variant,
    weight: 1,
    users: 4000,
    conversions,
  });
  const three = judge([arm('control', 200), arm('b', 250), arm('c', 248)], 'finished');
  expect(three.arms.map(({ p_value }) => p_value?.toFixed(5))).toEqual([undefined, '0.01526', '0.01959']);
  expect(three.arms[1]?.p_adjusted).toBeCloseTo(2 * 0.01526, 4);
  expect(three.arms[2]?.p_adjusted).toBeCloseTo(2 * 0.01526, 4);
  expect(three.winner).toBe('b');
  // Alone either would have won.
  expect(judge([arm('control', 200), arm('b', 245), arm('c', 205)], 'finished').winner).toBeNull();
  expect(judge([arm('control', 200), arm('b', 245)], 'finished').winner).toBe('b');
  expect(judge([arm('control', 300), arm('b', 200), arm('c', 210)], 'finished').winner).toBe('control');
  expect(judge([arm('control', 300), arm('b', 200), arm('c', 310)], 'finished').winner).toBeNull();
});

test('a plan is refused with all that is wrong with it at once', async () => {
  const planned = planExperiment(
    {
      key: 'Button!',
      hypothesis: ' ',
      variants: 'a=1,a=0,b c',
      conversion: 'experiment_exposed',
      owner: undefined,
      exposure: 'experiment_exposed',
      window: '1.5',
      plannedN: '1',
      end: '2026-02-30',
      start: '2026-02-01',
    },
    { now: noon('2026-02-01'), timezone: 'UTC' },
  );
  expect('problems' in planned && planned.problems.map(({ variable }) => variable)).toEqual([
    'key',
    '--hypothesis',
    '--owner',
    '--conversion',
    '--variants',
    '--variants',
    '--variants',
    '--window',
    '--planned-n',
    '--end',
  ]);
  await expect(create({ end: undefined })).rejects.toThrow('--end must be given');
  await create();
  await expect(create({ owner: '' })).rejects.toThrow(/is taken.*--owner/s);
  for (const variants of [
    '[{"name": "a", "weight": 1}]',
    '["a", "b"]',
    '[{"name": "a", "weight": 1}, {"name": "b", "weight": 0}]',
  ])
    await expect(world.query(`update experiments set variants = '${variants}'`)).rejects.toThrow(
      'experiments_variants_check',
    );
});

test('days are those of the reporting zone, the 23 hours in spring included', async () => {
  const reporting = { timezone: 'Europe/Berlin', currency: 'USD' };
  await world.query(`update ops.settings set reporting_timezone = 'Europe/Berlin'`);
  try {
    await world.cover([POSTHOG], '2026-03-20', '2026-04-05');
    // The day of 23 hours is 29 March: from 23:00 the evening before in UTC to 22:00.
    await createExperiment(
      world.db,
      { ...INPUT, start: '2026-03-29', end: '2026-03-29', window: '1' },
      { now: noon('2026-03-20'), timezone: 'Europe/Berlin' },
    );
    const see = (user: string, at: string, date: string) =>
      world.event(
        'experiment_exposed',
        date,
        { experiment: 'button', variant: 'green' },
        { user_id: user, occurred_at: at },
      );
    await see('early', '2026-03-28T22:59:59Z', '2026-03-28');
    await see('first', '2026-03-28T23:00:00Z', '2026-03-29');
    await see('last', '2026-03-29T21:59:59Z', '2026-03-29');
    await see('late', '2026-03-29T22:00:00Z', '2026-03-30');
    await world.did('first', 'upgrade', '2026-03-30', { first_at: '2026-03-30T21:59:00Z' });
    await world.did('last', 'upgrade', '2026-03-31', { first_at: '2026-03-30T22:00:00Z' });
    // In Berlin it is the 31st already, so the window is over.
    const now = Temporal.Instant.from('2026-03-30T22:30:00Z');
    await world.run({ accounts: [POSTHOG], now, reporting });
    expect(await result('2026-03-30')).toMatchObject({ users: 2, conversions: 1, status: 'finished' });
  } finally {
    await world.query(`update ops.settings set reporting_timezone = 'UTC'`);
  }
});

test('results are for analysts to read, and for nobody but the service to write', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  await create();
  await expose('ann', '2026-02-03', 'green');
  await run();
  const asUser = (role: string, work: string) =>
    world.db.transaction().execute(async (trx) => {
      await sql`select set_config('request.jwt.claims', ${JSON.stringify({ app_metadata: { floyo_role: role } })}, true)`.execute(
        trx,
      );
      await sql`set local role authenticated`.execute(trx);
      return (await sql.raw(work).execute(trx)).rows.length;
    });
  expect(await asUser('analyst', 'select * from experiment_results')).toBeGreaterThan(0);
  expect(await asUser('', 'select * from experiment_results')).toBe(0);
  for (const table of ['experiments', 'experiment_results'])
    await expect(asUser('admin', `delete from ${table}`)).rejects.toThrow('permission denied');
});

const DAYS = listDays({ from: '2026-02-01', to: '2026-02-13' });

// Users of an experiment without any effect, a day each.
function sameForBoth(seed: number, users: number, rate: number): UserGroup[] {
  const { next } = createRandom(seed);
  return Array.from({ length: users }, (_, index): UserGroup => {
    const day = index % 10;
    return {
      variant: next(2) === 0 ? 'control' : 'green',
      first_day: DAYS[day] ?? '',
      second_day: next(200) === 0 ? (DAYS[day + 1] ?? '') : null,
      conversion_day: next(10_000) < rate * 10_000 ? (DAYS[day + next(3)] ?? '') : null,
      users: 1,
    };
  });
}

test('A/A: of 2,000 experiments without an effect 3 to 7 % have a winner at the planned end, and none before', () => {
  const plan: Plan = {
    firstDay: '2026-02-01',
    windowDays: 2,
    plannedN: null,
    plannedEnd: '2026-02-10',
    stoppedDay: null,
  };
  let winners = 0;
  let early = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const { days } = countDays(sameForBoth(seed * 7919, 500, 0.2), plan, {
      today: '2026-03-01',
      isWhole: () => true,
    });
    const judged = [days.at(-1), days[seed % (days.length - 1)]].map((counts) => {
      const of = (variant: string): Arm => ({
        variant,
        weight: 1,
        ...(counts?.arms.get(variant) ?? { users: 0, conversions: 0 }),
      });
      return judge([of('control'), of('green')], counts?.phase ?? 'running');
    });
    if (judged[0]?.winner != null) winners++;
    if (judged[1]?.winner != null) early++;
  }
  expect(winners / 2000).toBeGreaterThan(0.03);
  expect(winners / 2000).toBeLessThan(0.07);
  expect(early).toBe(0);
});

test('A/A through the database: what the events give is what the same users give when counted by hand', async () => {
  await world.cover([POSTHOG], '2026-02-01', '2026-03-10');
  const input = { end: '2026-02-10', window: '2' };
  for (const seed of [1, 2, 3]) {
    const key = `same-${seed}`;
    await create({ key, ...input });
    const groups = sameForBoth(seed, 120, 0.3);
    const users = groups.map((group, index) => ({ ...group, user: `${key}-${index}` }));
    await sql`
      insert into events (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
      select 'posthog:' || u."user" || x.day, x.day, 'posthog', 'experiment_exposed', u."user", u."user", x.day + interval '9 hours',
        jsonb_build_object('experiment', ${key}::text, 'variant', x.variant)
      from jsonb_to_recordset(${JSON.stringify(users)}::jsonb) as u ("user" text, variant text, first_day date, second_day date)
      cross join lateral (values (u.first_day, u.variant),
        (u.second_day, case u.variant when 'control' then 'green' else 'control' end)) as x (day, variant)
      where x.day is not null`.execute(world.db);
    await sql`
      insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
      select 'posthog:' || u."user" || ':upgrade', u.conversion_day, 'posthog', u."user", u."user", 'upgrade', 1,
        u.conversion_day + interval '10 hours', u.conversion_day + interval '10 hours'
      from jsonb_to_recordset(${JSON.stringify(users)}::jsonb) as u ("user" text, conversion_day date)
      where u.conversion_day is not null`.execute(world.db);
    await run();
    const counted = groups.filter(({ second_day }) => second_day === null || second_day > '2026-02-10');
    for (const variant of ['control', 'green']) {
      const own = counted.filter((group) => group.variant === variant);
      const { rows } = await sql<{ users: number; conversions: number }>`
        select users, conversions from experiment_results
        where experiment = ${key} and variant = ${variant} and date = '2026-02-12'`.execute(world.db);
      expect(rows[0]).toEqual({
        users: own.length,
        conversions: own.filter(({ conversion_day }) => conversion_day !== null).length,
      });
    }
  }
});
