/**
 * `webhook`: deliveries of Stripe's events, one at a time and eight at once, called directly and over HTTP, against the
 * least that a webhook does and against the best-known package for it. The three take turns in each round.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import type { Bench, BenchDatabase } from './bench-server.ts';
import { type Benchmark, type Figure, figuresOf, ratios } from './figure.ts';
import { createClient, deliverAll, makeEvents, signAll, type Took } from './webhook/deliveries.ts';
import { openWay, prepare, type WayName, WAYS } from './webhook/ways.ts';

const EVENTS = 2_000;
const ROUNDS = 5;
const WARM_UP = 400;
const MAIN = fileURLToPath(new URL('webhook/main.ts', import.meta.url));
const MODES = ['direct', 'http'] as const;
const CONCURRENCIES = [1, 8] as const;

type Mode = (typeof MODES)[number];

export const measureWebhook: Benchmark = async (bench, { quick }) => {
  const events = makeEvents(quick ? EVENTS / 2 : EVENTS, 42);
  await using cleanup = new AsyncDisposableStack();
  const databases = new Map<WayName, BenchDatabase>();
  for (const way of WAYS) {
    const database = cleanup.use(await bench.createDatabase());
    await prepare(way, database.url);
    databases.set(way, database);
  }
  const results = new Map<string, Took[]>();
  const commits: number[] = [];
  const rounds = quick ? 1 : ROUNDS;
  for (let round = 1; round <= rounds; round++)
    for (const mode of MODES)
      for (const concurrency of CONCURRENCIES) {
        bench.say(`webhook: round ${round} of ${rounds}, ${mode}, ${concurrency} at once`);
        for (const way of WAYS) {
          const database = databases.get(way);
          if (database === undefined) continue;
          const before = await countCommits(database.session);
          const took = await measure(bench, { way, database, mode, concurrency, events });
          const key = `${way} ${mode} ${String(concurrency)}`;
          results.set(key, [...(results.get(key) ?? []), took]);
          const after = await countCommits(database.session);
          if (way === 'ours' && mode === 'direct') commits.push((after - before) / (events.length + WARM_UP));
        }
      }
  return toFigures(results, commits);
};

interface Run {
  readonly way: WayName;
  readonly database: BenchDatabase;
  readonly mode: Mode;
  readonly concurrency: number;
  readonly events: readonly string[];
}

/** On empty tables; the first deliveries, which find everything cold, are not counted. */
async function measure(bench: Bench, { way, database, mode, concurrency, events }: Run): Promise<Took> {
  await empty(database.session);
  const deliveries = signAll(events);
  // Of other customers, and left where they are: emptied tables would have every statement planned anew.
  const warmUp = signAll(makeEvents(WARM_UP, 43));
  const target = mode === 'direct' ? openDirect(way, database.url) : await openHttp(bench, way, database.url);
  try {
    await deliverAll(warmUp, concurrency, target.deliver);
    return await deliverAll(deliveries, concurrency, target.deliver);
  } finally {
    await target.close();
  }
}

type Target = Pick<ReturnType<typeof openWay>, 'deliver' | 'close'>;

function openDirect(way: WayName, url: string): Target {
  return openWay(way, url);
}

async function openHttp(bench: Bench, way: WayName, url: string): Promise<Target> {
  const child = spawn(process.execPath, [MAIN, way, url], {
    env: { ...bench.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const client = createClient(Number(chunk.toString()));
  return {
    deliver: (delivery) => client.deliver(delivery),
    async close() {
      client.close();
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Deletes rows and not marks of time: the peer keeps what it has migrated in its schema too. */
async function empty(session: Session): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
    where (schemaname = 'stripe' and tablename not like '%migrations%')
      or (schemaname = 'public' and tablename in ('raw_events', 'billing_events', 'subscriptions', 'invoices', 'payments', 'billing_objects'))
      or (schemaname = 'ops' and tablename = 'dirty_marks')`.execute(session.db);
  await sql.raw(`truncate ${rows.map(({ name }) => name).join(', ')} cascade`).execute(session.db);
  await sql`checkpoint`.execute(session.db);
}

/** Transactions of this database since it was made; those of a connection that is still open may be missing. */
async function countCommits(session: Session): Promise<number> {
  await sql`select pg_stat_force_next_flush()`.execute(session.db);
  const { rows } = await sql<{ commits: string }>`
    select xact_commit as commits from pg_stat_database where datname = current_database()`.execute(
    session.db,
  );
  return Number(rows[0]?.commits);
}

function toFigures(results: ReadonlyMap<string, readonly Took[]>, commits: readonly number[]): Figure[] {
  const figure = figuresOf('webhook');
  const figures: Figure[] = [];
  for (const mode of MODES)
    for (const concurrency of CONCURRENCIES) {
      const at = `${mode === 'http' ? 'over HTTP' : 'direct'}, ${concurrency} at once`;
      const of = (way: WayName) => results.get(`${way} ${mode} ${String(concurrency)}`) ?? [];
      const speed = (way: WayName) => of(way).map(({ eventsPerSecond }) => eventsPerSecond);
      for (const way of WAYS) {
        figures.push(
          figure(`${NAMES[way]}, ${at}`, 'events/s', speed(way)),
          figure(
            `${NAMES[way]}, ${at}, p50`,
            'ms',
            of(way).map(({ p50Ms }) => p50Ms),
          ),
          figure(
            `${NAMES[way]}, ${at}, p99`,
            'ms',
            of(way).map(({ p99Ms }) => p99Ms),
          ),
        );
      }
      figures.push(
        figure(`ours to the peer, ${at}`, 'x', ratios(speed('ours'), speed('peer')), { least: 1.2 }),
        figure(`ours to verify and insert, ${at}`, 'x', ratios(speed('ours'), speed('floor'))),
      );
    }
  // A hundredth for what is not an event's: connections that are opened, and the counting itself.
  figures.push(figure('commits an event, ours', 'x', commits, { most: 1.02 }));
  return figures;
}

const NAMES: Readonly<Record<WayName, string>> = {
  ours: 'ours',
  floor: 'verify and insert',
  peer: 'stripe-sync-engine',
};
