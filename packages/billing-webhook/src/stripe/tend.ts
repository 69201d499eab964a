/**
 * What billing looks after once it was read: rows of the past that events overtook, objects in doubt, and once a day the
 * comparison of everything with Stripe.
 */
import { sql } from 'kysely';

import type { Desk, Io, Tended } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { recall, remember } from '@floyo/shared/state';

import { reconcileBilling } from './reconcile.ts';
import { type Reread, rereadDirty } from './reread.ts';
import type { StripeSession } from './session.ts';
import { createStore } from './store.ts';

/** Objects re-read in one run: 50 seconds at the pace of the key. The rest waits for the next one. */
const REREADS = 1_000;
/** Subscriptions whose past is made in one transaction. */
const REBUILT_AT_ONCE = 500;
const RECONCILED = { agent: 'billing', scope: 'default/events', key: 'reconciled' } as const;

export async function tendBilling(session: StripeSession, desk: Desk, io: Io): Promise<Tended> {
  const { client, state } = session;
  const known = desk.work === 'scheduled' ? await recall(desk.db, RECONCILED) : undefined;
  const isDue = desk.work === 'scheduled' && known?.value !== desk.today;
  const rebuilt = await rebuildPast(session, desk, state.isRead || isDue || desk.work === 'backfill');
  const reread = await rereadDirty({ client, io, store: createStore(desk), limit: REREADS });
  const metadata: Record<string, unknown> = {
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

/** Rows of the past that events tell better go. After whole lists, and once a day, what no invoice tells is looked for. */
async function rebuildPast(
  { id: account, client }: StripeSession,
  { write, runId, count }: Desk,
  everything: boolean,
): Promise<number> {
  const { livemode } = client;
  const dropped = await write(async (trx) => {
    const { rows } = await sql<{
      rows: number;
    }>`select public.drop_overtaken_subscriptions() as rows`.execute(trx);
    return rows[0]?.rows ?? 0;
  });
  let rebuilt = 0;
  for (let left = true; left;)
    left = await write(async (trx) => {
      const { rows } = await sql<{ subscriptions: number; changed: number }>`
        select * from public.rebuild_subscriptions(${account}, ${livemode}, ${REBUILT_AT_ONCE}, ${runId}::uuid)`.execute(
        trx,
      );
      rebuilt += rows[0]?.changed ?? 0;
      return (rows[0]?.subscriptions ?? 0) > 0;
    });
  const added = !everything
    ? 0
    : await write(async (trx) => {
        const { rows } = await sql<{ rows: number }>`
      select public.extend_subscriptions(${account}, ${livemode}, ${runId}::uuid) as rows`.execute(trx);
        return rows[0]?.rows ?? 0;
      });
  count({ deleted: dropped, updated: rebuilt, inserted: added });
  return dropped + rebuilt + added;
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
