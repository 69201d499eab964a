/** The database side of re-reads: which objects are in doubt, and what becomes of them, in transactions of the run. */
import { sql } from 'kysely';

import { retryConflicts } from '@floyo/shared/apply-loader';
import type { Desk } from '@floyo/shared/connector';

import { encodeChange } from '../mapping/encode-change.ts';
import type { DirtyObject, DirtyStore } from './reread.ts';

/** What stripe_apply answers when something changed. */
const CHANGED = 'processed';

/** A store over a session; a run's is told what changes, to count it with the stream's rows. */
export function createStore({
  db,
  write,
  runId,
  count,
}: Pick<Desk, 'db' | 'write'> & Partial<Desk>): DirtyStore {
  return {
    async listDirty(livemode, limit) {
      const { rows } = await sql<DirtyObject>`
        select account, type, object_id as id from public.billing_objects
        where dirty_since is not null and livemode = ${livemode}
        order by dirty_since, account, type, object_id limit ${limit}`.execute(db);
      return rows;
    },
    async apply(change) {
      const result = await retryConflicts(() =>
        write(async (trx) => {
          const { rows } = await sql<{ result: string }>`
          select public.stripe_apply(${encodeChange(runId === undefined ? change : { ...change, run_id: runId })}::jsonb) as result`.execute(
            trx,
          );
          return rows[0]?.result ?? '';
        }),
      );
      count?.(result === CHANGED ? { updated: 1 } : { unchanged: 1 });
      return result;
    },
  };
}
