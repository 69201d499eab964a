/**
 * What people see of a run: progress with rows and rate while it goes, a table at its end. Progress goes to standard
 * error, the table to standard output; with --json standard output belongs to the document alone.
 */
import type { AgentResult } from '@floyo/shared/ledger';
import type { ProgressEvent } from '@floyo/shared/runner';
import { addDays, isDay } from '@floyo/shared/window';

import type { RunDocument, RunWatcher } from '../run.ts';
import { formatCount, formatDuration, formatTable, paint, type Terminal } from './style.ts';

export interface Streams {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
}

/** A terminal's line is repainted at most so often. */
const REPAINT_MS = 100;

/** A watcher that prints to standard error. */
export function createRunPrinter({ stderr }: Streams): RunWatcher {
  const interactive = stderr.isTTY;
  let startedAt = 0;
  /** By account: several may be read at once, and one line tells of all. */
  const rows = new Map<string, number>();
  let paintedAt = 0;
  const clearLine = () => {
    if (interactive) stderr.write('\r\u001B[2K');
  };
  return {
    sourceStarted() {
      startedAt = Date.now();
      rows.clear();
    },
    progress(event) {
      rows.set(event.accountId, event.rowsRead);
      if (!interactive || Date.now() - paintedAt < REPAINT_MS) return;
      paintedAt = Date.now();
      clearLine();
      stderr.write(
        fit(
          describeProgress(
            event,
            [...rows.values()].reduce((sum, count) => sum + count, 0),
            Date.now() - startedAt,
          ),
          stderr.columns,
        ),
      );
    },
    result(result) {
      clearLine();
      stderr.write(`${describeResult(result, stderr)}\n`);
    },
    sourceFinished: clearLine,
    waiting({ kind, since }) {
      stderr.write(`Waiting for the lock, held by a ${kind ?? 'run'}${since ? ` since ${since}` : ''} …\n`);
    },
  };
}

function describeProgress(event: ProgressEvent, rowsRead: number, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? Math.round((rowsRead * 1000) / elapsedMs) : 0;
  return `  ${event.agent} ${event.accountId} ${event.window.from} … ${event.window.to}  ${formatCount(rowsRead)} rows  ${formatCount(rate)} rows/s`;
}

function fit(text: string, columns: number | undefined): string {
  return columns !== undefined && text.length >= columns ? `${text.slice(0, columns - 2)}…` : text;
}

function describeResult(result: AgentResult, stream: Terminal): string {
  const where = [result.agent, result.account_id].filter(Boolean).join(' ');
  const facts = [
    result.rows_read > 0 ? `${formatCount(result.rows_read)} rows read` : '',
    `${formatCount(result.rows_inserted)} new`,
    `${formatCount(result.rows_updated)} changed`,
    result.rows_deleted > 0 ? `${formatCount(result.rows_deleted)} gone` : '',
    result.rows_rejected > 0 ? `${formatCount(result.rows_rejected)} set aside` : '',
    formatDuration(result.duration_ms),
  ].filter((fact) => fact !== '');
  const error = result.error
    ? `\n    ${result.error.message}${result.error.advice ? `\n    → ${result.error.advice}` : ''}`
    : '';
  return `${markOf(result.status, stream)} ${where}  ${facts.join(', ')}${error}`;
}

function markOf(status: AgentResult['status'], stream: Terminal): string {
  if (status === 'succeeded') return paint('green', '✓', stream);
  return status === 'failed' ? paint('red', '✗', stream) : paint('yellow', '…', stream);
}

const COLORS = {
  succeeded: 'green',
  failed: 'red',
  interrupted: 'red',
  partial: 'yellow',
  skipped: 'yellow',
  running: 'dim',
} as const;

/** The summary of a run for standard output. */
export function formatRun(document: RunDocument, { stdout }: Streams): string {
  const head = [
    'agent',
    'account',
    'status',
    'from',
    'through',
    'read',
    'new',
    'changed',
    'same',
    'gone',
    'aside',
    'calls',
    'time',
  ];
  const rows = document.agents.map((agent) => [
    agent.agent,
    agent.account_id ?? '',
    agent.status,
    shortInstant(agent.window_from),
    lastRead(agent.window_to),
    formatCount(agent.rows_read),
    formatCount(agent.rows_inserted),
    formatCount(agent.rows_updated),
    formatCount(agent.rows_unchanged),
    formatCount(agent.rows_deleted),
    formatCount(agent.rows_rejected),
    formatCount(agent.api_calls),
    formatDuration(agent.duration_ms),
  ]);
  const lines = rows.length === 0 ? [] : ['', formatTable(head, rows, [5, 6, 7, 8, 9, 10, 11, 12]), ''];
  const took =
    document.finished_at === null
      ? ''
      : ` in ${formatDuration(Date.parse(document.finished_at) - Date.parse(document.started_at))}`;
  lines.push(
    `${document.kind} run ${document.run_id ?? '(dry run)'} ${paint(COLORS[document.status], document.status, stdout)}${took}`,
  );
  if (document.skipped_because)
    lines.push(
      `  a ${document.skipped_because.holder ?? 'run'} has held the lock since ${document.skipped_because.since ?? 'some time'}`,
    );
  lines.push(...document.warnings.map((warning) => paint('yellow', `! ${warning}`, stdout)));
  return lines.join('\n');
}

/** The end of a window as people say it: the last day that was read, not the first that was not. */
function lastRead(to: string | null): string {
  return to !== null && isDay(to) ? addDays(to, -1) : shortInstant(to);
}

function shortInstant(text: string | null): string {
  return text === null ? '' : text.replace(/:\d{2}(\.\d+)?Z$/, 'Z');
}
