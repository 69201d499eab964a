/** Rows that another account holds are not taken over: they leave the stage and are set aside. */
import type { Database, Transaction } from './db.ts';
import type { Loader } from './load.ts';
import { quarantine, type Reject, type RejectKey } from './rejects.ts';

/** Takes rows that another account holds out of the stage and sets them aside; returns how many there were. */
export async function refuseForeignRows(
  trx: Transaction<Database>,
  loader: Loader,
  options: {
    readonly scope: Readonly<Record<string, string>>;
    readonly rejectKey: RejectKey;
    readonly runId: string;
  },
): Promise<number> {
  const foreign = await loader.takeForeignRows(trx, options.scope);
  const rejects = foreign.map(({ externalId, row }): Reject => {
    const date = dateOf(row);
    return {
      externalId,
      ...(date === undefined ? {} : { date }),
      reasons: [`${externalId} belongs to another account here; it is not taken over`],
      payload: row,
    };
  });
  await quarantine(trx, options.rejectKey, rejects, options.runId);
  return rejects.length;
}

function dateOf(row: unknown): string | undefined {
  return row !== null && typeof row === 'object' && 'date' in row && typeof row.date === 'string'
    ? row.date
    : undefined;
}
