/**
 * Runs the command line on a test database and the sandbox, for the end-to-end tests: in this process, which saves the start
 * of one each time, or in a real one for what is killed, raced or is about the process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

import { runCli } from '@floyo/pipeline/cli';
import type { RunDocument } from '@floyo/pipeline/run';
import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { connect, type Session } from '@floyo/shared/db';
import { repositoryRoot } from '@floyo/shared/paths';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  readonly done: Promise<Outcome>;
  /** Resolves once standard error holds the text. */
  printed(text: string): Promise<void>;
}

/** What the tests of a file run on: `env` is all that a command needs. */
export interface TestWorld {
  readonly sandbox: Sandbox;
  readonly database: TestDatabase;
  readonly env: Record<string, string>;
}

/** A company small enough that a first run takes seconds. */
export const SMALL_WORLD = {
  ratesSince: '2026-08-01',
  ordersPerDay: 2,
  stripe: { customers: 8 },
  posthog: { signups: 2, pageviews: 1 },
} as const;

const SOURCES = ['META', 'TIKTOK', 'SHOPIFY', 'STRIPE', 'POSTHOG'] as const;

/** The environment with these sources alone configured (and the rates): a test that needs no more is done sooner. */
export function withSources(
  env: Readonly<Record<string, string>>,
  ...sources: readonly (typeof SOURCES)[number][]
): Record<string, string> {
  const others = SOURCES.filter((source) => !sources.includes(source));
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !others.some((source) => name.startsWith(`${source}_`))),
  );
}

/**
 * For the top of a test file: one sandbox for all its tests, without faults and its clock at `now` when each begins, and a
 * database of its own for each, which `assign` is given.
 */
export function useWorld(now: string, assign: (world: TestWorld) => void): void {
  let sandbox: Sandbox;
  let database: TestDatabase;
  beforeAll(async () => {
    sandbox = await startSandbox({ now, ...SMALL_WORLD });
  });
  afterAll(() => sandbox.close());
  beforeEach(async () => {
    sandbox.faults.clear();
    sandbox.clock.set(now);
    database = await createTestDatabase();
    assign({ sandbox, database, env: { ...sandbox.env, DATABASE_URL: database.url } });
  });
  afterEach(() => database.drop());
}

const DEFAULTS = { FLOYO_RETRY_BASE_MS: '20' };

/** Starts `floyo …` in a process of its own, with exactly this environment (and PATH). */
export function startFloyo(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const folder = mkdtempSync(join(tmpdir(), 'floyo-cwd-'));
  const child = spawn(process.execPath, [join(repositoryRoot, 'packages/pipeline/src/main.ts'), ...args], {
    env: { PATH: process.env['PATH'], FLOYO_ENV_FILE: '/dev/null', ...DEFAULTS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: folder,
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const done = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      rmSync(folder, { recursive: true });
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    process: child,
    done,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!stderr.includes(text)) return;
          listeners.delete(check);
          resolve();
        };
        listeners.add(check);
        check();
        void done.then(() => reject(new Error(`ended without printing ${text}:\n${stderr}`)));
      }),
  };
}

/** Runs `floyo …` to its end, in this process; it logs nothing. */
export async function floyo(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const printed = { stdout: '', stderr: '' };
  const into = (name: keyof typeof printed) =>
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        printed[name] += text;
        done();
      },
    });
  const code = await runCli(args, {
    env: { FLOYO_LOG_LEVEL: 'silent', ...DEFAULTS, ...env },
    streams: { stdout: into('stdout'), stderr: into('stderr') },
    signal: new AbortController().signal,
  });
  return { code, signal: null, ...printed };
}

/** Runs it with --json and gives the document of standard output. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the document of the command it gives
export async function floyoJson<T = RunDocument>(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome & { document: T }> {
  const outcome = await floyo([...args, '--json'], env);
  return { ...outcome, document: JSON.parse(outcome.stdout) as T };
}

const TABLES = [
  ...['spend', 'orders', 'order_items', 'refunds', 'fx_rates', 'events', 'event_user_days'],
  ...['billing_events', 'subscriptions', 'invoices', 'payments'],
  'daily_metrics',
];

/**
 * Everything a user sees in the tables: a digest a table, who loaded a row and when left out; so is the second at which
 * Stripe was asked.
 */
export async function digestTables(url: string): Promise<Record<string, string>> {
  const session = await connect(url);
  try {
    const digests: Record<string, string> = {};
    for (const table of TABLES) {
      const { rows } = await sql<{ digest: string }>`
        select count(*) || ':' || coalesce(md5(string_agg(line, E'\n' order by line)), '') as digest from (
          select (to_jsonb(t) - 'synced_at' - 'run_id' - 'computed_at' - 'received_at' - 'stripe_event_created')::text as line from ${sql.table(table)} t) lines`.execute(
        session.db,
      );
      digests[table] = rows[0]?.digest ?? '';
    }
    const { rows } = await sql<{ digest: string }>`
      select count(*) || ':' || coalesce(md5(string_agg(concat_ws(' ', source, account_id, stream, day, read_at), E'\n' order by source, account_id, stream, day)), '') as digest
      from ops.coverage`.execute(session.db);
    digests['coverage'] = rows[0]?.digest ?? '';
    return digests;
  } finally {
    await session.end();
  }
}

/** Runs one query on a connection of its own. */
export async function query<T>(url: string, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await connect(url);
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}

/** Waits until a run holds the lock. */
export async function lockHeld(url: string): Promise<void> {
  await until(
    url,
    sql`select 1 from pg_locks l, ops.fence f where l.locktype = 'advisory' and l.pid = f.pid and l.granted`,
  );
}

export async function coveredAtLeast(url: string, days: number): Promise<void> {
  await until(url, sql`select 1 from ops.coverage having count(*) >= ${days}`);
}

export async function covered(url: string): Promise<number> {
  return query(url, async ({ db }) => {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from ops.coverage`.execute(
      db,
    );
    return rows[0]?.count ?? 0;
  });
}

async function until(url: string, condition: ReturnType<typeof sql>): Promise<void> {
  await query(url, async ({ db }) => {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const { rows } = await condition.execute(db);
      if (rows.length > 0) return;
      if (Date.now() > deadline) throw new Error('the condition did not come true within 15 s');
    }
  });
}

/** An alert webhook that keeps what it is sent. */
export async function listen(onBody: (body: string) => void): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      onBody(body);
      response.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
