/** Who is told of a run that could not even start: nobody reads the output of a scheduled one. */
import { randomUUID } from 'node:crypto';

import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { connect } from '@floyo/shared/db';
import { acquireLock } from '@floyo/shared/lock';

import {
  floyo,
  floyoJson,
  listen,
  query,
  startFloyo,
  type TestWorld,
  useWorld,
  withSources,
} from './floyo.ts';

let database: TestWorld['database'];
let env: Record<string, string>;
useWorld('2026-11-20T12:00:00Z', (world) => ({ database, env } = world));

let alerts: string[];
let hook: Awaited<ReturnType<typeof listen>>;
beforeEach(async () => {
  alerts = [];
  hook = await listen((body) => alerts.push(body));
  env = { ...withSources(env, 'META'), ALERT_WEBHOOK_URL: hook.url };
});
afterEach(() => void hook.server.close());

it('a database that does not answer: an alert and an annotation, whatever was to run', async () => {
  const away = { ...env, DATABASE_URL: 'postgres://u:pa55word@127.0.0.1:1/x', GITHUB_ACTIONS: 'true' };
  const commands = [
    ['run'],
    ['etl', 'meta'],
    ['backfill', '--source', 'meta', '--from', '2026-11-01', '--to', '2026-11-02'],
  ];
  const outcomes = await Promise.all(commands.map((args) => floyo(args, away)));
  for (const [index, { code, stderr }] of outcomes.entries()) {
    expect(code, commands[index]?.[0]).toBe(1);
    expect(stderr).toMatch(/^::error::.*127\.0\.0\.1:1/m);
  }
  expect(alerts).toHaveLength(commands.length);
  for (const kind of ['manual', 'source', 'backfill'])
    expect(alerts.join('\n')).toContain(`Floyo ${kind} run could not start`);
  expect(alerts.join('\n')).toContain('127.0.0.1:1');
  expect(alerts.join('\n')).not.toContain('pa55word');

  await floyo(['run', '--dry-run'], away);
  await floyo(['status'], away);
  expect(alerts, 'who only looks is told on the spot').toHaveLength(commands.length);
});

it('a database that takes no writes: an alert', async () => {
  await query(database.url, async ({ db }) => {
    const name = new URL(database.url).pathname.slice(1);
    await sql`alter database ${sql.id(name)} set default_transaction_read_only = on`.execute(db);
  });
  const { code, stderr } = await floyo(['run'], env);
  expect(code).toBe(1);
  expect(alerts, stderr).toHaveLength(1);
  expect(alerts[0]).toContain('Floyo manual run could not start');
});

it('a schedule tells of a tick that could not begin, and stays up', async () => {
  const running = startFloyo(['schedule', '--cron', '* * * * * *'], {
    ...env,
    DATABASE_URL: 'postgres://u:pa55word@127.0.0.1:1/x',
  });
  await running.printed('✗');
  running.process.kill('SIGTERM');
  expect((await running.done).code).toBe(0);
  expect(alerts.join()).toContain('Floyo scheduled run could not start');
});

it('settings that a scheduled run can not read: an alert; by hand the output says it', async () => {
  const broken = {
    ...env,
    META_AD_ACCOUNT_IDS: '',
    REPORTING_TIMEZONE: 'Mars/Olympus',
    GITHUB_ACTIONS: 'true',
  };
  const byHand = await floyo(['run'], broken);
  expect(byHand.code).toBe(2);
  expect(byHand.stderr).toMatch(/^::error::.*META_AD_ACCOUNT_IDS/m);
  expect(alerts).toEqual([]);
  expect((await floyo(['run'], { ...broken, GITHUB_EVENT_NAME: 'schedule' })).code).toBe(2);
  expect(alerts).toHaveLength(1);
  expect(alerts[0]).toContain('REPORTING_TIMEZONE');
});

it('a lock that was not given back in time: an alert, and what to do', async () => {
  const session = await connect(database.url);
  await acquireLock(session, randomUUID(), 0);
  const { code, document } = await floyoJson(['etl', 'fx', '--wait', '1s'], env);
  await session.end();
  expect(code).toBe(1);
  expect(document.warnings.join()).toContain('floyo unlock --force');
  expect(alerts).toHaveLength(1);
  expect(alerts[0]).toContain('floyo unlock --force');
});
