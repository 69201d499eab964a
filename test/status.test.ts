/** What `floyo status` says of accounts: nothing is fresh that no run reads, and what fails has a name and a remedy. */
import { sql } from 'kysely';
import { expect, it } from 'vitest';

import { floyo, floyoJson, query, type TestWorld, useWorld, withSources } from './floyo.ts';

interface Status {
  readonly sources: readonly { readonly account_id: string; readonly stale: boolean }[];
  readonly failures: readonly {
    readonly agent: string;
    readonly account_id: string;
    readonly advice: string;
  }[];
}

let sandbox: TestWorld['sandbox'];
let database: TestWorld['database'];
let env: TestWorld['env'];
useWorld('2026-11-20T12:00:00Z', (world) => ({ sandbox, database, env } = world));

const staleAccounts = async (of: Record<string, string>) => {
  const { document } = await floyoJson<Status>(['status'], of);
  return document.sources.filter(({ stale }) => stale).map(({ account_id }) => account_id);
};

it(
  'a backfill of old days makes nothing fresh, nor does one stream hide that another fails',
  { timeout: 60_000 },
  async () => {
    const few = withSources(env, 'SHOPIFY', 'POSTHOG');
    await floyo(['run'], few);
    expect(await staleAccounts(few)).toEqual([]);
    const [shop = ''] = (env['SHOPIFY_SHOPS'] ?? '').split(',');
    await query(database.url, ({ db }) =>
      sql`update ops.agent_results set finished_at = '2026-11-17T12:00:00Z' where account_id = ${shop}`.execute(
        db,
      ),
    );
    expect(await staleAccounts(few)).toEqual([shop]);
    const days = ['--from', '2026-10-01', '--to', '2026-10-01'];
    const backfill = await floyoJson(['backfill', '--source', 'shopify', ...days, '--account', shop], few);
    expect(backfill.document.status).toBe('succeeded');
    expect(await staleAccounts(few)).toEqual([shop]);

    const project = env['POSTHOG_PROJECT_ID'] ?? '';
    const { rows } = await query(database.url, ({ db }) =>
      sql<{ stream: string }>`
      update ops.agent_results set status = 'failed'
      where id = (select id from ops.agent_results where account_id = ${project} order by id desc limit 1)
      returning stream`.execute(db),
    );
    expect(rows).toHaveLength(1);
    expect(await staleAccounts(few)).toEqual([shop, project]);
  },
);

it(
  'names the accounts that fail and says what to do, until they are read again',
  { timeout: 60_000 },
  async () => {
    const both = withSources(env, 'META', 'TIKTOK');
    sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token', times: -1 });
    await floyo(['run'], both);
    // Another run that goes well in between takes nothing away, and neither does it matter where it is asked.
    await floyo(['etl', 'meta'], both);
    for (const asked of [both, withSources(env)]) {
      const { document } = await floyoJson<Status>(['status'], asked);
      const [first = '', second = ''] = (env['TIKTOK_ADVERTISER_IDS'] ?? '').split(',');
      const failing = document.failures.map(({ agent, account_id }) => [agent, account_id]);
      expect(failing).toEqual([
        ['etl-tiktok', first],
        ['etl-tiktok', second],
      ]);
      expect(document.failures.every(({ advice }) => advice !== '')).toBe(true);
      expect(document.sources.filter(({ stale }) => stale)).toHaveLength(2);
    }
    const { stdout } = await floyo(['status'], both);
    expect(stdout).toMatch(/✗ etl-tiktok \d+: .+\n {2}→ /);
    sandbox.faults.clear();
    await floyo(['etl', 'tiktok'], both);
    const healed = await floyoJson<Status>(['status'], both);
    expect(healed.document.failures).toEqual([]);
    expect(healed.document.sources.every(({ stale }) => !stale)).toBe(true);
  },
);
