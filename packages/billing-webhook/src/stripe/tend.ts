/**
 * What billing looks after once it was read: events of the webhook that failed, rows of the past that events overtook,
 * objects in doubt, and once a day the comparison of everything with Stripe.
 */
import type { Desk, Io, Tended } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { recall, remember } from '@floyo/shared/state';

import { sweepFailed } from '../sweep.ts';
import { rebuildPast } from './rebuild-past.ts';
import { reconcileBilling } from './reconcile.ts';
import { type Reread, rereadDirty } from './reread.ts';
import type { StripeSession } from './session.ts';
import { createStore } from './store.ts';

/** Objects re-read in one run: 50 seconds at the pace of the key. The rest waits for the next one. */
const REREADS = 1_000;
const RECONCILED = { agent: 'billing', scope: 'default/events', key: 'reconciled' } as const;

export async function tendBilling(session: StripeSession, desk: Desk, io: Io): Promise<Tended> {
  const { client, state } = session;
  // Where the webhook is on the edge, nobody else tries its failures again.
  const retried = await sweepFailed(desk.session, desk.runId);
  const known = desk.work === 'scheduled' ? await recall(desk.db, RECONCILED) : undefined;
  const isDue = desk.work === 'scheduled' && known?.value !== desk.today;
  const rebuilt = await rebuildPast(session, desk, state.isRead || isDue || desk.work === 'backfill');
  const reread = await rereadDirty({ client, io, store: createStore(desk), limit: REREADS });
  const metadata: Record<string, unknown> = {
    ...(retried.length > 0
      ? {
          retried: {
            tried: retried.length,
            failed: retried.filter(({ status }) => status === 'failed').length,
          },
        }
      : {}),
    ...(rebuilt > 0 ? { reconstructed: rebuilt } : {}),
    ...(reread.read > 0 ? { reread: { read: reread.read, gone: reread.gone, skipped: reread.skipped } } : {}),
  };
  const warnings = [...unreadable(reread)];
  // What was listed in this very run is as Stripe has it.
  if (!isDue || state.isRead) return { metadata, warnings };
  const reconciled = await reconcileBilling(session, desk, io);
  await desk.write((trx) => remember(trx, RECONCILED, desk.today, known?.version ?? 0));
  return {
    metadata: { ...metadata, ...reconciled.metadata },
    warnings: [...warnings, ...reconciled.warnings],
  };
}

function unreadable({ failures }: Reread): PipelineError[] {
  return failures.map(
    (failure) =>
      new PipelineError({
        type: failure.type,
        severity: 'P2',
        message: `Objects in doubt could not be read again: ${failure.message}`,
        advice: failure.advice,
        context: failure.context,
        cause: failure,
      }),
  );
}
