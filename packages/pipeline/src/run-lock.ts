/** How a run comes by the lock, and what makes it stop early. */
import type { Session } from '@floyo/shared/db';
import { LockLostError, PipelineError } from '@floyo/shared/errors';
import { acquireLock, findHolder, type RunLock } from '@floyo/shared/lock';

import type { RunDocument, RunRequest, RunWorld } from './run.ts';

/** The process was asked to stop (Ctrl-C, a cancelled job). */
export class InterruptedError extends PipelineError {
  constructor(signal: string) {
    super({
      type: 'internal',
      severity: 'P3',
      message: `Stopped by ${signal}`,
      advice: 'What was committed is kept; the next run goes on where this one stopped.',
    });
  }
}

export async function takeLock(
  { database, signal, watcher }: RunWorld,
  { waitMs, skipWhenBusy }: RunRequest,
  runId: string,
): Promise<{ readonly lock: RunLock } | { readonly busy: NonNullable<RunDocument['skipped_because']> }> {
  const atOnce = await acquireLock(database.lockSession, runId, 0);
  if (atOnce) return { lock: atOnce };
  const holder = await findHolder(database.session.db);
  if (!skipWhenBusy || holder === null || holder.kind === 'backfill') {
    watcher.waiting({ kind: holder?.kind ?? null, since: holder?.since ?? null });
    const lock = await acquireLock(database.lockSession, runId, waitMs, signal);
    if (lock) return { lock };
  }
  return {
    busy: { run_id: holder?.run_id ?? null, holder: holder?.kind ?? null, since: holder?.since ?? null },
  };
}

/** One signal for all that ends a run early: Ctrl-C, the lock's connection gone, the database gone. */
export function linkAborts(
  stop: AbortSignal,
  lockSession: Session,
  sessions: readonly Session[],
  runId: string,
): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  const causes = [
    { signal: stop, reason: () => stop.reason as unknown },
    {
      signal: lockSession.lost,
      reason: () => new LockLostError("The lock's connection was lost", { run_id: runId }),
    },
    ...sessions.map(({ lost }) => ({ signal: lost, reason: () => lost.reason as unknown })),
  ];
  const listeners = causes.map(({ signal, reason }) => {
    const listener = () => controller.abort(reason());
    if (signal.aborted) listener();
    signal.addEventListener('abort', listener);
    return () => signal.removeEventListener('abort', listener);
  });
  return { signal: controller.signal, stop: () => listeners.forEach((remove) => remove()) };
}
