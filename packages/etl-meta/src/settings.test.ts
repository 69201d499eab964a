/** Another conversion action, from the sandbox to the tables: days that count something else than the others are told. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Sandbox, startSandbox } from '@floyo/sandbox';
import type { Session } from '@floyo/shared/db';
import { runSource, type Work } from '@floyo/shared/runner';
import type { TestDatabase } from '@floyo/shared/testing/database';
import { containing } from '@floyo/shared/testing/matchers';
import { startTestRun } from '@floyo/shared/testing/test-run';
import { useDatabase } from '@floyo/shared/testing/use-database';
import type { DayWindow } from '@floyo/shared/window';

import { meta } from './index.ts';
import { NOW, sandboxConfig, US } from './testing/harness.ts';

const CART = 'add_to_cart';
const WEEK: DayWindow = { from: '2026-09-01', to: '2026-09-08' };

let sandbox: Sandbox;
let database: TestDatabase;
let session: Session;
beforeAll(async () => {
  sandbox = await startSandbox({ now: NOW });
});
afterAll(() => sandbox.close());
useDatabase(['spend', 'ops.runs', 'ops.coverage', 'ops.agent_state'], (opened) => {
  ({ database, session } = opened);
});

/** What people are told by a run that counts this action. */
async function run(conversionAction: string, window?: DayWindow): Promise<string[]> {
  const warnings: string[] = [];
  await using begun = await startTestRun(database.url, { now: NOW, warn: (text) => warnings.push(text) });
  const config = { ...sandboxConfig(sandbox), accountIds: [US], conversionAction };
  const work: Work = window ? { kind: 'backfill', window, accountId: US } : { kind: 'scheduled' };
  const results = await runSource(begun.run, meta, config, work);
  expect(results).toMatchObject([{ status: 'succeeded' }]);
  await begun.run.ledger.finish('succeeded', {});
  return warnings;
}

/** The conversions of the week as they are stored, and those that each action told. */
async function conversionsOfWeek() {
  const told = (action: string) => sql`sum((select sum((a ->> 'value')::numeric)
    from jsonb_array_elements(raw -> 'actions') a where a ->> 'action_type' = ${action}))::int`;
  const { rows } = await sql<{ stored: number; purchase: number; cart: number }>`
    select sum(conversions)::int as stored, ${told('purchase')} as purchase, ${told(CART)} as cart
    from spend where date >= ${WEEK.from}::date and date < ${WEEK.to}::date`.execute(session.db);
  const [sums] = rows;
  if (sums === undefined) throw new Error('no sums');
  return sums;
}

test('a changed action is told with the days that count the old one, until the command it names has read them', async () => {
  expect(await run('purchase', WEEK)).toEqual([]);
  expect(await run('purchase')).toEqual([]);
  const before = await conversionsOfWeek();
  expect([before.stored, before.stored === before.cart]).toEqual([before.purchase, false]);

  const command = `floyo backfill --source meta --account ${US} --from 2026-09-01 --to 2026-09-07`;
  const told = [
    containing(
      `7 days of insights (2026-09-01 to 2026-09-07) were read with META_CONVERSION_ACTION=purchase; in force is META_CONVERSION_ACTION=${CART}, so that figures differ between them and other days although nothing happened. Read them again with \`${command}\``,
    ),
  ];
  expect(await run(CART)).toEqual(told);
  expect(await run(CART)).toEqual(told);
  const { rows } = await sql`select distinct severity, message from ops.errors`.execute(session.db);
  expect(rows).toEqual([{ severity: 'P2', message: containing(command) }]);
  expect(await conversionsOfWeek()).toEqual(before);

  expect(await run(CART, WEEK)).toEqual([]);
  expect(await conversionsOfWeek()).toEqual({ ...before, stored: before.cart });
  expect(await run(CART)).toEqual([]);
});

test('days of before this was remembered are not told, whatever they were read with', async () => {
  await run('purchase', WEEK);
  await sql`update ops.coverage set settings = null`.execute(session.db);
  expect(await run(CART)).toEqual([]);
});

test('days of more than 37 months ago are not told: nobody could read them again', async () => {
  await run('purchase');
  await sql`
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at, settings)
    select source, account_id, stream, d.day::date, read_at, read_at, settings
    from ops.coverage c, unnest(array['2023-10-25', '2023-10-26']) d (day) where c.day = '2026-11-21'`.execute(
    session.db,
  );
  expect(await run(CART)).toEqual([containing('One day of insights (2023-10-26) was read')]);
});
