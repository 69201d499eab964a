/**
 * `webhook`: deliveries of Stripe's events, one at a time and eight at once, called directly and over HTTP, against the
 * least that a webhook does and against the best-known package for it. The three take turns every hundred deliveries, so
 * that a machine that is now fast, now slow is so for all of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { sql } from 'kysely';

import type { Session } from '@floyo/shared/db';

import type { Bench, BenchDatabase } from './bench-server.ts';
import { type Benchmark, type Figure, figuresOf, ratios } from './figure.ts';
import {
  createClient,
  deliverAll,
  makeEvents,
  signAll,
  type Speed,
  speedOf,
  type Took,
} from './webhook/deliveries.ts';
import { openWay, prepare, type Signed, type WayName, WAYS } from './webhook/ways.ts';

const EVENTS = 2_000;
const TURN = 100;
const ROUNDS = 5;
/** A server runs for weeks: as many deliveries as are measured go before them. */
const WARM_UP = 2_000;
const MAIN = fileURLToPath(new URL('webhook/main.ts', import.meta.url));
const MODES = ['direct', 'http'] as const;
const CONCURRENCIES = [1, 8] as const;

type Mode = (typeof MODES)[number];
type Contenders = readonly { readonly way: WayName; readonly database: BenchDatabase }[];

export const measureWebhook: Benchmark = async (bench, { quick }) => {
  const rounds = quick ? 1 : ROUNDS;
  const events = makeEvents(quick ? EVENTS / 2 : EVENTS, 42);
  await using cleanup = new AsyncDisposableStack();
  const contenders: { way: WayName; database: BenchDatabase }[] = [];
  for (const way of WAYS) {
    const database = cleanup.use(await bench.createDatabase());
    await prepare(way, database.url);
    contenders.push({ way, database });
  }
  const results = new Map<string, Speed[]>();
  const commits: number[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const mode of MODES)
      for (const concurrency of CONCURRENCIES) {
        bench.say(`webhook: round ${round} of ${rounds}, ${mode}, ${concurrency} at once`);
        const { speeds, oursCommits } = await measure(bench, { contenders, mode, concurrency, events });
        for (const [way, speed] of speeds) {
          const key = `${way} ${mode} ${String(concurrency)}`;
          results.set(key, [...(results.get(key) ?? []), speed]);
        }
        if (mode === 'direct') commits.push(oursCommits / (events.length + WARM_UP));
      }
  return toFigures(results, commits);
};

interface Run {
  readonly contenders: Contenders;
  readonly mode: Mode;
  readonly concurrency: number;
  readonly events: readonly string[];
}

/** All of them on empty tables, in turns. */
async function measure(
  bench: Bench,
  { contenders, mode, concurrency, events }: Run,
): Promise<{ speeds: Map<WayName, Speed>; oursCommits: number }> {
  const ours = contenders.find(({ way }) => way === 'ours');
  const countOurs = () => (ours === undefined ? 0 : countCommits(ours.database.session));
  const before = await countOurs();
  const took = new Map<WayName, Took[]>();
  {
    await using cleanup = new AsyncDisposableStack();
    const targets = new Map<WayName, Target>();
    for (const { way, database } of contenders) {
      await empty(database.session);
      const target =
        mode === 'direct' ? openWay(way, database.url) : await openHttp(bench, way, database.url);
      cleanup.defer(() => target.close());
      targets.set(way, target);
    }
    // Of other customers, and left where they are: emptied tables would have every statement planned anew.
    await takeTurns(signAll(makeEvents(WARM_UP, 43)), concurrency, targets);
    for (const [way, turn] of await takeTurns(signAll(events), concurrency, targets))
      took.set(way, [...(took.get(way) ?? []), turn]);
  }
  const speeds = new Map([...took].map(([way, turns]) => [way, speedOf(turns)]));
  return { speeds, oursCommits: (await countOurs()) - before };
}

/** Each turn's deliveries to each way; another one begins each time, for what came before it leaves its traces. */
async function takeTurns(
  deliveries: readonly Signed[],
  concurrency: number,
  targets: ReadonlyMap<WayName, Target>,
): Promise<(readonly [WayName, Took])[]> {
  const order = [...targets];
  const turns: (readonly [WayName, Took])[] = [];
  for (let at = 0; at < deliveries.length; at += TURN) {
    for (const [way, { deliver }] of order)
      turns.push([way, await deliverAll(deliveries.slice(at, at + TURN), concurrency, deliver)]);
    order.push(...order.splice(0, 1));
  }
  return turns;
}

type Target = Pick<ReturnType<typeof openWay>, 'deliver' | 'close'>;

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

function toFigures(results: ReadonlyMap<string, readonly Speed[]>, commits: readonly number[]): Figure[] {
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
