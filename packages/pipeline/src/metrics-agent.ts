/** The metrics agent of a run: computes, and writes its result and warnings into the ledger. */
import { runMetrics } from '@floyo/metrics';
import { LockLostError, PipelineError, toPipelineError } from '@floyo/shared/errors';
import type { AgentResult } from '@floyo/shared/ledger';
import type { RunContext } from '@floyo/shared/runner';

import type { Basis } from './environment.ts';
import { readVersion } from './read-version.ts';
import type { RunRequest } from './run.ts';

/** The metrics agent: what is dirty or due, or what was asked for. */
export async function computeMetrics(
  run: RunContext,
  request: RunRequest,
  basis: Basis,
  warnings: string[],
): Promise<AgentResult> {
  const startedAt = new Date();
  const base = { agent: 'metrics', account_id: null, stream: null, started_at: startedAt.toISOString() };
  const none = {
    window_from: null,
    window_to: null,
    rows_read: 0,
    rows_rejected: 0,
    api_calls: 0,
    retries: 0,
    throttled_ms: 0,
  };
  const finish = () => {
    const finishedAt = new Date();
    return { finished_at: finishedAt.toISOString(), duration_ms: finishedAt.getTime() - startedAt.getTime() };
  };
  try {
    const outcome = await runMetrics({
      session: run.session,
      write: run.write,
      ...basis,
      reporting: run.reporting,
      readVersion,
      now: run.now(),
      runId: run.ledger.runId,
      log: run.log.child({ pkg: 'metrics' }),
      signal: run.signal,
      ...request.metrics,
    });
    for (const warning of outcome.warnings) {
      warnings.push(warning.message);
      await run.ledger.writeError({ agent: 'metrics', accountId: null }, new PipelineError(warning));
    }
    return await run.ledger.writeResult({
      ...base,
      ...none,
      ...finish(),
      status: 'succeeded',
      rows_inserted: outcome.inserted,
      rows_updated: outcome.updated,
      rows_unchanged: outcome.unchanged,
      rows_deleted: outcome.deleted,
      metadata: {
        days: outcome.days,
        experiments: outcome.experiments,
        revisions: outcome.revisions,
        unpriced: outcome.unpriced,
        check: outcome.check,
      },
    });
  } catch (error) {
    if (run.signal.aborted || error instanceof LockLostError || run.session.lost.aborted) throw error;
    run.log.error({ pkg: 'metrics' }, toPipelineError(error).message);
    const counts = { rows_inserted: 0, rows_updated: 0, rows_unchanged: 0, rows_deleted: 0 };
    return run.ledger.writeResult(
      { ...base, ...none, ...finish(), ...counts, status: 'failed', metadata: {} },
      error,
    );
  }
}
