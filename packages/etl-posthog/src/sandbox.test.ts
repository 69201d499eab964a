/** The connector on the sandbox through the real engine and a real Postgres: what a user of the tables sees. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { type Bench, BERLIN, NOW, startBench } from './testing/harness.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ posthog: { signups: 2, pageviews: 1 } });
});
afterAll(() => bench[Symbol.asyncDispose]());

const RECONCILE = 'floyo events reconcile';
const EVENTS_PULL = 'floyo events pull';
const DAYS_PULL = 'floyo event user days pull';
const berlinDay = new Intl.DateTimeFormat('en-CA', { timeZone: BERLIN.timezone, dateStyle: 'short' });
const isRaw = (event: string) =>
  /^(signup|workflow_created|upgrade|experiment_exposed|suggestion_.*|email_.*)$/.test(event);

/** What the sandbox holds, counted here and by nobody's query: `day event` to the number of events. */
function countThere(holds: (event: string) => boolean = () => true): Map<string, number> {
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  const today = Math.floor(Date.parse(NOW) / 86_400_000);
  for (let day = today - 37; day <= today + 1; day++)
    for (const { uuid, event, distinct_id, timestamp } of bench.sandbox.posthog.ofDay(day)) {
      const at = berlinDay.format(timestamp / 1000);
      const id = [at, event, distinct_id, uuid].join();
      if (!holds(event) || at < '2026-10-16' || seen.has(id)) continue;
      seen.add(id);
      counts.set(`${at} ${event}`, (counts.get(`${at} ${event}`) ?? 0) + 1);
    }
  return counts;
}

async function countHere(of: 'events' | 'event_user_days'): Promise<Map<string, number>> {
  const number = of === 'events' ? sql`count(*)` : sql`sum(count)`;
  const { rows } = await sql<{ key: string; number: number }>`
    select date || ' ' || event as key, (${number})::int as number from ${sql.table(of)} group by date, event`.execute(
    bench.session.db,
  );
  return new Map(rows.map(({ key, number: count }) => [key, count]));
}

const sorted = (counts: Map<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
const expectSame = async () => {
  expect(sorted(await countHere('events'))).toEqual(sorted(countThere(isRaw)));
  expect(sorted(await countHere('event_user_days'))).toEqual(sorted(countThere()));
};

it('the first run brings 36 business days, a 25-hour one among them: every event of the day, of PostHog and of nobody else', async () => {
  const results = await bench.run();
  expect(results).toMatchObject([
    {
      stream: 'events',
      status: 'succeeded',
      agent: 'analytics',
      account_id: '52073',
      window_from: '2026-10-16',
    },
    { stream: 'event_user_days', status: 'succeeded', window_to: '2026-11-21' },
  ]);
  for (const { metadata } of results)
    expect(metadata).toMatchObject({ compared_days: 36, changed_days: 36, reconciled_days: 35, drift: [] });
  await expectSame();
  const asked = bench.asked();
  expect(
    asked.filter((name) => name === RECONCILE),
    'one aggregate serves both streams',
  ).toHaveLength(1);
});

it('keeps properties of the allow-list alone, and tells people from devices', async () => {
  const { rows } = await sql<{ text: string }>`
    select (select string_agg(properties::text, ' ') from events) as text`.execute(bench.session.db);
  expect(rows[0]?.text).toContain('suggestion_id');
  expect(rows[0]?.text).not.toMatch(/203\.0\.113|@example|device_id/);
  const { rows: kinds } = await sql<{ event: string; anonymous: boolean }>`
    select distinct event, user_id is null as anonymous from event_user_days
    where event in ('$pageview', 'signup') order by 1, 2`.execute(bench.session.db);
  expect(kinds, 'page views before the signup are nobody’s').toEqual([
    { event: '$pageview', anonymous: false },
    { event: '$pageview', anonymous: true },
    { event: 'signup', anonymous: false },
  ]);
  const { rows: wrong } = await sql`
    select 1 from event_user_days where user_id is not null and user_id <> distinct_id
    union all select 1 from events where user_id is distinct from distinct_id`.execute(bench.session.db);
  expect(wrong).toEqual([]);
});

it('I1: a second run with nothing new asks for the figures alone, and all days are covered anew', async () => {
  bench.sandbox.posthog.asked.length = 0;
  const before = await bench.digest();
  const results = await bench.run({ now: '2026-11-20T12:00:30Z' });
  expect(bench.asked()).toEqual([RECONCILE]);
  for (const result of results)
    expect(result).toMatchObject({
      rows_read: 0,
      rows_inserted: 0,
      metadata: { changed_days: 0, drift: [] },
    });
  expect(results.reduce((sum, { api_calls }) => sum + api_calls, 0)).toBe(1);
  expect(await bench.digest()).toBe(before);
  const { rows } = await sql<{ read_at: string; days: number }>`
    select read_at, count(*)::int as days from ops.coverage group by read_at`.execute(bench.session.db);
  expect(rows).toEqual([{ read_at: '2026-11-20T12:00:30Z', days: 72 }]);
});

it('finds late events over 20 days, and reads those days alone', async () => {
  const days = Array.from({ length: 20 }, (_, index) =>
    new Date(Date.parse('2026-10-20') + index * 86_400_000).toISOString().slice(0, 10),
  );
  bench.sandbox.posthog.send(
    days.flatMap((day) =>
      ['signup', '$pageview', 'workflow_created'].map((event) => ({
        event,
        distinct_id: `late_${day}`,
        timestamp: `${day}T09:00:00.123456Z`,
      })),
    ),
  );
  bench.sandbox.posthog.asked.length = 0;
  const results = await bench.run();
  expect(results).toMatchObject([
    { rows_inserted: 40, rows_updated: 0, rows_deleted: 0, metadata: { changed_days: 20, drift: [] } },
    { rows_inserted: 60, rows_updated: 0, rows_deleted: 0, metadata: { changed_days: 20, drift: [] } },
  ]);
  const pulled = bench.sandbox.posthog.asked
    .filter(({ name }) => name === DAYS_PULL)
    .map(({ values }) => values['range_from']);
  expect(pulled, 'from midnight in Berlin').toHaveLength(20);
  expect(pulled).toContain('2026-10-19 22:00:00.000000');
  expect(pulled).toContain('2026-11-07 23:00:00.000000');
  bench.asked();
  await expectSame();
});

it('I3: an event sent again replaces the old one, twins count once, who was erased goes, and a gap here is filled', async () => {
  const at = '2026-11-10T10:00:00.000001Z';
  const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
  const shown = (properties: Record<string, unknown>) => ({
    event: 'suggestion_shown',
    distinct_id: 'ada',
    timestamp: at,
    uuid,
    properties,
  });
  const { posthog } = bench.sandbox;
  posthog.send([shown({ suggestion_id: 's1' })]);
  posthog.send([shown({ suggestion_id: 's1' })], { unmerged: true });
  // The same uuid on another event, in the same instant: PostHog's uuids are not unique.
  posthog.send([{ ...shown({ suggestion_id: 's1' }), event: 'suggestion_accepted' }]);
  expect((await bench.run())[0]).toMatchObject({
    rows_inserted: 2,
    metadata: { changed_days: 1, drift: [] },
  });
  await expectSame();

  posthog.send([shown({ suggestion_id: 's2', $ip: '203.0.113.7' })]);
  expect((await bench.run())[0]).toMatchObject({ rows_inserted: 0, rows_updated: 1 });
  const { rows } =
    await sql`select occurred_at, properties from events where distinct_id = 'ada' order by event`.execute(
      bench.session.db,
    );
  expect(rows).toEqual([
    { occurred_at: '2026-11-10T10:00:00.000001Z', properties: { suggestion_id: 's1' } },
    { occurred_at: '2026-11-10T10:00:00.000001Z', properties: { suggestion_id: 's2' } },
  ]);

  posthog.erase('ada');
  await sql`delete from event_user_days where date = '2026-11-05' and event = '$pageview'`.execute(
    bench.session.db,
  );
  const [events, userDays] = await bench.run();
  expect(events).toMatchObject({ rows_deleted: 2, metadata: { changed_days: 1 } });
  expect(userDays).toMatchObject({ rows_deleted: 2, metadata: { changed_days: 2 } });
  expect(userDays?.rows_inserted).toBeGreaterThan(0);
  await expectSame();
});

it('what single events and the daily counts say of active users and of who came back is the same', async () => {
  await using everything = await startBench({ posthog: { signups: 2, pageviews: 1 } });
  expect((await everything.run({ config: { rawEvents: ['*'] } })).map(({ status }) => status)).toEqual([
    'succeeded',
    'succeeded',
  ]);
  const figures = async (table: string) => {
    const { rows } = await sql`
      with active as (select distinct date, user_id from ${sql.table(table)} where user_id is not null and event not like 'email%'),
        signed as (select user_id, min(date) as date from ${sql.table(table)} where event = 'signup' group by user_id)
      select d.day::date as day,
        (select count(distinct user_id)::int from active where date = d.day) as dau,
        (select count(distinct user_id)::int from active where date > d.day - interval '7 days' and date <= d.day) as wau,
        (select count(distinct user_id)::int from active where date > d.day - interval '30 days' and date <= d.day) as mau,
        (select array_agg((select count(*)::int from signed s join active a on a.user_id = s.user_id and a.date = s.date + n where s.date = d.day) order by n)
          from unnest(array[1, 7, 30]) n) as retained
      from generate_series('2026-10-16'::date, '2026-11-20', '1 day') d (day) order by 1`.execute(
      everything.session.db,
    );
    return rows;
  };
  const days = await figures('event_user_days');
  expect(days).toEqual(await figures('events'));
  expect(days).toHaveLength(36);
  expect(JSON.stringify(days)).toMatch(/"dau":[1-9].*"retained":\[[1-9]/);
});

it('another list of events or properties reads the days again', async () => {
  const config = { rawEvents: ['signup', 'email_*'], properties: ['campaign', 'path'] };
  expect(await bench.run({ config })).toMatchObject([
    { status: 'succeeded', metadata: { changed_days: 36, drift: [] } },
    { status: 'succeeded', metadata: { changed_days: 0 } },
  ]);
  const { rows } = await sql`
    select distinct k.key from events e, jsonb_object_keys(e.properties) k (key) order by 1`.execute(
    bench.session.db,
  );
  expect(rows).toEqual([{ key: 'campaign' }]);
  expect(sorted(await countHere('events'))).toEqual(
    sorted(countThere((event) => /^(signup|email_.*)$/.test(event))),
  );
});

it('older days come by backfill, which reads every day', async () => {
  bench.asked();
  const results = await bench.run({
    kind: 'backfill',
    work: { kind: 'backfill', window: { from: '2026-09-01', to: '2026-09-11' } },
  });
  expect(results).toMatchObject([
    { status: 'succeeded', window_from: '2026-09-01', metadata: { reconciled_days: 10, drift: [] } },
    { status: 'succeeded', window_to: '2026-09-11', metadata: { reconciled_days: 10, drift: [] } },
  ]);
  const { rows } = await sql<{ days: number }>`
    select count(distinct date)::int as days from event_user_days where date < '2026-10-01'`.execute(
    bench.session.db,
  );
  expect(rows).toEqual([{ days: 10 }]);
  const asked = bench.asked();
  expect(asked).toContain(EVENTS_PULL);
  expect(asked.filter((name) => name === RECONCILE)).toHaveLength(2);
});
