/** Ways to bring rows of `spend` into the table: the project's own, and those it is compared with. */
import { randomUUID } from 'node:crypto';

import { CompiledQuery, sql } from 'kysely';

import { meta } from '@floyo/etl-meta';
import { encodeRow } from '@floyo/shared/copy-text';
import type { Session } from '@floyo/shared/db';
import { createLoader } from '@floyo/shared/load';

import { ACCOUNT, COLUMNS, type SpendRow, WINDOW } from './spend-rows.ts';

type Row = Readonly<Record<string, unknown>>;
const QUOTED = COLUMNS.map((column) => `"${column}"`).join(', ');

/** As the runner does it: staged, ids of other accounts looked for, then one transaction that replaces the days. */
export async function createOurWay(session: Session): Promise<(rows: Iterable<SpendRow>) => Promise<void>> {
  const [stream] = meta.streams;
  if (stream === undefined) throw new Error('Meta has no stream');
  const loader = await createLoader(session, stream);
  const scope = stream.parent.scope(ACCOUNT);
  return async (rows) => {
    await loader.clear();
    for (const row of rows) await loader.add({ spend: [row] });
    await loader.flush();
    await session.db.transaction().execute((trx) => loader.takeForeignRows(trx, scope));
    await session.db
      .transaction()
      .execute((trx) =>
        loader.apply(trx, { scope, runId: randomUUID(), replace: { window: WINDOW, keep: [] } }),
      );
  };
}

/** The rows as COPY's text. */
export function encodeRows(rows: readonly Row[]): string {
  return rows.map((row) => encodeRow(COLUMNS, row)).join('');
}

/** COPY straight into the table: no duplicates, no changes, nothing but new rows. */
export function copyBare(session: Session, text: string): Promise<void> {
  return session.copyFrom(`copy spend (${QUOTED}) from stdin`, text);
}

/** `INSERT … VALUES … ON CONFLICT DO UPDATE` of `size` rows each, all in one transaction, as the bound values allow. */
export async function upsertMultiRow(session: Session, rows: readonly Row[], size: number): Promise<void> {
  const set = COLUMNS.filter((column) => column !== 'external_id' && column !== 'date')
    .map((column) => `"${column}" = excluded."${column}"`)
    .join(', ');
  const statement = (count: number) =>
    `insert into spend (${QUOTED}) values ${Array.from({ length: count }, (_, row) => `(${COLUMNS.map((_name, column) => `$${row * COLUMNS.length + column + 1}`).join(', ')})`).join(', ')}
     on conflict (external_id, date) do update set ${set}`;
  const full = statement(size);
  await session.db.transaction().execute(async (trx) => {
    for (let start = 0; start < rows.length; start += size) {
      const batch = rows.slice(start, start + size);
      const values = batch.flatMap((row) => COLUMNS.map((column) => row[column]));
      const text = batch.length === size ? full : statement(batch.length);
      await trx.executeQuery(CompiledQuery.raw(text, values));
    }
  });
}

/** COPY into a temporary table, then one upsert of all of it, changed or not. */
export async function upsertUnguarded(session: Session, text: string): Promise<void> {
  const set = sql.join([
    ...COLUMNS.map((column) => sql`${sql.ref(column)} = ${sql.ref(`excluded.${column}`)}`),
    sql`synced_at = excluded.synced_at`,
  ]);
  await sql`create temp table if not exists unguarded (like spend including defaults)`.execute(session.db);
  await sql`truncate unguarded`.execute(session.db);
  await session.copyFrom(`copy pg_temp.unguarded (${QUOTED}) from stdin`, text);
  const columns = sql.join(COLUMNS.map((column) => sql.ref(column)));
  await sql`
    insert into spend (${columns}, synced_at) select ${columns}, now() from unguarded
    on conflict (external_id, date) do update set ${set}`.execute(session.db);
}
