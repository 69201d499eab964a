/** The `fx` source: the European Central Bank's euro reference rates, one row per currency and publication day. */
import { z } from 'zod';

import { type Account, defineConnector, defineStream } from '../connector.ts';
import { addDays, dayOf, isDay } from '../window.ts';
import { fxConfig } from './config.ts';
import { fetchRates, FIRST_DAY, type PublishedRate, readRates } from './ecb.ts';

interface FxSession extends Account {
  readonly baseUrl: string;
}

const PAGE_ROWS = 5000;
/** The longest gap so far, at Easter and Christmas, is 5 days. */
const STALE_AFTER_DAYS = 7;

const rateSchema = z.object({
  date: z.string().refine(isDay, 'is not a day'),
  quote: z.string().regex(/^[A-Z]{3}$/, 'is not a currency'),
  rate: z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'is not a decimal number')
    .refine((text) => /[1-9]/.test(text), 'is zero'),
});

export const rates = defineStream<FxSession, PublishedRate>({
  name: 'rates',
  parent: { table: 'fx_rates', key: ['external_id', 'date'], scope: () => ({}) },
  children: [],
  calendar: 'account',
  firstRun: { since: FIRST_DAY },
  // Rates stay as published; a late correction or a day that came late is still found.
  restatementDays: 3,
  // All of it at once: whatever is asked for, the vendor gives the whole file.
  maxWindowDays: 20_000,
  schema: rateSchema,
  identify(record) {
    const known = rateSchema.pick({ date: true, quote: true }).safeParse(record);
    return known.success ? { externalId: `ecb:${known.data.quote}`, date: known.data.date } : undefined;
  },
  async *readDays(session, window, io) {
    const csv = await fetchRates(io.http, session.baseUrl);
    const staleBefore = addDays(dayOf(io.now(), session.timezone), -STALE_AFTER_DAYS);
    let page: PublishedRate[] = [];
    for (const rate of readRates(csv, window, staleBefore)) {
      page.push(rate);
      if (page.length < PAGE_ROWS) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  },
  toRows: ({ date, quote, rate }) => ({
    fx_rates: [{ external_id: `ecb:${quote}`, date, quote, rate_per_eur: rate }],
  }),
});

export const fx = defineConnector({
  source: 'fx',
  agent: 'fx',
  config: fxConfig,
  accounts: () => ['ecb'],
  open: ({ baseUrl }) =>
    Promise.resolve({
      id: 'ecb',
      name: 'European Central Bank',
      timezone: 'Europe/Berlin',
      currency: 'EUR',
      baseUrl,
    }),
  streams: [rates],
  async examine({ baseUrl }, _accountId, io) {
    const today = dayOf(io.now(), 'Europe/Berlin');
    const window = { from: addDays(today, -STALE_AFTER_DAYS), to: addDays(today, 1) };
    const csv = await fetchRates(io.http, baseUrl);
    const published = [...readRates(csv, window, window.from)];
    const latest = published[0]?.date ?? 'never';
    return [{ check: 'rates', level: 'ok', message: `Rates are published until ${latest}`, fix: null }];
  },
});
