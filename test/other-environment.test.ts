/** Commands that are run where less is configured than where the pipeline runs: a laptop, a person who may only read. */
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';

import { digestTables, floyo, floyoJson, query, type TestWorld, useWorld, withSources } from './floyo.ts';

let sandbox: TestWorld['sandbox'];
let database: TestWorld['database'];
let env: TestWorld['env'];
useWorld('2026-11-20T12:00:00Z', (world) => ({ sandbox, database, env } = world));

const statusesOf = (metric: string) =>
  query(database.url, async ({ db }) => {
    const { rows } = await sql<{ status: string }>`
      select distinct status from daily_metrics where metric = ${metric} and dimensions = '{}' order by 1`.execute(
      db,
    );
    return rows.map(({ status }) => status);
  });

describe('where fewer sources are configured', () => {
  it(
    'days wait for the others all the same, until a run of every source is without them',
    { timeout: 60_000 },
    async () => {
      const both = withSources(env, 'META', 'TIKTOK');
      const onlyMeta = withSources(env, 'META');
      sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token', times: -1 });
      expect((await floyoJson(['run'], both)).document.status).toBe('partial');
      const before = await digestTables(database.url);
      expect(await statusesOf('ad_spend')).toEqual(['incomplete']);

      const laptop = withSources(env);
      const commands = [
        { args: ['metrics', '--full'], with: laptop },
        { args: ['rejects', 'replay'], with: laptop },
        { args: ['etl', 'meta'], with: onlyMeta },
      ];
      for (const command of commands) {
        const { code, document } = await floyoJson(command.args, command.with);
        expect([code, document.status], command.args.join(' ')).toEqual([0, 'succeeded']);
        expect(document.warnings.join(), command.args.join(' ')).toMatch(/Not configured here.*tiktok/);
        expect((await digestTables(database.url))['daily_metrics'], command.args.join(' ')).toBe(
          before['daily_metrics'],
        );
      }
      const { document: why } = await floyoJson<{ stale: boolean }>(
        ['why', 'ad_spend', '2026-11-10'],
        laptop,
      );
      expect(why.stale).toBe(false);

      const without = await floyoJson(['run'], onlyMeta);
      expect(without.document.warnings.join()).toMatch(/No longer configured: tiktok/);
      expect(await statusesOf('ad_spend')).not.toContain('incomplete');
      expect((await floyoJson(['run'], onlyMeta)).document.warnings).toEqual([]);
    },
  );

  it('what a source of its own has read is waited for by the next one', async () => {
    await floyo(['run', '--only', 'fx,tiktok'], withSources(env, 'TIKTOK'));
    sandbox.clock.set('2026-11-21T12:00:00Z');
    await floyo(['run', '--only', 'fx,meta'], {
      ...withSources(env, 'META'),
      FLOYO_NOW: '2026-11-21T12:00:00Z',
    });
    const { rows } = await query(database.url, ({ db }) =>
      sql<{ status: string }>`
        select status from daily_metrics where metric = 'ad_spend' and dimensions = '{}' and date = '2026-11-21'`.execute(
        db,
      ),
    );
    expect(rows, 'TikTok was not read on this day').toEqual([{ status: 'incomplete' }]);
  });
});

describe('where metrics assume something else', () => {
  const metricsOf = (agents: readonly { agent: string; metadata: Readonly<Record<string, unknown>> }[]) =>
    agents.find(({ agent }) => agent === 'metrics')?.metadata;
  const describedMargin = () =>
    query(database.url, async ({ db }) => {
      const { rows } = await sql<{ margin: string }>`
        select substring(description from 'gross margin of ([0-9.]+)') as margin from metric_definitions where name = 'ltv_to_cac'`.execute(
        db,
      );
      return rows[0]?.margin;
    });

  it('it stays where it is not set, until a run of every source is without it', async () => {
    const bare = withSources(env, 'META');
    const decided = { ...bare, METRICS_GROSS_MARGIN: '0.7', METRICS_SIGNUP_EVENT: 'user_registered' };
    await floyo(['run'], decided);
    expect(await describedMargin()).toBe('0.7');
    // Scheduled jobs migrate before they run.
    await floyo(['migrate'], bare);
    const again = await floyoJson(['run'], decided);
    expect(metricsOf(again.document.agents)).toMatchObject({ days: 0 });
    const laptop = await floyoJson(['metrics'], bare);
    expect(laptop.document.warnings).toEqual([
      'METRICS_SIGNUP_EVENT is not set here: it stays user_registered. METRICS_GROSS_MARGIN is not set here: it stays 0.7',
    ]);
    expect(metricsOf(laptop.document.agents)).toMatchObject({ days: 0 });
    expect(await describedMargin()).toBe('0.7');
    await floyo(['run'], bare);
    expect(await describedMargin()).toBe('0.8');
  });

  it('a new meaning of a metric that a migration brings is computed for every day', async () => {
    const few = withSources(env, 'META');
    await floyo(['run'], few);
    await query(database.url, ({ db }) =>
      sql`update metric_definitions set version = version - 1 where name = 'ad_spend'`.execute(db),
    );
    await floyo(['migrate'], few);
    const { document } = await floyoJson(['run'], few);
    expect(metricsOf(document.agents)?.['days']).toBeGreaterThan(25);
  });
});

describe('commands that only read', () => {
  const settings = () =>
    query(database.url, async ({ db }) => {
      const { rows } = await sql<{ rates: unknown; updated_at: string; marks: number }>`
        select fixed_rates as rates, updated_at, (select count(*)::int from ops.dirty_marks) as marks from ops.settings`.execute(
        db,
      );
      return rows;
    });

  it(
    'write no settings and mark nothing; fixed rates are for a run of every source to take away',
    { timeout: 60_000 },
    async () => {
      const bare = withSources(env, 'META');
      const withRates = { ...bare, FX_FIXED_RATES: 'AED=4.29' };
      await floyo(['run', '--only', 'fx'], withRates);
      const before = await settings();
      expect(before).toMatchObject([{ rates: { AED: '4.29' }, marks: 0 }]);
      const dry = await floyoJson(['run', '--dry-run'], bare);
      expect(dry.document.warnings.join()).toContain('AED=4.29');
      const status = await floyo(['status'], bare);
      expect(status.stdout).toContain('AED=4.29');
      await floyo(['metrics', 'show'], bare);
      expect(await settings()).toEqual(before);

      const metrics = await floyoJson(['metrics'], bare);
      expect(metrics.document.warnings.join()).toContain('FX_FIXED_RATES is not set here: AED');
      expect(await settings()).toEqual(before);
      await floyo(['run'], bare);
      expect(await settings()).toMatchObject([{ rates: {}, marks: 0 }]);
    },
  );

  it('need a role that may read and no more', async () => {
    const few = withSources(env, 'META');
    await floyo(['run'], few);
    const url = new URL(database.url);
    url.username = `reader_${url.pathname.slice(-8)}`;
    url.password = '';
    await query(database.url, async ({ db }) => {
      const role = sql.id(url.username);
      await sql`create role ${role} login bypassrls`.execute(db);
      await sql`grant pg_read_all_data to ${role}`.execute(db);
      await sql`grant execute on all functions in schema public, ops to ${role}`.execute(db);
    });
    const reader = { ...few, DATABASE_URL: url.href };
    for (const args of [
      ['status'],
      ['metrics', 'show', 'ad_spend'],
      ['why', 'ad_spend', '2026-11-10'],
      ['run', '--dry-run'],
    ]) {
      const { code, stderr } = await floyo(args, reader);
      expect([args.join(' '), code], stderr).toEqual([args.join(' '), 0]);
    }
    await query(database.url, async ({ db }) => {
      await sql`drop owned by ${sql.id(url.username)}`.execute(db);
      await sql`drop role ${sql.id(url.username)}`.execute(db);
    });
  });
});
