/**
 * `posthog`: a first run over 2,000,000 events (counted by person and day) of which 300,000 are kept one by one, a second
 * one with nothing new, and one after 1,000 late events over 20 days; time is the connector's, the sandbox's included.
 */
import { sql } from 'kysely';
import { z } from 'zod';

import { startSandbox } from '@floyo/sandbox';

import type { Bench } from './bench-server.ts';
import { type Benchmark, figuresOf } from './figure.ts';
import { runProgram } from './floyo.ts';

const NOW = '2026-11-21T12:00:00Z';
const LARGE = { signups: 390, pageviews: 10 };
/** A tenth, in which a page is as full as in the large one. */
const SMALL = { signups: 39, pageviews: 10 };
const LATE_EVENTS = 1_000;
const LATE_DAYS = 20;

const runSchema = z.object({
  results: z.array(
    z.object({
      stream: z.string(),
      status: z.literal('succeeded'),
      seconds: z.number(),
      rows_read: z.number(),
      rows_inserted: z.number(),
      api_calls: z.number(),
      changed_days: z.number(),
      drift: z.array(z.unknown()).length(0),
    }),
  ),
  rss_mb: z.number(),
});

export const measurePostHog: Benchmark = async (bench, { quick }) => {
  const small = await measure(bench, SMALL);
  const large = quick ? small : await measure(bench, LARGE);
  const figure = figuresOf('posthog');
  return [
    figure('single events, first run', 'rows/s', [large.rawPerSecond]),
    figure('daily counts, first run', 'rows/s', [large.dayRowsPerSecond]),
    figure('events counted, first run', 'rows/s', [large.eventsPerSecond]),
    figure('a run with nothing new', 's', [large.idleSeconds]),
    figure('1,000 late events over 20 days', 's', [large.lateSeconds]),
    figure(`peak RSS, ${Math.round(small.events / 1_000)},000 events`, 'MB', [small.rssMb]),
    figure(`peak RSS, ${Math.round(large.events / 1_000)},000 events`, 'MB', [large.rssMb]),
    figure('growth of the peak RSS', 'MB', [large.rssMb - small.rssMb], { most: 50 }),
  ];
};

async function measure(bench: Bench, volume: typeof LARGE) {
  await using cleanup = new AsyncDisposableStack();
  const sandbox = await startSandbox({ now: NOW, posthog: volume });
  cleanup.defer(() => sandbox.close());
  await using database = await bench.createDatabase();
  const run = async (what: string) => {
    bench.say(`posthog: ${volume.signups} signups a day, ${what}`);
    sandbox.posthog.asked.length = 0;
    const printed = await runProgram('packages/bench/src/posthog/main.ts', [database.url, NOW], {
      ...bench.env,
      ...sandbox.env,
    });
    const { results, rss_mb: rssMb } = runSchema.parse(JSON.parse(printed));
    const [raw, days] = results;
    if (raw === undefined || days === undefined) throw new Error(`two streams were expected: ${printed}`);
    return { raw, days, rssMb, queries: sandbox.posthog.asked.length };
  };

  const first = await run('first run');
  const { rows } = await sql<{ events: number; raw: number }>`
    select (select sum(count)::int from event_user_days) as events, (select count(*)::int from events) as raw`.execute(
    database.session.db,
  );
  const { events = 0, raw = 0 } = rows[0] ?? {};
  bench.say(`posthog: ${events} events, ${raw} of them one by one, ${first.days.rows_inserted} daily counts`);

  const idle = await run('nothing new');
  if (idle.queries !== 1) throw new Error(`${idle.queries} queries with nothing new`);

  sandbox.posthog.send(
    Array.from({ length: LATE_EVENTS }, (_, index) => ({
      event: index % 2 === 0 ? 'workflow_created' : '$pageview',
      distinct_id: `late_${index}`,
      timestamp: new Date(
        Date.parse('2026-10-25T09:00:00Z') + (index % LATE_DAYS) * 86_400_000 + index,
      ).toISOString(),
    })),
  );
  const late = await run('late events');
  if (late.raw.changed_days !== LATE_DAYS / 2 || late.days.changed_days !== LATE_DAYS)
    throw new Error(`${late.raw.changed_days} and ${late.days.changed_days} days were read for late events`);
  if (late.raw.rows_inserted + late.days.rows_inserted !== LATE_EVENTS * 1.5)
    throw new Error(`${late.raw.rows_inserted} and ${late.days.rows_inserted} rows came of late events`);

  return {
    events,
    rawPerSecond: first.raw.rows_read / first.raw.seconds,
    dayRowsPerSecond: first.days.rows_read / first.days.seconds,
    eventsPerSecond: events / first.days.seconds,
    idleSeconds: idle.raw.seconds + idle.days.seconds,
    lateSeconds: late.raw.seconds + late.days.seconds,
    rssMb: Math.max(first.rssMb, idle.rssMb, late.rssMb),
  };
}
