/** What the webhook's server does between deliveries: re-reads the objects that events left in doubt. */
import type { Session } from '@floyo/shared/db';
import { createHttpClient } from '@floyo/shared/http';

import { createStripeClient, type StripeKey, type Timing } from './client.ts';
import { type Reread, rereadDirty } from './reread.ts';
import { createStore } from './store.ts';

/** Objects in one round; the next round goes on. */
const AT_ONCE = 200;
/** A round that Stripe holds up longer is broken off; the doubts stay. */
const WAIT_BUDGET_MS = 30_000;
const RETRY_BASE_MS = 1_000;

/** One round. Throws PipelineError when Stripe can't be asked at all; what is in doubt stays so. */
export async function rereadInDoubt(options: {
  readonly session: Session;
  readonly key: StripeKey;
  readonly signal: AbortSignal;
  readonly timing?: Timing;
}): Promise<Reread> {
  const { session, key, signal, timing = {} } = options;
  const http = createHttpClient({
    signal,
    now: Date.now,
    retryBaseMs: RETRY_BASE_MS,
    waitBudgetMs: WAIT_BUDGET_MS,
  });
  return rereadDirty({
    client: createStripeClient(key, timing),
    io: { http, signal },
    store: createStore({
      db: session.db,
      write: (work) => session.db.transaction().execute(work),
    }),
    limit: AT_ONCE,
  });
}
