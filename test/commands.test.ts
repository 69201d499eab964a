/** Commands around the runs, and wrong usage and configuration. */
import { describe, expect, it } from 'vitest';

import { createTestDatabase } from '@floyo/shared/testing/database';

import { floyo, floyoJson, type TestWorld, useWorld } from './floyo.ts';

const NOW = '2026-11-20T12:00:00Z';

let sandbox: TestWorld['sandbox'];
let env: TestWorld['env'];
useWorld(NOW, (world) => ({ sandbox, env } = world));

describe('status and unlock', () => {
  it('tells freshness of every account, the backlog and the lock', { timeout: 60_000 }, async () => {
    await floyo(['run'], env);
    const { document } = await floyoJson<Record<string, unknown>>(['status'], env);
    expect(document).toMatchObject({ lock: null, rejected: 0, dirty: 0 });
    const sources = document['sources'] as { source: string; data_through: string; stale: boolean }[];
    expect(sources.map(({ source }) => source)).toEqual([
      'fx',
      'meta',
      'meta',
      'meta',
      'tiktok',
      'tiktok',
      'shopify',
      'shopify',
      'stripe',
      'posthog',
    ]);
    expect(sources.every(({ data_through }) => data_through >= '2026-11-20')).toBe(true);
    const later = await floyoJson<{ sources: { stale: boolean }[] }>(['status'], {
      ...env,
      FLOYO_NOW: '2030-01-01T00:00:00Z',
    });
    expect(later.document.sources.every(({ stale }) => stale)).toBe(true);
  });

  it('unlock says when nobody holds it', async () => {
    const { document, code } = await floyoJson<unknown>(['unlock'], env);
    expect(code).toBe(0);
    expect(document).toEqual({ lock: null, ended: false });
  });
});

describe('wrong configuration', () => {
  it('tells every problem at once and exits 2', async () => {
    const { code, document, stderr } = await floyoJson<{ error: { problems: { variable: string }[] } }>(
      ['run'],
      {
        DATABASE_URL: 'mysql://nowhere',
        REPORTING_TIMEZONE: 'Mars/Olympus',
        META_ACCESS_TOKEN: 'a-token-of-somebody',
        SHOPIFY_SHOPS: 'not a shop',
      },
    );
    expect(code).toBe(2);
    const variables = document.error.problems.map(({ variable }) => variable);
    expect(variables).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'REPORTING_TIMEZONE', 'META_AD_ACCOUNT_IDS', 'SHOPIFY_SHOPS']),
    );
    expect(stderr).toContain('META_AD_ACCOUNT_IDS');
    expect(stderr).not.toContain('a-token-of-somebody');
  });

  it.each([
    ['postgresql://u:pa#ss@db.example.com:5432/x', '# %23'],
    ['postgresql://u:[YOUR-PASSWORD]@db.example.com:5432/x', 'placeholder'],
  ])('%s: says what is wrong with it, with nothing masked', async (url, told) => {
    const { code, stderr } = await floyo(['status'], { DATABASE_URL: url });
    expect(code).toBe(2);
    expect(stderr).toContain(told);
    expect(stderr).not.toContain('[redacted]');
  });

  it('a database without the schema: exit 2 and what to run', async () => {
    const empty = await createTestDatabase({ empty: true });
    const { code, document } = await floyoJson<{ error: { code: string; problems: { message: string }[] } }>(
      ['run'],
      {
        ...sandbox.env,
        DATABASE_URL: empty.url,
      },
    );
    expect(code).toBe(2);
    expect(document.error).toMatchObject({ code: 'schema' });
    expect(document.error.problems[0]?.message).toContain('floyo migrate');
    const migrated = await floyoJson<{ applied: string[] }>(['migrate'], { DATABASE_URL: empty.url });
    expect(migrated.document.applied.length).toBeGreaterThan(0);
    const again = await floyoJson<{ applied: string[] }>(['migrate'], { DATABASE_URL: empty.url });
    expect(again.document).toEqual({ applied: [] });
    await empty.drop();
  });

  it('another reporting currency than the stored values have: exit 2', async () => {
    await floyo(['run', '--only', 'fx'], env);
    const { code, document } = await floyoJson<{ error: { problems: { variable: string }[] } }>(['run'], {
      ...env,
      REPORTING_CURRENCY: 'EUR',
    });
    expect(code).toBe(2);
    expect(document.error.problems[0]?.variable).toBe('REPORTING_CURRENCY');
  });

  it('unknown commands, options, sources and days: exit 2', async () => {
    const wrong = [
      ['fly'],
      ['run', '--fast'],
      ['etl', 'myspace'],
      ['backfill', '--source', 'meta', '--from', '2026-02-30', '--to', '2026-03-01'],
      ['run', '--only', 'stripe'],
      ['run', '--only', ','],
    ];
    const unset = Object.entries(env).filter(([name]) => !name.startsWith('STRIPE_'));
    const without = Object.fromEntries(unset);
    for (const outcome of await Promise.all(
      wrong.map((args) => floyoJson<{ error: unknown }>(args, without)),
    )) {
      expect(outcome.code).toBe(2);
      expect(outcome.document.error).toMatchObject({ code: 'usage' });
    }
  });

  it('a source that is not configured: the variables that it can not do without', async () => {
    const { code, stderr } = await floyo(['run', '--only', 'meta'], {
      DATABASE_URL: env['DATABASE_URL'] ?? '',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('meta is not configured: set META_ACCESS_TOKEN, META_AD_ACCOUNT_IDS\n');
  });

  it('the help of etl names every source that there is', async () => {
    const { stdout } = await floyo(['etl', '--help'], {});
    const { document } = await floyoJson<{ error: { problems: { message: string }[] } }>(
      ['etl', 'myspace'],
      env,
    );
    const known = /there are (.*)$/.exec(document.error.problems[0]?.message ?? '')?.[1]?.split(', ') ?? [];
    expect(known).toContain('stripe');
    expect(stdout).toContain(`${known.slice(0, -1).join(', ')} or ${known.at(-1) ?? ''}`);
  });

  it('a backfill into the future reads up to today and says so; one that begins there is refused', async () => {
    const backfill = (from: string, to: string) => ['backfill', '--source', 'fx', '--from', from, '--to', to];
    const [open, future, early] = await Promise.all([
      floyo(backfill('2026-11-16', '9999-12-31'), env),
      floyoJson<{ error: unknown }>(backfill('2026-11-21', '9999-12-31'), env),
      floyoJson<{ error: unknown }>(backfill('0001-01-01', '2026-11-20'), env),
    ]);
    expect(open.code, open.stderr).toBe(0);
    expect(open.stderr).toContain(
      '! --to 9999-12-31 is in the future: days are read up to today, 2026-11-20\n',
    );
    expect(open.stdout).toMatch(/^fx .* 2026-11-16 +2026-11-20 /m);
    expect([future.code, future.document.error]).toEqual([
      2,
      {
        code: 'usage',
        problems: [{ variable: '--from', message: '2026-11-21 is in the future: today is 2026-11-20' }],
      },
    ]);
    expect([early.code, early.stderr]).toEqual([2, expect.stringContaining('The first day is 1999-01-01')]);
  });

  it('an unreachable database: exit 1, where and what to do', async () => {
    const { code, document } = await floyoJson<{ error: unknown }>(['run'], {
      ...sandbox.env,
      DATABASE_URL: 'postgres://u:pa55word@127.0.0.1:1/x',
    });
    expect(code).toBe(1);
    expect(document.error).toMatchObject({
      severity: 'P0',
      message: expect.stringContaining('127.0.0.1:1') as string,
    });
  });
});
