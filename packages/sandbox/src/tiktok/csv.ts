/** A report as the file of an asynchronous task: a title row, then a line per row. */
import type { ReportQuery } from './query.ts';
import type { ReportRow } from './report.ts';

/** Titles that are no plain words of their key; TikTok changes them now and then, which is why clients ask for keys. */
const titles: Readonly<Record<string, string>> = {
  ad_id_v2: 'Ad ID',
  stat_time_day: 'By Day',
  adgroup_id: 'Ad Group ID',
  adgroup_name: 'Ad Group Name',
  spend: 'Cost',
  impressions: 'Impression',
  clicks: 'Click',
};

export function writeCsv(query: ReportQuery, rows: readonly ReportRow[], isTranslated: boolean): string {
  const dimensions = [
    ...(query.idDimension ? [query.idDimension] : []),
    ...(query.hasDay ? ['stat_time_day'] : []),
  ];
  const names = [...new Set([...dimensions, ...query.metrics])];
  const lines = rows.map((row) => names.map((name) => writeCell(row.dimensions[name] ?? row.metrics[name])));
  const head = names.map((name) => (isTranslated ? titleOf(name) : name));
  return [head, ...lines].map((cells) => `${cells.map(quote).join(',')}\n`).join('');
}

function titleOf(name: string): string {
  const words = name
    .split('_')
    .map((word) => (word === 'id' ? 'ID' : word.charAt(0).toUpperCase() + word.slice(1)));
  return titles[name] ?? words.join(' ');
}

function writeCell(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
