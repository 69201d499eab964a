/** What people see of `floyo status`. */
import type { Failure, SourceStatus } from '../freshness.ts';
import { countOf, formatCount, formatDuration, formatTable, paint, type Terminal } from './style.ts';

/** Failures shown one by one. */
const FAILURES_SHOWN = 10;

export interface RunRow {
  readonly run_id: string;
  readonly kind: string;
  readonly status: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly errors: number;
}

export interface Status {
  readonly lock: { readonly holder: string | null; readonly since: string | null } | null;
  readonly runs: readonly RunRow[];
  readonly sources: readonly SourceStatus[];
  readonly failures: readonly Failure[];
  readonly dirty: number;
  readonly rejected: number;
  readonly warnings: readonly string[];
}

export function formatStatus(status: Status, stdout: Terminal): string {
  const sources = status.sources.map((source) => [
    source.source,
    source.account_id,
    minutes(source.last_success_at) ?? 'never',
    source.data_through ?? '',
    source.stale ? paint('red', 'stale', stdout) : paint('green', 'fresh', stdout),
    source.drift > 0 ? paint('yellow', `${source.drift} totals differ`, stdout) : '',
  ]);
  const runs = status.runs.map((run) => [
    minutes(run.started_at) ?? '',
    run.kind,
    run.status,
    run.finished_at === null ? '' : formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at)),
    formatCount(run.errors),
  ]);
  return [
    status.lock
      ? `lock: held by a ${status.lock.holder ?? 'run'} since ${status.lock.since ?? '?'}`
      : 'lock: free',
    `to compute: ${countOf(status.dirty, 'mark')}; set aside: ${countOf(status.rejected, 'record')}`,
    ...status.warnings.map((warning) => paint('yellow', `! ${warning}`, stdout)),
    '',
    sources.length === 0
      ? 'no source is configured, and none was read yet'
      : formatTable(['source', 'account', 'last success', 'data through', '', ''], sources),
    '',
    ...formatFailures(status.failures, stdout),
    runs.length === 0
      ? 'no run yet'
      : formatTable(['started', 'kind', 'status', 'took', 'errors'], runs, [4]),
  ].join('\n');
}

function formatFailures(failures: readonly Failure[], stdout: Terminal): string[] {
  if (failures.length === 0) return [];
  const more = failures.length - FAILURES_SHOWN;
  return [
    ...failures.slice(0, FAILURES_SHOWN).map(({ agent, account_id, severity, message, advice }) => {
      // P0 and P1: something failed. The rest waits, or is to be looked at.
      const mark = severity <= 'P1' ? paint('red', '✗', stdout) : paint('yellow', '!', stdout);
      const where = [agent, account_id].filter(Boolean).join(' ');
      return `${mark} ${where}: ${message}${advice === null ? '' : `\n  → ${advice}`}`;
    }),
    ...(more > 0 ? [`… and ${formatCount(more)} more (--json shows all)`] : []),
    '',
  ];
}

function minutes(instant: string | null): string | undefined {
  return instant?.slice(0, 16).replace('T', ' ');
}
