/** What the demo's table of months says is what metric_range says, with its marks. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { addDefinitions } from '@floyo/metrics';
import { connect, type Session } from '@floyo/shared/db';
import { createTestDatabase, type TestDatabase } from '@floyo/shared/testing/database';

import { formatSubscriptionMonths, readSubscriptionMonths } from './demo-subscriptions.ts';

let database: TestDatabase;
let session: Session;
beforeAll(async () => {
  database = await createTestDatabase();
  session = await connect(database.url);
  await session.db.transaction().execute((trx) => addDefinitions(trx));
});
afterAll(async () => {
  await session.end();
  await database.drop();
});

/** A stored row for each day from one to the other. */
async function store(
  metric: string,
  from: string,
  to: string,
  row: { readonly value: string | null; readonly unit: string; readonly status: string },
): Promise<void> {
  await sql`
    insert into daily_metrics (external_id, date, metric, dimensions, value, unit, status, computed_at)
    select ${metric}, d::date, ${metric}, '{}', ${row.value}::numeric, ${row.unit}, ${row.status}, now()
    from generate_series(${from}::timestamp, ${to}::timestamp, '1 day') d`.execute(session.db);
}

test('a month is marked for what is missing or may change, and shows no earlier day in place of its last', async () => {
  await store('mrr', '2026-09-20', '2026-09-30', { value: '100', unit: 'USD', status: 'final' });
  await store('mrr', '2026-10-01', '2026-10-31', { value: '120', unit: 'USD', status: 'final' });
  await store('mrr', '2026-11-01', '2026-11-03', { value: '130.5', unit: 'USD', status: 'provisional' });
  await store('orders', '2026-10-01', '2026-10-09', { value: '7', unit: 'count', status: 'incomplete' });
  await store('orders', '2026-10-10', '2026-10-31', { value: '1', unit: 'count', status: 'final' });
  await store('orders', '2026-11-01', '2026-11-03', { value: '2', unit: 'count', status: 'provisional' });
  await store('ltv_to_cac', '2026-10-01', '2026-10-31', { value: '0.5', unit: 'ratio', status: 'final' });
  await store('ltv_to_cac', '2026-11-01', '2026-11-02', { value: '0.47', unit: 'ratio', status: 'final' });
  await store('ltv_to_cac', '2026-11-03', '2026-11-03', { value: null, unit: 'ratio', status: 'incomplete' });
  const text = formatSubscriptionMonths(await readSubscriptionMonths(session));
  const cells = text.split('\n').map((line) => line.trim().split(/ {2,}/));
  const columnOf = (title: string) => cells[0]?.indexOf(title) ?? -1;
  const month = (name: string) => cells.find(([first]) => first === name) ?? [];
  const shown = (title: string) =>
    ['2026-09', '2026-10', '2026-11'].map((name) => month(name)[columnOf(title)]);
  expect(shown('MRR')).toEqual(['100.00', '120.00', '130.50 ~']);
  expect(shown('LTV:CAC')).toEqual(['–', '0.50', '– …']);
  expect(shown('orders')).toEqual(['–', '85 …', '6 ~']);
  expect(text.split('\n').at(-1)).toBe('~ provisional, … incomplete, – no value');
});
