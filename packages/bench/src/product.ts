/**
 * `product`: what the product metrics cost after 7 days changed, on top of a year with 5,000,000 counts of a person's
 * events a day, against a full recompute. The days are the last seven, and seven in the middle, which a month of rolling
 * users and the cohorts of a month look at.
 */
import { sql } from 'kysely';
import { Temporal } from 'temporal-polyfill';

import { runMetrics } from '@floyo/metrics';
import { connect, type Session } from '@floyo/shared/db';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';
import { addDays } from '@floyo/shared/window';

import { type Benchmark, figuresOf, ratios } from './figure.ts';

const DAYS = 365;
const LAST = '2026-11-20';
const TODAY = addDays(LAST, 1);
const DIRTY_DAYS = 7;
const RUN_ID = '00000000-0000-4000-8000-000000000001';
/** Three kinds of events of so many people a day, out of eleven times as many users, each of whom signs up once. */
const LARGE = { people: 4_566, users: 50_000, rounds: 3 };
const SMALL = { people: 180, users: 2_000, rounds: 1 };
const MOST = { most: 10 };

export const measureProduct: Benchmark = async (bench, { quick }) => {
  const size = quick ? SMALL : LARGE;
  await using database = await bench.createDatabase();
  await using cleanup = new AsyncDisposableStack();
  const session = await connect(database.url);
  cleanup.defer(() => session.end());
  bench.say('product: a year of events is made on the way');
  const rows = await fill(session, size);
  const samples = {
    full: [] as number[],
    last: [] as number[],
    middle: [] as number[],
    idle: [] as number[],
  };
  const time = async (what: keyof typeof samples, full = false) => {
    const before = performance.now();
    const { days } = await compute(session, full);
    const seconds = (performance.now() - before) / 1_000;
    samples[what].push(seconds);
    bench.say(`product: ${what}, ${days} days in ${seconds.toFixed(2)} s`);
  };
  bench.say('product: first run');
  await compute(session, false);
  await sql`vacuum analyze`.execute(session.db);
  // All of them in every round, so that a slow moment of the machine strikes all.
  for (let round = 0; round < size.rounds; round++) {
    await time('full', true);
    await change(session, addDays(LAST, 1 - DIRTY_DAYS));
    await time('last');
    await change(session, addDays(LAST, -180));
    await time('middle');
    await time('idle');
  }
  const { full, last, middle, idle } = samples;
  const share = (some: readonly number[]) => ratios(some, full).map((ratio) => 100 * ratio);
  const figure = figuresOf('product');
  const of = `${(rows / 1e6).toFixed(1)} million rows`;
  return [
    figure(`full recompute of ${of}`, 's', full),
    figure('nothing changed', 's', idle),
    figure('the last 7 days changed', 's', last),
    figure('the last 7 days changed, of full', '%', share(last), MOST),
    figure('7 days in the middle changed', 's', middle),
    figure('7 days in the middle changed, of full', '%', share(middle), MOST),
  ];
};

/** @returns how many rows of event_user_days there are. */
async function fill({ db }: Session, { people, users }: typeof LARGE): Promise<number> {
  const first = addDays(LAST, 1 - DAYS);
  await sql`insert into ops.settings (reporting_timezone, reporting_currency) values ('UTC', 'USD')`.execute(
    db,
  );
  await sql`select ops.ensure_event_partitions(${first}::date, ${TODAY}::date)`.execute(db);
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select 'posthog', '1', 'events', d, ${TODAY}::date + 1, d + interval '1 day'
    from generate_series(${first}::date, ${TODAY}::date, '1 day') d`.execute(db);
  // What is loaded before the first run needs no marks.
  await sql`set session_replication_role = replica`.execute(db);
  // 11 shares no factor with the number of users: nobody comes twice on a day.
  await sql`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select 'posthog:u' || u.id || ':' || e.event, u.day, 'posthog', 'u' || u.id, 'u' || u.id, e.event, 1 + u.id % 5, u.day, u.day
    from (
      select ${first}::date + d as day, (d * 37 + k * 11) % ${users}::int as id
      from generate_series(0, ${DAYS - 1}::int) d cross join generate_series(0, ${people - 1}::int) k
    ) u
    cross join lateral (values ('page_viewed'), ('workflow_run'),
      (case when u.id % 9 = 0 then 'workflow_created' else 'button_clicked' end)) as e (event)`.execute(db);
  await sql`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select 'posthog:u' || id || ':signup', ${first}::date + id % ${DAYS}::int, 'posthog', 'u' || id, 'u' || id, 'signup', 1, now(), now()
    from generate_series(0, ${users - 1}::int) id`.execute(db);
  await sql`set session_replication_role = origin`.execute(db);
  await sql`analyze`.execute(db);
  const { rows } = await sql<{ count: number }>`select count(*)::int as count from event_user_days`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

let serial = 0;

/** On each of the days late events of some who were there and of some who were not, others each time, and a few signups. */
async function change({ db }: Session, from: string): Promise<void> {
  serial += 1;
  await sql`
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select 'posthog:u' || id || ':late', ${from}::date + d, 'posthog', 'u' || id, 'u' || id,
      case when id / 10 % 20 = 0 then 'signup' else 'late_event' end, 1, now(), now()
    from generate_series(0, ${DIRTY_DAYS - 1}::int) d, generate_series(${serial}::int, 1999, 10) id`.execute(
    db,
  );
}

function compute(session: Session, full: boolean) {
  return runMetrics({
    session,
    write: (work) => session.db.transaction().setIsolationLevel('repeatable read').execute(work),
    accounts: [{ source: 'posthog', accountId: '1', stream: 'events' }],
    reporting: { timezone: 'UTC', currency: 'USD' },
    now: Temporal.Instant.from(`${TODAY}T12:00:00Z`),
    runId: RUN_ID,
    log: createLogger({ level: 'silent', redactor: createRedactor([]) }),
    signal: new AbortController().signal,
    check: 'never',
    full,
  });
}
