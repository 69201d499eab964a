import { sql } from 'kysely';
import { meta } from '@floyo/etl-meta';
import { createLoader, mergeStage } from '@floyo/shared/load';
import { startBench } from './bench-server.ts';
import { spendRows, ACCOUNT, WINDOW } from './spend-rows.ts';
import { encodeRows, copyBare } from './ways-to-load.ts';
await using bench = await startBench({ say: () => undefined, env: {} });
await using database = await bench.createDatabase();
const { session } = database; const db = session.db;
const rows = spendRows(100_000);
const stream = meta.streams[0]!; const scope = stream.parent.scope(ACCOUNT);
const loader = await createLoader(session, stream);
const took: Record<string, number[]> = {};
const timed = async (n: string, w: () => Promise<unknown>) => { const t = performance.now(); await w(); (took[n] ??= []).push(Math.round(performance.now() - t)); };
for (let i = 0; i < 6; i++) {
  await sql`truncate spend, ops.dirty_marks`.execute(db); await sql`checkpoint`.execute(db);
  await loader.clear();
  await timed('encode only', async () => { encodeRows(rows); });
  await timed('add', async () => { for (const r of rows) await loader.add({ spend: [r] }); });
  await timed('flush', () => loader.flush());
  await timed('foreign', () => db.transaction().execute((trx) => loader.takeForeignRows(trx, scope)));
  await db.transaction().execute(async (trx) => {
    await timed('apply', () => loader.apply(trx, { scope, runId: '00000000-0000-4000-8000-000000000001', replace: { window: WINDOW, keep: [] } }));
    await timed('commit', async () => undefined);
  });
  await sql`truncate spend, ops.dirty_marks`.execute(db); await sql`checkpoint`.execute(db);
  for (const m of ['4MB', '32MB', '128MB']) { await sql`truncate spend, ops.dirty_marks`.execute(db); await sql`checkpoint`.execute(db); await sql.raw(`set work_mem = '${m}'`).execute(db); await timed('merge ' + m, () => db.transaction().execute((trx) => mergeStage(trx, { stage: 'stage_spend', table: 'spend', key: ['external_id', 'date'], runId: '00000000-0000-4000-8000-000000000001' }))); } await sql`reset work_mem`.execute(db);
  await sql`truncate spend, ops.dirty_marks`.execute(db); await sql`checkpoint`.execute(db);
  const text = encodeRows(rows);
  await timed('bare', () => copyBare(session, text));
}
console.table(Object.fromEntries(Object.entries(took).map(([k, v]) => [k, { min: Math.min(...v), all: v.join(' ') }])));
