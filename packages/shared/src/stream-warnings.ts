/** What people are told about a stream although nothing failed: P2 errors of the ledger, warnings of the run. */
import { Temporal } from 'temporal-polyfill';

import { PipelineError } from './errors.ts';
import type { Drift } from './reconcile.ts';
import type { PlanInput, ScheduledPlan } from './stream-plan.ts';

/** The share of a vendor's reach at which not having read is told: at 25 of 30 days. */
const WARN_AT = 25 / 30;

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

/** A vendor that forgets its changes forgot some before they were read, or soon would have. */
export function forgottenWarnings(input: PlanInput, plan: ScheduledPlan, isKnown: boolean): PipelineError[] {
  const { connector, stream, now } = input;
  const reachMs = stream.changes?.reachMs;
  if (reachMs === undefined || !isKnown) return [];
  const days = (ms: number) => Math.floor(ms / 86_400_000);
  const readTo = plan.forgotten?.from ?? plan.cursor.synced_to ?? now.toString();
  const ageMs = now.epochMilliseconds - Temporal.Instant.from(readTo).epochMilliseconds;
  if (ageMs <= reachMs * WARN_AT) return [];
  const told = `${connector.source} tells ${stream.name} of the last ${days(reachMs)} days only, and they were last read ${days(ageMs)} days ago`;
  return [
    new PipelineError({
      type: 'drift',
      severity: 'P2',
      message: plan.forgotten
        ? `${told}: those before ${plan.forgotten.to} are lost, the days since were read whole again instead`
        : `${told}: run it more often, or ${stream.name} are lost`,
      advice: plan.forgotten
        ? 'The state is right from now on. What changed and changed back in between is not known; let the schedule run daily.'
        : 'Let the schedule run daily: `floyo status` shows the last runs.',
      context: { read_to: readTo, forgotten: plan.forgotten ?? null },
    }),
  ];
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
