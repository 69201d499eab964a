/** What people are told about a stream although nothing failed: P2 errors of the ledger, warnings of the run. */
import { PipelineError } from './errors.ts';
import type { Drift } from './reconcile.ts';

/** Totals that differ from the vendor's; at most one warning, with the first as example. */
export function driftWarnings(
  source: string,
  accountId: string,
  count: number,
  drift: readonly Drift[],
): PipelineError[] {
  const first = drift[0];
  if (first === undefined) return [];
  return [
    new PipelineError({
      type: 'drift',
      severity: 'P2',
      message: `${source} ${accountId}: ${count === 1 ? 'one total differs' : `${count} totals differ`} from the vendor's by more than 0.1 %, e.g. ${first.measure} of ${first.day}: ${first.ours} here, ${first.theirs} there`,
      advice: `Read the days again: \`floyo backfill --source ${source} --account ${accountId} --from ${first.day} --to ${first.day}\`. If it stays, compare with the vendor's own report: some totals hold what its rows do not tell.`,
      context: { drift },
    }),
  ];
}

/** The vendor's totals could not be had. */
export function incomparable(stream: string, error: PipelineError): PipelineError {
  return new PipelineError({
    type: error.type,
    severity: 'P2',
    message: `The rows of ${stream} are loaded, but could not be compared with the vendor's totals: ${error.message}`,
    advice: error.advice,
    retryable: error.retryable,
    context: error.context,
    cause: error,
  });
}

/** Records that were set aside. */
export function rejectsWarning(stream: string, rejected: number, read: number): PipelineError {
  return new PipelineError({
    type: 'rejects',
    severity: 'P2',
    message: `${rejected} of ${read} records of ${stream} were set aside`,
    advice:
      '`floyo rejects list` shows them with their reasons; after a fix `floyo rejects replay` loads them.',
  });
}
