import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sql } from 'kysely';
import { expect, test } from 'vitest';

import { connect } from './db.ts';
import { repositoryRoot } from './paths.ts';
import { createTestDatabase } from './testing/database.ts';
import { runTestSource } from './testing/test-run.ts';
import { type AdDay, createAdsSource, createWorld } from './testing/test-sources.ts';

const MIGRATION = 'supabase/migrations/20261121116400_name_unfinished_backfills.sql';

test('an agent whose 10 KB older versions filled with backfills can run again, its other memories kept', async () => {
  const database = await createTestDatabase();
  const session = await connect(database.url);
  await sql`alter table ops.runs drop column unfinished_backfill`.execute(session.db);
  await sql`
    insert into ops.agent_state (agent, scope, key, value)
    select 'etl-meta', account || '/insights', 'backfill 2024-01-01..2026-10-01', to_jsonb(array_fill(gen_random_uuid(), array[6]))
    from generate_series(1, 60) account
    union all select 'etl-meta', 'A/insights', 'backfill 2000-01-01..2000-01-06', '"no list"'
    union all select 'etl-meta', 'A/insights', 'cursor', '{"since": "2026-11-19"}'`.execute(session.db);
  await sql.raw(await readFile(join(repositoryRoot, MIGRATION), 'utf8')).execute(session.db);
  const world = createWorld<AdDay>({ A: [{ ad: '1', day: '2026-11-20', spend: '1' }], B: [] });
  const results = await runTestSource(database.url, createAdsSource(world), { now: '2026-11-21T09:00:00Z' });
  expect(results.map(({ status, error }) => [status, error])).toEqual([
    ['succeeded', null],
    ['succeeded', null],
  ]);
  const { rows } =
    await sql`select scope, key, value ->> 'since' as since from ops.agent_state order by scope`.execute(
      session.db,
    );
  expect(rows).toEqual([
    { scope: 'A/insights', key: 'cursor', since: '2026-11-19' },
    { scope: 'B/insights', key: 'cursor', since: '2026-11-18' },
  ]);
  await session.end();
  await database.drop();
});
