/** What people are told about a stream although nothing failed: P2 errors of the ledger, warnings of the run. */
import { Temporal } from 'temporal-polyfill';

import type { Settings } from './connector.ts';
import type { OtherDays, StreamKey } from './coverage.ts';
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

/** Days that were read with other settings than those in force. Runs show the message alone: it says what to do, too. */
export function settingsWarning(key: StreamKey, inForce: Settings, other: OtherDays): PipelineError {
  const { days, from, to, forgotten, settings, kinds } = other;
  const names = Object.keys(settings).filter((name) => settings[name] !== inForce[name]);
  const list = (values: Settings) => names.map((name) => `${name}=${values[name] ?? ''}`).join(' ');
  const which =
    days === 1
      ? `One day of ${key.stream} (${from}) was`
      : `${days} days of ${key.stream} (${from} to ${to}) were`;
  const them = days === 1 ? 'it' : 'them';
  const old = kinds === 1 ? list(settings) : `${kinds} other settings, the latest ${list(settings)}`;
  const command = `floyo backfill --source ${key.source} --account ${key.accountId} --from ${from} --to ${to}`;
  return new PipelineError({
    type: 'config',
    severity: 'P2',
    message: `${which} read with ${old}; in force is ${list(inForce)}, so that figures differ between ${them} and other days although nothing happened. Read ${them} again with \`${command}\`, or set ${list(settings)} back`,
    advice: `Set it back where this ran when the change was not meant; else give the command, which counts ${them} as the others.${forgotten === 0 ? '' : ` Before ${from} are ${forgotten} that can't be read again: ${key.source} no longer tells them.`}`,
    context: { days, from, to, forgotten, read_with: settings, other_settings: kinds, in_force: inForce },
  });
}
