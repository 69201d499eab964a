/** Product metrics: each formula by an example worked by hand, what they look back and ahead at, and what a change reaches. */
import { Temporal } from 'temporal-polyfill';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { DEFAULT_ASSUMPTIONS, readAssumptions } from './assumptions.ts';
import { explainMetric, parseMetricId } from './explain.ts';
import type { MetricsOptions } from './run.ts';
import { createWorld, META, POSTHOG, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.months('2025-12-01', '2026-04-30');
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const run = (options: Partial<MetricsOptions> = {}) => world.run({ accounts: [POSTHOG], ...options });
const noon = (date: string) => Temporal.Instant.from(`${date}T12:00:00Z`);

test('active users: each once over a day, 7 and 30 days; nobody who was not identified, nothing that a system did', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  await world.did('ann', 'page_viewed', '2026-02-01');
  await world.did('ann', 'button_clicked', '2026-02-01');
  // The same person on another device.
  await world.did('ann', 'page_viewed', '2026-02-01', { distinct_id: 'ann-phone' });
  await world.did('bob', 'page_viewed', '2026-02-03', { count: '5' });
  await world.did('ann', 'page_viewed', '2026-02-07');
  await world.did(null, 'page_viewed', '2026-02-07');
  await world.did('cid', 'email_delivered', '2026-02-07');
  await world.did('cid', '$identify', '2026-02-07');
  await run();
  expect(await world.value('events_tracked', '2026-02-01')).toBe(3);
  expect(await world.value('events_tracked', '2026-02-03')).toBe(5);
  expect(await world.value('events_tracked', '2026-02-07')).toBe(4);
  const on = async (date: string) => [
    await world.value('dau', date),
    await world.value('wau', date),
    await world.value('mau_30', date),
  ];
  expect(await on('2026-01-31')).toEqual([0, 0, 0]);
  expect(await on('2026-02-01')).toEqual([1, 1, 1]);
  expect(await on('2026-02-03')).toEqual([1, 2, 2]);
  expect(await on('2026-02-07')).toEqual([1, 2, 2]);
  // Bob's week ends on the 9th, his 30 days on 4 March; Ann's on the 13th and 8 March.
  expect(await on('2026-02-09')).toEqual([0, 2, 2]);
  expect(await on('2026-02-10')).toEqual([0, 1, 2]);
  expect(await on('2026-02-14')).toEqual([0, 0, 2]);
  expect(await on('2026-03-04')).toEqual([0, 0, 2]);
  expect(await on('2026-03-05')).toEqual([0, 0, 1]);
  expect(await on('2026-03-09')).toEqual([0, 0, 0]);
  expect(await world.metric('stickiness', '2026-02-03')).toMatchObject({ numerator: '1', denominator: '2' });
  expect(await world.value('stickiness', '2026-03-09')).toBeNull();
});

test('what looks back is incomplete where any day of the stretch was not read, the first days of all included', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10', true);
  await world.did('ann', 'page_viewed', '2026-01-02');
  await run();
  const statuses = async (metric: string, ...days: string[]) =>
    Promise.all(days.map((day) => world.status(metric, day)));
  expect(await statuses('dau', '2026-01-01', '2026-01-02')).toEqual(['final', 'final']);
  expect(await statuses('wau', '2026-01-06', '2026-01-07')).toEqual(['incomplete', 'final']);
  expect(await statuses('mau_30', '2026-01-29', '2026-01-30')).toEqual(['incomplete', 'final']);
  expect(await world.value('mau_30', '2026-01-29')).toBe(1);
  // Not before the latest of the days is settled.
  await world.query(`update ops.coverage set final_at = 'infinity' where day = '2026-02-10'`);
  await run();
  expect(await statuses('wau', '2026-02-09', '2026-02-10', '2026-02-16', '2026-02-17')).toEqual([
    'final',
    'provisional',
    'provisional',
    'final',
  ]);
  await world.query(`delete from ops.coverage where day = '2026-02-10'`);
  await run();
  expect(await statuses('wau', '2026-02-09', '2026-02-16', '2026-02-17')).toEqual([
    'final',
    'incomplete',
    'final',
  ]);
  expect(await statuses('mau_30', '2026-03-09', '2026-03-10')).toEqual(['incomplete', 'incomplete']);
  expect(await world.value('wau', '2026-02-10')).toBeNull();
});

test('signups, activation and retention: on the day of the first signup, retained on a calendar day and not by it', async () => {
  const day = '2026-01-10';
  await world.cover([POSTHOG, META], '2026-01-01', '2026-03-10');
  await world.spend({ date: day, spend: '60' });
  for (const user of ['ann', 'bob', 'cid', 'dee']) await world.did(user, 'signup', day);
  // Dee was there before; Cid signs up again.
  await world.did('dee', 'signup', '2026-01-05');
  await world.did('cid', 'signup', '2026-01-20');
  await world.did('ann', 'workflow_created', '2026-01-17');
  await world.did('bob', 'workflow_created', '2026-01-18');
  await world.did('cid', 'workflow_created', '2026-01-09');
  await world.did('ann', 'page_viewed', '2026-01-11');
  await world.did('bob', 'page_viewed', '2026-01-12');
  await world.did('bob', 'page_viewed', '2026-02-09');
  await world.did('cid', 'email_delivered', '2026-01-11');
  await run({ accounts: [POSTHOG, META] });
  expect(await world.value('signups', day)).toBe(3);
  expect(await world.value('signups', '2026-01-20')).toBe(0);
  expect(await world.value('signups', '2026-01-05')).toBe(1);
  // Ann on the 7th day; Bob on the 8th and Cid before signing up are none.
  expect(await world.metric('activation_rate_7d', day)).toMatchObject({ numerator: '1', denominator: '3' });
  expect(await world.value('retention_d1', day)).toBeCloseTo(1 / 3, 12);
  // Creating a workflow is activity too.
  expect(await world.value('retention_d7', day)).toBeCloseTo(1 / 3, 12);
  expect(await world.value('retention_d30', day)).toBeCloseTo(1 / 3, 12);
  expect(await world.value('cost_per_signup', day)).toBe(20);
  expect(await world.value('cost_per_signup', '2026-01-11')).toBeNull();
  expect(await world.metric('retention_d1', '2026-01-11')).toMatchObject({ value: null, denominator: '0' });

  await run({ now: noon('2026-02-09') });
  // The 30th day is today: not over.
  expect(await world.metric('retention_d30', day)).toMatchObject({ value: null, denominator: null });
  expect(await world.value('retention_d7', day)).toBeCloseTo(1 / 3, 12);
});

test('suggestions and messages count once, where they began; machines click nothing', async () => {
  const day = '2026-01-10';
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  const shown = (id: string, date: string) => world.event('suggestion_shown', date, { suggestion_id: id });
  const accepted = (id: string, date: string) =>
    world.event('suggestion_accepted', date, { suggestion_id: id });
  for (const id of ['a', 'b', 'c', 'd']) await shown(id, day);
  await shown('a', day);
  await shown('b', '2026-01-12');
  await accepted('a', day);
  await accepted('a', '2026-01-11');
  await accepted('b', '2026-01-13');
  await accepted('c', '2026-01-14');
  await accepted('never shown', day);
  await world.event('suggestion_shown', day, {});
  const mail = (event: string, id: string, date: string, more = {}) =>
    world.event(`email_${event}`, date, { email_id: id, ...more });
  for (const id of ['1', '2', '3', '4', '5']) await mail('sent', id, day);
  for (const id of ['1', '2', '3']) await mail('delivered', id, day);
  await mail('delivered', '4', '2026-01-14');
  await mail('clicked', '1', day);
  await mail('clicked', '1', '2026-01-11');
  await mail('clicked', '2', day, { is_bot: true });
  await mail('clicked', '3', '2026-01-18');
  await mail('clicked', '5', day);
  await run();
  expect(await world.value('suggestions_shown', day)).toBe(4);
  expect(await world.value('suggestions_shown', '2026-01-12')).toBe(0);
  expect(await world.value('suggestions_accepted', day)).toBe(2);
  expect(await world.value('suggestion_adoption_rate', day)).toBe(0.5);
  expect(await world.value('email_sent', day)).toBe(5);
  expect(await world.value('email_delivery_rate', day)).toBe(0.6);
  // Of four delivered within 7 days one was clicked by a person: 3 too late, 5 was never delivered.
  expect(await world.metric('email_click_rate', day)).toMatchObject({ numerator: '1', denominator: '4' });
  await run({ now: noon('2026-01-13') });
  expect(await world.value('suggestions_shown', day)).toBe(4);
  expect(await world.value('suggestions_accepted', day)).toBeNull();
});

test('a change touches the days that it reaches and no others', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  for (let n = 1; n <= 9; n++) {
    await world.did('ann', 'page_viewed', `2026-02-0${n}`);
    await world.did(`user ${n}`, 'signup', `2026-02-0${n}`);
  }
  await world.did('ann', 'signup', '2026-01-15');
  await run();
  const touched = async () => {
    const { days } = await run();
    return days;
  };
  expect(await touched()).toBe(0);
  // One more event of somebody who was active that day: the events of the day alone.
  await world.did('ann', 'button_clicked', '2026-02-05', { count: '3' });
  expect(await touched()).toBe(1);
  expect(await world.value('events_tracked', '2026-02-05')).toBe(5);
  // A late event of an active day of its own: that day, the 29 that look back at it, and the cohort 30 days before.
  await world.did('ann', 'page_viewed', '2026-02-14');
  expect(await touched()).toBe(26);
  expect(await world.value('retention_d30', '2026-01-15')).toBe(1);
  // Beyond 30 days no cohort is touched.
  await world.did('ann', 'page_viewed', '2026-02-15');
  expect(await touched()).toBe(24);
  // A signup before the first one moves the cohort, from its day to the other.
  await world.did('ann', 'signup', '2026-01-03');
  await run();
  expect(await world.value('signups', '2026-01-15')).toBe(0);
  expect(await world.value('signups', '2026-01-03')).toBe(1);
  await world.query(`delete from event_user_days where event = 'signup' and date = '2026-01-03'`);
  await run();
  expect(await world.value('signups', '2026-01-15')).toBe(1);
  expect(await world.value('retention_d30', '2026-01-15')).toBe(1);
  // Two people turn out to be one.
  await world.query(`update event_user_days set user_id = 'ann' where user_id = 'user 9'`);
  await run();
  expect(await world.value('dau', '2026-02-09')).toBe(1);
  expect(await world.value('signups', '2026-02-09')).toBe(0);
});

test('other settings recompute what follows from them, and nothing else', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  await world.did('ann', 'signup', '2026-03-01');
  await world.did('ann', 'page_viewed', '2026-03-02');
  await world.did('bob', 'user_registered', '2026-03-03');
  await run();
  expect(await world.value('dau', '2026-03-02')).toBe(1);
  const assumptions = { signupEvent: 'user_registered', qualifyingEvents: ['*', '-page_*'] };
  const { days } = await run({ assumptions });
  // 2 March and the 8 days that look back at it, and the day before, whose signup came back on it.
  expect(days).toBe(10);
  expect(await world.value('signups', '2026-03-01')).toBe(0);
  expect(await world.value('signups', '2026-03-03')).toBe(1);
  expect(await world.value('dau', '2026-03-02')).toBe(0);
  expect(await run({ assumptions })).toMatchObject({ days: 0 });
  expect(await readAssumptions(world.db)).toEqual({ ...DEFAULT_ASSUMPTIONS, ...assumptions });
});

test('what retention took out stays as it was computed, in a full recompute too', async () => {
  await world.cover([POSTHOG], '2025-12-01', '2026-03-10');
  await world.did('ann', 'signup', '2025-12-30');
  await world.did('ann', 'page_viewed', '2026-01-06');
  await run();
  expect(await world.value('retention_d7', '2025-12-30')).toBe(1);
  try {
    await world.query(`select ops.detach_event_partitions('2026-01-01')`);
    expect(await run({ full: true })).toMatchObject({ updated: 0, deleted: 0, inserted: 0 });
  } finally {
    await world.months('2025-12-01', '2025-12-31');
  }
  expect(await world.value('events_tracked', '2025-12-30')).toBe(1);
});

test('the daily check finds what is remembered wrongly, and has it put right', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  await world.did('ann', 'page_viewed', '2026-03-05');
  await run();
  await world.query(`update ops.user_days set active = false`);
  await expect(run({ check: 'now' })).rejects.toThrow('ops.user_days of 2026-03-05 is different in 1 rows');
  expect(await run({ check: 'now' })).toMatchObject({ check: { mismatches: 0 } });
  expect(await world.value('wau', '2026-03-08')).toBe(1);
});

test('the daily check leaves alone what changes between a run and it, and the next run computes it', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  await world.did('ann', 'page_viewed', '2026-03-05');
  await run();
  let transactions = 0;
  const checked = await run({
    check: 'now',
    write: async (work, options) => {
      if (++transactions === 2) await world.did('bob', 'page_viewed', '2026-03-05');
      return world.db
        .transaction()
        .setIsolationLevel(options?.isolationLevel ?? 'read committed')
        .execute(work);
    },
  });
  expect(checked).toMatchObject({ check: { mismatches: 0 } });
  expect(await world.value('wau', '2026-03-05')).toBe(1);
  await run();
  expect(await world.value('wau', '2026-03-05')).toBe(2);
});

test('counted by day or one by one, events give the same users and the same retention', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  // 15 people, each there every so many days, some several times a day; the first time they sign up.
  await world.query(`
    insert into events (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
    select 'posthog:' || n, at::date, 'posthog', case when k = 0 then 'signup' else 'page_viewed' end, u || '-' || k % 2, u, at, '{}'
    from (
      select row_number() over () as n, 'user ' || p as u, k,
        timestamptz '2026-01-02Z' + make_interval(hours => p * 31 + k * (7 + p * p % 50)) as at
      from generate_series(1, 15) p, generate_series(0, 40) k
    ) e where at < '2026-03-10Z'`);
  await world.query(`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select 'posthog:' || distinct_id || ':' || event, date, 'posthog', distinct_id, user_id, event, count(*), min(occurred_at), max(occurred_at)
    from events group by distinct_id, user_id, event, date`);
  await run();
  const { rows } = await world.query<{
    day: string;
    metric: string;
    raw: string | null;
    stored: string | null;
  }>(`
    with firsts as (select user_id, min(date) as day from events where event = 'signup' group by user_id),
    raw as (
      select d.date as day, m.metric, m.value
      from (select distinct date from daily_metrics where date between '2026-01-31' and '2026-03-09') d
      cross join lateral (values
        ('dau', (select count(distinct user_id) from events e where e.date = d.date)::numeric),
        ('wau', (select count(distinct user_id) from events e where e.date between d.date - 6 and d.date)),
        ('mau_30', (select count(distinct user_id) from events e where e.date between d.date - 29 and d.date)),
        ('signups', (select count(*) from firsts f where f.day = d.date)),
        ('retention_d1', (select round(avg((exists (select from events e where e.user_id = f.user_id and e.date = f.day + 1))::int), 9)
          from firsts f where f.day = d.date and d.date + 1 < '2026-03-10')),
        ('retention_d7', (select round(avg((exists (select from events e where e.user_id = f.user_id and e.date = f.day + 7))::int), 9)
          from firsts f where f.day = d.date and d.date + 7 < '2026-03-10'))
      ) m (metric, value)
    )
    select r.day, r.metric, r.value as raw, round(m.value, 9) as stored
    from raw r join daily_metrics m on m.date = r.day and m.metric = r.metric
    where r.value is distinct from round(m.value, 9)`);
  expect(rows).toEqual([]);
  expect(await world.value('mau_30', '2026-02-05')).toBeGreaterThan(10);
});

test('why: the rows behind, the days it looks back at, and what the events say by now, which it leaves to the next run', async () => {
  await world.cover([POSTHOG], '2026-01-01', '2026-03-10');
  await world.did('ann', 'page_viewed', '2026-03-01', { count: '4' });
  await world.did('bob', 'page_viewed', '2026-02-20');
  await run();
  await world.did('cid', 'page_viewed', '2026-03-03');
  const metric = parseMetricId('wau');
  if (metric === undefined) throw new Error('There is no wau');
  const why = await explainMetric({
    session: world.session,
    metric,
    day: '2026-03-04',
    accounts: [POSTHOG],
    reporting: { timezone: 'UTC', currency: 'USD' },
    now: noon('2026-03-10'),
  });
  expect(why).toMatchObject({
    stored: { value: '1' },
    computed: { value: '2' },
    stale: true,
    components: [{ column: 'active_users_7d', amount: '2' }],
    coverage: [{ from: '2026-02-26', to: '2026-03-04', days: 7, missing: 0 }],
  });
  // 30 days of events are behind the group: all three.
  expect(why.rows).toMatchObject([{ table: 'event_user_days', rows: 3, amount: '6' }]);
  expect((await world.query('select 1 from ops.user_days')).rows).toHaveLength(2);
  // events_tracked and dau of the day, wau of 7 days, mau_30 and stickiness of the 8 days up to today.
  expect(await run()).toMatchObject({ updated: 25 });
});
