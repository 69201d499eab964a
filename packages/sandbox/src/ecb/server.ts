/** The ECB's file of reference rates, as a zip and as the CSV in it. A day appears at 16:00 in Frankfurt. */
import { strToU8, zipSync } from 'fflate';
import type { Context } from 'hono';
import { Hono } from 'hono';

import type { VendorContext } from '../core.ts';
import { connectionFaults, halfBody } from '../middleware.ts';
import { dayNumber, dayText, localDay } from '../world/days.ts';
import { firstRateDay, isBusinessDay, quoteCurrencies, rateOn } from '../world/rates.ts';

const fileName = 'eurofxref-hist';
const publicationHour = 16;

/** @param since the first day that has rates; 2009-01-02 unless told. */
export function createEcbServer(context: VendorContext, since?: string): Hono {
  const firstDay = since === undefined ? firstRateDay : Math.max(dayNumber(since), firstRateDay);
  const app = new Hono();
  let known: { lastDay: number; csv: string; zip?: Uint8Array } = { lastDay: -1, csv: '' };

  const current = () => {
    const lastDay = lastPublishedDay(context);
    if (known.lastDay !== lastDay) known = { lastDay, csv: writeCsv(context.seed, firstDay, lastDay) };
    return known;
  };

  app.use(
    '*',
    connectionFaults(context, 'ecb', () => undefined),
  );
  app.get(`/${fileName}.csv`, (c) =>
    answerFile(c, context, 'text/csv', (spoil) => strToU8(spoil(current().csv))),
  );
  app.get(`/${fileName}.zip`, (c) =>
    answerFile(c, context, 'application/zip', (spoil) => {
      const { csv } = current();
      const spoilt = spoil(csv);
      return spoilt === csv ? (known.zip ??= zip(csv)) : zip(spoilt);
    }),
  );
  app.all('*', (c) => c.text('Not Found', 404));
  return app;
}

/** A fixed time in the archive: the same rates are the same bytes. */
function zip(csv: string): Uint8Array {
  return zipSync({ [`${fileName}.csv`]: strToU8(csv) }, { mtime: '2020-01-01T00:00:00Z' });
}

async function answerFile(
  c: Context,
  context: VendorContext,
  type: string,
  write: (spoil: (csv: string) => string) => Uint8Array,
): Promise<Response> {
  const target = { path: c.req.path };
  if (context.faults.take('ecb', 'throttle', target) !== undefined) {
    return c.text('Too Many Requests', 429, { 'retry-after': '1' });
  }
  if (context.faults.take('ecb', 'server_error', target) !== undefined)
    return c.text('Service Unavailable', 503);
  if (context.faults.take('ecb', 'permission', target) !== undefined) return c.text('Forbidden', 403);
  const isSpoilt = context.faults.take('ecb', 'invalid_record', target) !== undefined;
  const bytes = write((csv) => (isSpoilt ? csv.replace(/^(\d{4}-\d\d-\d\d),[^,]+/m, '$1,abc') : csv));
  const response = new Response(new Uint8Array(bytes), { headers: { 'content-type': type } });
  return context.faults.take('ecb', 'truncated', target) === undefined ? response : halfBody(response);
}

function lastPublishedDay(context: VendorContext): number {
  const now = context.clock.now();
  const { day } = localDay(now, 'Europe/Berlin');
  return now.toZonedDateTimeISO('Europe/Berlin').hour >= publicationHour ? day : day - 1;
}

/**
 * Newest first, a trailing comma on every line, N/A where a currency has no rate. The last line is the real file's, by which
 * it is known to be whole, but without rates.
 */
function writeCsv(seed: number, firstDay: number, lastDay: number): string {
  const lines = [`Date,${quoteCurrencies.join(',')},`];
  for (let day = lastDay; day >= firstDay; day -= 1) {
    if (!isBusinessDay(day)) continue;
    const rates = quoteCurrencies.map((quote) => rateOn(seed, quote, day) ?? 'N/A');
    lines.push(`${dayText(day)},${rates.join(',')},`);
  }
  lines.push(`1999-01-04,${quoteCurrencies.map(() => 'N/A').join(',')},`);
  return `${lines.join('\n')}\n`;
}
