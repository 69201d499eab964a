/**
 * What GitHub Actions shows of a run: a log group a source, annotations (worst first, ten of a kind at most), a step
 * summary. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
import { appendFileSync } from 'node:fs';

import type { PipelineError } from '@floyo/shared/errors';

import type { RunDocument, RunWatcher } from '../run.ts';
import { formatCount, formatDuration } from './style.ts';

/** Annotations of a kind that a step shows; further ones are dropped without a word. */
const MAX_ANNOTATIONS = 10;
/** A larger summary is dropped whole. */
const MAX_SUMMARY_BYTES = 1_000_000;

/** Escapes data of a workflow command. */
export function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

/** Wraps a watcher so that each source's lines fold into a group. */
export function groupBySource(watcher: RunWatcher, write: (line: string) => void): RunWatcher {
  return {
    ...watcher,
    sourceStarted(name) {
      write(`::group::${escapeData(name)}\n`);
      watcher.sourceStarted(name);
    },
    sourceFinished(name) {
      watcher.sourceFinished(name);
      write('::endgroup::\n');
    },
  };
}

/** The annotations of a run, one a line. */
export function formatAnnotations(document: RunDocument): string[] {
  const errors = document.agents
    .filter(({ status }) => status === 'failed')
    .sort((a, b) => (a.error?.severity ?? 'P9').localeCompare(b.error?.severity ?? 'P9'))
    .map(
      ({ agent, account_id, error }) =>
        `::error title=${escapeData([agent, account_id].filter(Boolean).join(' ')).replaceAll(':', '%3A').replaceAll(',', '%2C')}::${escapeData(`${error?.message ?? 'failed'}${error?.advice ? ` — ${error.advice}` : ''}`)}`,
    );
  if (errors.length === 0 && (document.status === 'failed' || document.status === 'interrupted'))
    errors.push(`::error::${escapeData(document.warnings.join('; ') || `the run ${document.status}`)}`);
  const warnings = document.warnings.map((warning) => `::warning::${escapeData(warning)}`);
  return [...errors.slice(0, MAX_ANNOTATIONS), ...warnings.slice(0, MAX_ANNOTATIONS)];
}

/** The annotation of an error that ended a command. */
export function formatFailure({ message, advice }: PipelineError): string {
  return `::error::${escapeData(`${message}${advice === undefined ? '' : ` — ${advice}`}`)}`;
}

/** The run as a Markdown table. */
export function formatSummary(document: RunDocument): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
  const rows = document.agents.map(
    (agent) =>
      `| ${[agent.agent, agent.account_id ?? '', agent.status, formatCount(agent.rows_read), formatCount(agent.rows_inserted), formatCount(agent.rows_updated), formatCount(agent.rows_deleted), formatDuration(agent.duration_ms), agent.error?.message ?? ''].map(cell).join(' | ')} |`,
  );
  return [
    `### Floyo ${document.kind} run: ${document.status}`,
    '',
    '| agent | account | status | read | new | changed | gone | time | error |',
    '| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows,
    '',
    ...document.warnings.map((warning) => `- ${cell(warning)}`),
    '',
  ].join('\n');
}

/** Prints the annotations and appends the step summary. */
export function reportToGitHub(
  document: RunDocument,
  write: (line: string) => void,
  summaryFile: string | undefined,
): void {
  for (const line of formatAnnotations(document)) write(`${line}\n`);
  if (summaryFile === undefined) return;
  const summary = formatSummary(document);
  if (Buffer.byteLength(summary) <= MAX_SUMMARY_BYTES) appendFileSync(summaryFile, summary);
}
