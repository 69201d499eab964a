/** The figures as a table for people and as a JSON document, with the machine that they are of. */
import { cpus, totalmem } from 'node:os';

import { type Figure, isReached } from './figure.ts';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memory_gb: number;
  readonly platform: string;
  readonly node: string;
  readonly postgres: string;
}

export function describeMachine(postgres: string, node: string): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    memory_gb: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node,
    postgres,
  };
}

/** What `--json` prints. */
export function toDocument(machine: Machine, figures: readonly Figure[], quick: boolean) {
  return {
    machine,
    quick,
    figures: figures.map((figure) => ({ ...figure, reached: isReached(figure) ?? null })),
  };
}

/** A line a figure: value, its range over the rounds, the bar, whether it is reached. */
export function formatTable(machine: Machine, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.benchmark,
    figure.figure,
    formatValue(figure.value, figure.unit),
    figure.samples.length > 1
      ? `${formatValue(Math.min(...figure.samples), figure.unit)} to ${formatValue(Math.max(...figure.samples), figure.unit)}`
      : '',
    formatBar(figure),
    { true: 'yes', false: 'NO', undefined: '' }[String(isReached(figure)) as 'true' | 'false' | 'undefined'],
  ]);
  const head = ['benchmark', 'figure', 'median', 'range', 'bar', 'reached'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 2 || column === 4 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const { cores, memory_gb, platform, node, postgres } = machine;
  return [
    `${cores} cores, ${memory_gb} GB, ${platform}, Node ${node}, PostgreSQL ${postgres}`,
    '',
    line(head),
    ...rows.map(line),
  ].join('\n');
}

function formatBar({ bar, unit }: Figure): string {
  if (bar === undefined) return '';
  return 'least' in bar ? `≥ ${formatValue(bar.least, unit)}` : `≤ ${formatValue(bar.most, unit)}`;
}

function formatValue(value: number, unit: Figure['unit']): string {
  if (unit === 'rows/s' || unit === 'events/s') return `${Math.round(value).toLocaleString('en-US')} ${unit}`;
  if (unit === '%') return `${value.toFixed(2)} %`;
  return unit === 'x' ? value.toFixed(2) : `${value.toFixed(value < 10 ? 2 : 1)} ${unit}`;
}
