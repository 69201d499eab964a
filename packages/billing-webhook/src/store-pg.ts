/** The store over a pool of Postgres connections: one prepared statement an event. */
import { type Pool, sqlState } from '@floyo/shared/db';

import { type EventStore, StoreError, toApplied } from './store.ts';

export function createPgStore(pool: Pool): EventStore {
  async function ask(name: string, text: string, values: readonly string[]): Promise<unknown> {
    try {
      return (await pool.query(name, text, values))[0]?.['answer'];
    } catch (error) {
      throw new StoreError(error instanceof Error ? error.message : String(error), sqlState(error), error);
    }
  }
  return {
    async apply(change) {
      return toApplied(
        await ask('stripe_apply', 'select public.stripe_apply($1::jsonb) as answer', [change]),
      );
    },
    async check() {
      const found = await ask(
        'stripe_check',
        "select to_regprocedure('public.stripe_apply(jsonb)') is not null as answer",
        [],
      );
      if (found !== true) throw new StoreError('The database lacks public.stripe_apply', '42883');
    },
  };
}
