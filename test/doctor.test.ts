/** `floyo doctor` with each thing broken in turn: it names it, says what to do, and goes on to the next. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import type { Finding } from '@floyo/shared/connector';
import { createTestDatabase } from '@floyo/shared/testing/database';
import { startTransactionPooler } from '@floyo/shared/testing/transaction-pooler';

import { floyo, floyoJson, query, withSources } from './floyo.ts';

let sandbox: Sandbox;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let env: Record<string, string>;

beforeAll(async () => {
  sandbox = await startSandbox({ now: '2026-11-20T12:00:00Z', ratesSince: '2026-05-01' });
  database = await createTestDatabase();
  env = { ...sandbox.env, DATABASE_URL: database.url };
});

afterEach(() => sandbox.faults.clear());

afterAll(async () => {
  await sandbox.close();
  await database.drop();
});

interface Report {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

const doctor = (more: Record<string, string> = {}, of = env) =>
  floyoJson<Report>(['doctor'], { ...of, ...more });

/** The errors of a report; every finding that is not fine says what to do. */
function errorsOf({ findings }: Report): readonly Finding[] {
  for (const finding of findings)
    if (finding.level !== 'ok') expect(finding.fix, `${finding.check}: ${finding.message}`).toMatch(/\w/);
  return findings.filter(({ level }) => level === 'error');
}

it('finds nothing wrong with a sound setup, and writes nothing', async () => {
  const { code, document } = await doctor();
  expect(errorsOf(document)).toEqual([]);
  expect(code).toBe(0);
  expect(document.ok).toBe(true);
  const checks = document.findings.map(({ check }) => check);
  for (const part of [
    'configuration',
    'database',
    'database session mode',
    'database role',
    'database schema',
  ])
    expect(checks).toContain(part);
  for (const source of [
    'fx ecb',
    'meta 1010035716096012',
    'tiktok',
    'shopify floyo-us',
    'stripe default',
    'posthog 52073',
  ])
    expect(
      checks.some((check) => check.startsWith(source)),
      source,
    ).toBe(true);
  const runs = await query(database.url, ({ db }) => db.selectFrom('ops.runs').selectAll().execute());
  expect(runs).toEqual([]);
});

it('prints a table with marks for people', async () => {
  const { stdout } = await floyo(['doctor'], env);
  expect(stdout).toContain('✓');
  expect(stdout).toMatch(/0 errors/);
});

describe('configuration', () => {
  it('lists every problem and still examines what is right', async () => {
    const { code, document } = await doctor({ META_AD_ACCOUNT_IDS: 'shop', REPORTING_TIMEZONE: 'Mars' });
    expect(code).toBe(2);
    expect(errorsOf(document).map(({ check }) => check)).toEqual(
      expect.arrayContaining(['configuration META_AD_ACCOUNT_IDS', 'configuration REPORTING_TIMEZONE']),
    );
  });
});

describe('database', () => {
  it('unreachable', async () => {
    const { code, document } = await doctor(
      { DATABASE_URL: 'postgres://u:pa55word@127.0.0.1:1/x' },
      withSources(env, 'META'),
    );
    expect(code).toBe(1);
    expect(errorsOf(document)).toMatchObject([{ check: 'database' }]);
    expect(JSON.stringify(document)).not.toContain('pa55word');
    expect(document.findings.some(({ check }) => check.startsWith('meta'))).toBe(true);
  });

  it('behind a transaction-mode pooler', async () => {
    const pooler = await startTransactionPooler(database.url, { size: 4, handOut: 'last' });
    const { document } = await doctor({ DATABASE_URL: pooler.url }, withSources(env));
    await pooler.close();
    expect(errorsOf(document).map(({ check }) => check)).toContain('database session mode');
  });

  it('without the schema', async () => {
    const empty = await createTestDatabase({ empty: true });
    const { document } = await doctor({ DATABASE_URL: empty.url }, withSources(env));
    await empty.drop();
    expect(errorsOf(document)).toMatchObject([
      { check: 'database schema', fix: expect.stringContaining('floyo migrate') as string },
    ]);
  });

  it('with a role that sees no rows', async () => {
    await query(database.url, async ({ db }) => {
      await sql`create role onlooker login`.execute(db);
      await sql`grant usage on schema public, ops, supabase_migrations to onlooker`.execute(db);
      await sql`grant select, insert, update, delete on all tables in schema public, ops, supabase_migrations to onlooker`.execute(
        db,
      );
    });
    const url = new URL(database.url);
    url.username = 'onlooker';
    const { document } = await doctor({ DATABASE_URL: url.href }, withSources(env));
    expect(errorsOf(document)).toMatchObject([{ check: 'database role' }]);
    const run = await floyoJson<{ error: { problems: { message: string }[] } }>(['run'], {
      ...env,
      DATABASE_URL: url.href,
    });
    expect(run.code).toBe(2);
    expect(run.document.error.problems[0]?.message).toContain('row level security');
    await query(database.url, async ({ db }) => {
      await sql`drop owned by onlooker`.execute(db);
      await sql`drop role onlooker`.execute(db);
    });
  });
});

describe('vendors', () => {
  it.each([
    ['meta', 'wrong_token'],
    ['meta', 'permission'],
    ['meta', 'wrong_version'],
    ['tiktok', 'wrong_token'],
    ['tiktok', 'permission'],
    ['shopify', 'wrong_token'],
    ['shopify', 'missing_scope'],
    ['shopify', 'wrong_version'],
    ['stripe', 'wrong_token'],
    ['stripe', 'permission'],
    ['posthog', 'missing_scope'],
    ['ecb', 'not_json'],
  ] as const)('%s: %s', async (vendor, kind) => {
    sandbox.faults.add({ vendor, kind, times: -1 });
    // Another one beside it, of which nothing is wrong.
    const configured = vendor === 'ecb' ? 'META' : (vendor.toUpperCase() as Uppercase<typeof vendor>);
    const { code, document } = await doctor({}, withSources(env, configured, 'TIKTOK'));
    const source = vendor === 'ecb' ? 'fx' : vendor;
    expect(code).toBe(1);
    const errors = errorsOf(document);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.every(({ check }) => check.startsWith(source))).toBe(true);
  });
});
