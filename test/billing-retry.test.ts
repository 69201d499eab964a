/** `floyo billing retry`: what it tells people and scripts, and its exit codes. */
import { sql } from 'kysely';
import { expect, it } from 'vitest';

import { connect } from '@floyo/shared/db';

import { floyo, floyoJson, type TestWorld, useWorld } from './floyo.ts';

let env: TestWorld['env'];
useWorld('2026-11-20T12:00:00Z', (world) => ({ env } = world));

it('applies failed events again, and says which still fail', async () => {
  const payload = (id: string, status: unknown) => ({
    id,
    object: 'event',
    api_version: '2025-09-30.clover',
    created: 1_795_132_800,
    livemode: true,
    type: 'customer.subscription.created',
    data: {
      object: {
        id: `sub_${id}`,
        object: 'subscription',
        created: 1_795_132_800,
        customer: 'cus_1',
        items: { object: 'list', data: [], has_more: false },
        status,
      },
    },
  });
  const session = await connect(env['DATABASE_URL'] ?? '');
  for (const event of [payload('evt_good', 'active'), payload('evt_bad', 7)])
    await sql`
      insert into billing_events (external_id, date, account, livemode, type, event_created, status, error, payload)
      values (${`stripe:${event.id}`}, '2026-11-20', 'default', true, ${event.type}, now(), 'failed', 'before the fix',
        ${JSON.stringify(event)}::jsonb)`.execute(session.db);

  const all = await floyoJson<{ events: { event: string; status: string; error: string | null }[] }>(
    ['billing', 'retry'],
    env,
  );
  expect(all.code).toBe(1);
  expect(all.document.events.map(({ event, status, error }) => [event, status, error])).toEqual([
    ['evt_good', 'processed', null],
    ['evt_bad', 'failed', 'subscription sub_evt_bad: status should be a text and is a number'],
  ]);
  expect(await session.db.selectFrom('subscriptions').select(['external_id', 'status']).execute()).toEqual([
    { external_id: 'stripe:sub_evt_good', status: 'active' },
  ]);
  await session.end();

  const one = await floyo(['billing', 'retry', 'evt_good'], env);
  expect([one.code, one.stdout]).toEqual([0, 'evt_good has not failed: it is processed.\n']);
  expect((await floyo(['billing', 'retry', 'evt_nowhere'], env)).code).toBe(2);
});
