/**
 * The European Central Bank's file of all euro reference rates: fetching it and reading days out of it.
 * A line a day, newest first, `Date,USD,JPY,…,` with `N/A` where a currency has no rate.
 * https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
 */
import { Unzip, UnzipInflate, unzipSync } from 'fflate';

import { PipelineError } from '../errors.ts';
import type { HttpClient, HttpReply } from '../http.ts';
import { type Day, type DayWindow, isDay } from '../window.ts';

/** One published rate: units of `quote` for one euro, as the text in the file. */
export interface PublishedRate {
  readonly date: Day;
  readonly quote: string;
  readonly rate: string;
}

const FILE = 'eurofxref-hist';
const NO_RATE = 'N/A';
/** The day of the first rates: the file always ends with it, so that one that ends sooner was cut off. */
export const FIRST_DAY = '1999-01-04';
/** Of the zip: some 15 KB of text. A scheduled run needs one step, a first run all of them. */
const STEP_BYTES = 4_096;

/**
 * The CSV, piece by piece: out of the zip, or as it is where there is no zip. It is inflated as it is read, so that what is
 * left unread costs nothing. Throws PipelineError `upstream`.
 */
export async function fetchRates(http: HttpClient, baseUrl: string): Promise<Iterable<Uint8Array>> {
  const zip = await download(http, `${baseUrl}/${FILE}.zip`, (reply) =>
    reply.status === 404 ? undefined : checkZip(reply),
  );
  if (zip.status !== 404) return inflate(zip.bytes, zip.url);
  return [(await download(http, `${baseUrl}/${FILE}.csv`, checkStatus)).bytes];
}

function download(http: HttpClient, url: string, classify: (reply: HttpReply) => PipelineError | undefined) {
  return http.request({ url, binary: true, safeToRepeat: true, classify });
}

function checkStatus(reply: HttpReply): PipelineError | undefined {
  if (reply.status === 200) return undefined;
  return new PipelineError({
    type: 'upstream',
    message: `The European Central Bank answered HTTP ${reply.status}`,
    advice:
      reply.status < 500
        ? 'Check ECB_BASE_URL and what stands between here and there (a proxy?).'
        : 'Nothing to do: the next run tries again.',
    retryable: reply.status >= 500 || reply.status === 429,
    context: { http_status: reply.status, url: reply.url },
  });
}

function checkZip(reply: HttpReply): PipelineError | undefined {
  const wrong = checkStatus(reply);
  // The reply that the client hands over has the bytes, although its type does not say so.
  if (wrong !== undefined || !('bytes' in reply) || !(reply.bytes instanceof Uint8Array)) return wrong;
  if (isWhole(reply.bytes)) return undefined;
  return brokenZip(reply.url);
}

function brokenZip(url: string): PipelineError {
  return new PipelineError({
    type: 'upstream',
    message: "The European Central Bank's zip is broken: it may have been cut off on the way",
    advice: 'Nothing to do: the next run tries again.',
    retryable: true,
    context: { url },
  });
}

/** Whether the zip has its directory, which is at its end, and a CSV in it. */
function isWhole(bytes: Uint8Array): boolean {
  let found = false;
  try {
    unzipSync(bytes, {
      filter({ name }) {
        found ||= isCsv(name);
        return false;
      },
    });
  } catch {
    return false;
  }
  return found;
}

function isCsv(name: string): boolean {
  return name.endsWith('.csv');
}

/** The CSV in the zip, inflated a step at a time. */
function* inflate(bytes: Uint8Array, url: string): Generator<Uint8Array> {
  const inflated: Uint8Array[] = [];
  const unzip = new Unzip((file) => {
    if (!isCsv(file.name)) return;
    file.ondata = (error, chunk) => {
      if (error !== null) throw error;
      inflated.push(chunk);
    };
    file.start();
  });
  unzip.register(UnzipInflate);
  for (let start = 0; start < bytes.length; start += STEP_BYTES) {
    try {
      unzip.push(bytes.subarray(start, start + STEP_BYTES), start + STEP_BYTES >= bytes.length);
    } catch {
      throw brokenZip(url);
    }
    yield* inflated.splice(0);
  }
}

/**
 * The rates of the window's days, newest first. Stops at the first older day: of thousands only some lines are read.
 * Throws `contract` when the file is not what is expected, `upstream` when its newest day is before `staleBefore` or it
 * ends before the window does, without the day on which rates began.
 */
export function* readRates(
  csv: Iterable<Uint8Array>,
  window: DayWindow,
  staleBefore: Day,
): Generator<PublishedRate> {
  const lines = readLines(csv);
  const quotes = readHeader(lines.next().value);
  let previous: Day | undefined;
  for (const line of lines) {
    const [date = '', ...rates] = line.split(',').map((cell) => cell.trim());
    if (!isDay(date) || rates.length !== quotes.length)
      throw unexpected(`a line is not a day with ${quotes.length} columns`, line);
    if (previous === undefined && date < staleBefore) throw stale(date);
    if (previous !== undefined && date >= previous)
      throw unexpected('its days do not go from new to old', line);
    previous = date;
    if (date < window.from) return;
    if (date >= window.to) continue;
    for (const [index, quote] of quotes.entries()) {
      const rate = rates[index];
      if (quote !== '' && rate !== undefined && rate !== '' && rate !== NO_RATE) yield { date, quote, rate };
    }
  }
  if (previous === undefined) throw unexpected('it has no day', '');
  if (previous > FIRST_DAY) throw cutOff(previous);
}

function* readLines(pieces: Iterable<Uint8Array>): Generator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield line.trim();
  }
  if (rest.trim() !== '') yield rest.trim();
}

/** The currencies of the columns after the date; a line ends with a comma, so the last one has no name. */
function readHeader(line: string | undefined): string[] {
  const [first, ...quotes] = (line ?? '').split(',').map((cell) => cell.trim());
  if (first !== 'Date' || quotes.length === 0 || quotes.some((quote) => !/^([A-Z]{3}|)$/.test(quote)))
    throw unexpected('its first line is not Date and currencies', line ?? '');
  return quotes;
}

function unexpected(what: string, line: string): PipelineError {
  return new PipelineError({
    type: 'contract',
    message: `The European Central Bank's file of rates is not as expected: ${what}`,
    advice: 'Open the file at ECB_BASE_URL. If its format has changed, the reader has to follow.',
    context: { line: line.slice(0, 200) },
  });
}

function cutOff(oldest: Day): PipelineError {
  return new PipelineError({
    type: 'upstream',
    message: `The European Central Bank's file of rates ends with ${oldest}, where it should go back to ${FIRST_DAY}: it was cut off`,
    advice:
      'Nothing of it was loaded; the next run tries again. If it stays, look whether ECB_BASE_URL serves a part of the file.',
    retryable: true,
    context: { oldest },
  });
}

function stale(newest: Day): PipelineError {
  return new PipelineError({
    type: 'upstream',
    message: `The newest rates of the European Central Bank are of ${newest}: the file is old`,
    advice:
      'Rates come on every working day. Look whether ECB_BASE_URL serves an old copy; metrics go on with the last rates for 7 days.',
    context: { newest },
  });
}
