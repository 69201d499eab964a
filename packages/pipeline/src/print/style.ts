/** Text for people: tables, colours only where the stream is a terminal (styleText asks it), numbers with separators. */
import { styleText } from 'node:util';

import Table from 'cli-table3';

/** Where text goes: standard output or error, or a stream that is no terminal. */
export type Terminal = NodeJS.WritableStream & Partial<Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>>;

type Color = 'green' | 'red' | 'yellow' | 'dim' | 'bold' | 'cyan';

/** Colours a text when `stream` shows colours. */
export function paint(color: Color, text: string, stream: Terminal): string {
  return styleText(color, text, { stream });
}

/** A table without frames; numbers to the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly number[] = [],
): string {
  const bare = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  };
  const table = new Table({
    head: [...head],
    chars: bare,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, index) => (right.includes(index) ? 'right' : 'left')),
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}

const WHOLE = new Intl.NumberFormat('en-US');

/** 1234567 as 1,234,567. */
export function formatCount(count: number): string {
  return WHOLE.format(count);
}

/** `1 record`, `1,234 records`. */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${count === 1 ? noun : `${noun}s`}`;
}

/** 61500 as 1m 2s, 1234 as 1.2s. */
export function formatDuration(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 3600
    ? `${Math.floor(seconds / 60)}m ${seconds % 60}s`
    : `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}
