/**
 * The file of a report task as the records that a synchronous report gives, so that both become the same rows. The
 * title row holds keys, as asked for; titles in words are understood where they can be, for TikTok does not promise.
 */
import { Readable } from 'node:stream';

import { parse } from 'csv-parse';
import { z } from 'zod';

import { PipelineError } from '@floyo/shared/errors';

export interface TaskFile {
  readonly text: string;
  readonly dimensions: readonly string[];
  readonly metrics: readonly string[];
  /** For errors: the task and the ids of the answer. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** So many records are handed on at once, and so much text is parsed ahead. */
const PAGE_ROWS = 1000;
const SLICE_LENGTH = 65_536;

/** Titles in words that are not the words of their key, without spaces and in small letters. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  ad_id_v2: ['adid'],
  stat_time_day: ['byday', 'day', 'date'],
  spend: ['cost'],
  impressions: ['impression'],
  clicks: ['click', 'clicksdestination'],
};
/** Texts that may be empty; any other empty cell is TikTok's `-`. */
const TEXTS: readonly string[] = ['campaign_name', 'adgroup_name', 'ad_name'];

const linesSchema = z.array(z.string());

/** Yields pages of records. Throws `contract` for a missing column and `truncated` for a file that breaks off. */
export async function* readTaskFile(file: TaskFile): AsyncGenerator<readonly unknown[]> {
  const lines = Readable.from(slices(file.text)).pipe(parse({ bom: true, skip_empty_lines: true }));
  let columns: ReadonlyMap<string, number> | undefined;
  let page: unknown[] = [];
  try {
    for await (const line of lines) {
      const cells = linesSchema.parse(line);
      if (columns === undefined) {
        columns = findColumns(cells, file);
        continue;
      }
      page.push(toRecord(cells, columns, file));
      if (page.length < PAGE_ROWS) continue;
      yield page;
      page = [];
    }
  } catch (error) {
    if (error instanceof PipelineError) throw error;
    throw new PipelineError({
      type: 'truncated',
      message: `TikTok's report file breaks off or is malformed: ${error instanceof Error ? error.message : String(error)}`,
      advice: 'Nothing of it was loaded; the next run orders it again.',
      retryable: true,
      context: file.context,
      cause: error,
    });
  }
  if (columns === undefined) findColumns([], file);
  if (page.length > 0) yield page;
}

function* slices(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += SLICE_LENGTH) yield text.slice(at, at + SLICE_LENGTH);
}

/** Where each name that was asked for stands: under its key, or under a title in words. */
function findColumns(titles: readonly string[], file: TaskFile): Map<string, number> {
  const plain = titles.map(toPlain);
  const columns = new Map<string, number>();
  const missing: string[] = [];
  for (const name of new Set([...file.dimensions, ...file.metrics])) {
    const wanted = [toPlain(name), ...(ALIASES[name] ?? [])];
    const places = plain.flatMap((title, index) => (wanted.includes(title) ? [index] : []));
    const [place] = titles.includes(name) ? [titles.indexOf(name)] : places.length === 1 ? places : [];
    if (place === undefined) missing.push(name);
    else columns.set(name, place);
  }
  if (missing.length === 0) return columns;
  throw new PipelineError({
    type: 'contract',
    message: `TikTok's report file lacks ${missing.join(', ')}`,
    advice:
      'Nothing of it was loaded. TikTok may have titled its columns in words that are not known here: the titles are in the context.',
    context: { ...file.context, titles },
  });
}

function toPlain(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function toRecord(cells: readonly string[], columns: ReadonlyMap<string, number>, file: TaskFile): unknown {
  const pick = (names: readonly string[]): Record<string, string | undefined> =>
    Object.fromEntries(
      names.map((name) => {
        const cell = cells[columns.get(name) ?? -1];
        return [name, cell === '' && !TEXTS.includes(name) ? '-' : cell];
      }),
    );
  return { dimensions: pick(file.dimensions), metrics: pick(file.metrics) };
}
