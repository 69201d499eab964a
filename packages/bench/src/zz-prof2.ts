import { sql } from 'kysely';
import { startBench } from './bench-server.ts';
import { spendRows, COLUMNS } from './spend-rows.ts';
import { encodeRows } from './ways-to-load.ts';
import { createStage, mergeStage } from '@floyo/shared/load';
await using bench = await startBench({ say: () => undefined, env: {} });
await using database = await bench.createDatabase();
const { session } = database;
const db = session.db;
const rows = spendRows(100_000);
const text = encodeRows(rows);
const Q = COLUMNS.map((c) => `"${c}"`).join(', ');
const SQ = COLUMNS.map((c) => `s."${c}"`).join(', ');
const stage = await createStage(session, 'spend');
const run = (s: string) => sql.raw(s).execute(db);
const set = COLUMNS.slice(2)
  .map((c) => `"${c}" = excluded."${c}"`)
  .join(', ');
const vals = (a: string) =>
  COLUMNS.slice(2)
    .map((c) => `${a}."${c}"`)
    .join(', ');
const direct = `with merged as (insert into spend as t (${Q}) select ${SQ} from stage_spend s left join spend o on o.external_id = s.external_id and o.date = s.date where o.external_id is null or (${vals('s')}) is distinct from (${vals('o')}) order by s.external_id, s.date on conflict (external_id, date) do update set ${set} where (${vals('t')}) is distinct from (${vals('excluded')}) returning (t.xmax = 0) as inserted) select count(*) filter (where inserted) from merged`;
const variants: Record<string, () => Promise<unknown>> = {
  stagecopy: async () => {
    await run('truncate stage_spend');
    await session.copyFrom(`copy pg_temp.stage_spend (${Q}) from stdin`, text);
  },
  analyze: () => run('analyze stage_spend'),
  analyzeKey: () => run('analyze stage_spend (external_id, date)'),
  plain: () => run(`insert into spend (${Q}) select ${Q} from stage_spend`),
  conflict: () =>
    run(
      `insert into spend as t (${Q}) select ${Q} from stage_spend on conflict (external_id, date) do update set ${set} where (${vals('t')}) is distinct from (${vals('excluded')})`,
    ),
  direct: () => run(direct),
  directMem: () =>
    db.transaction().execute(async (trx) => {
      await sql`set local work_mem = '64MB'`.execute(trx);
      await sql.raw(direct).execute(trx);
    }),
  merge: () =>
    db.transaction().execute((trx) =>
      mergeStage(trx, {
        stage,
        table: 'spend',
        key: ['external_id', 'date'],
        runId: '00000000-0000-4000-8000-000000000001',
      }),
    ),
  mergeMem: () =>
    db.transaction().execute(async (trx) => {
      await sql`set local work_mem = '64MB'`.execute(trx);
      await mergeStage(trx, {
        stage,
        table: 'spend',
        key: ['external_id', 'date'],
        runId: '00000000-0000-4000-8000-000000000001',
      });
    }),
  barecopy: () => session.copyFrom(`copy spend (${Q}) from stdin`, text),
};
const took: Record<string, number[]> = {};
for (let i = 0; i < 5; i++)
  for (const [name, work] of Object.entries(variants)) {
    if (!name.startsWith('analyze')) {
      await run('truncate spend, ops.dirty_marks');
      await run('checkpoint');
    }
    const t = performance.now();
    await work();
    (took[name] ??= []).push(Math.round(performance.now() - t));
  }
console.table(
  Object.fromEntries(Object.entries(took).map(([k, v]) => [k, { min: Math.min(...v), all: v.join(' ') }])),
);
