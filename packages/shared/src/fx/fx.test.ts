import { strToU8, zipSync } from 'fflate';
import { afterEach, describe, expect, test } from 'vitest';

import { PipelineError } from '../errors.ts';
import { containing } from '../testing/matchers.ts';
import {
  collect,
  createTestIo,
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
} from '../testing/vendor.ts';
import { fxConfig } from './config.ts';
import { readRates } from './ecb.ts';
import { fx, rates } from './index.ts';

const NOW = '2026-11-21T09:00:00Z';
const CSV = [
  'Date,USD,JPY,HRK,',
  '2026-11-20,1.1684,184.25,N/A,',
  '2026-11-19,1.1650,183.9,N/A,',
  '2026-11-17,1.1601,183.10,N/A,',
  '2022-12-30,1.0666,140.66,7.5365,',
  '1999-01-04,1.1789,133.73,N/A,',
  '',
].join('\n');
/** What the file ends with: the first rates there were. */
const FIRST_LINE = '1999-01-04,1.1789,';
const ALL = { from: '1999-01-04', to: '2026-11-22' };

let vendor: TestVendor | undefined;
afterEach(() => vendor?.close());

async function read(answer: (path: string, index: number) => VendorAnswer, window = ALL, now = NOW) {
  vendor = await startTestVendor((request, index) => answer(request.path, index));
  const io = createTestIo({ now });
  const session = await fx.open({ baseUrl: vendor.url, fixedRates: {} }, 'ecb', io);
  return collect(rates.readDays(session, window, io));
}

const zipped = (csv: string): VendorAnswer => ({ body: zipSync({ 'eurofxref-hist.csv': strToU8(csv) }) });
const notFound: VendorAnswer = { status: 404, body: 'Not Found' };

describe('reading the file', () => {
  test('gives a record per rate of the window and leaves N/A out', async () => {
    const records = await read(() => zipped(CSV), { from: '2026-11-18', to: '2026-11-22' });
    expect(records).toEqual([
      { date: '2026-11-20', quote: 'USD', rate: '1.1684' },
      { date: '2026-11-20', quote: 'JPY', rate: '184.25' },
      { date: '2026-11-19', quote: 'USD', rate: '1.1650' },
      { date: '2026-11-19', quote: 'JPY', rate: '183.9' },
    ]);
  });

  test('takes a currency that has ended while it had rates', async () => {
    expect(await read(() => zipped(CSV))).toContainEqual({
      date: '2022-12-30',
      quote: 'HRK',
      rate: '7.5365',
    });
  });

  test('falls back to the CSV where there is no zip', async () => {
    const records = await read((path) => (path.endsWith('.zip') ? notFound : { body: CSV }));
    expect(records).toHaveLength(11);
    expect(vendor?.requests.map(({ path }) => path)).toEqual(['/eurofxref-hist.zip', '/eurofxref-hist.csv']);
  });

  test('yields pages of at most 5,000 records', async () => {
    const days = Array.from({ length: 6000 }, (_, index) => {
      const date = new Date(Date.UTC(2026, 10, 20) - index * 86_400_000).toISOString().slice(0, 10);
      return `${date},1.17,`;
    });
    vendor = await startTestVendor(() => zipped(`Date,USD,\n${days.join('\n')}\n${FIRST_LINE}\n`));
    const io = createTestIo({ now: NOW });
    const session = await fx.open({ baseUrl: vendor.url, fixedRates: {} }, 'ecb', io);
    const sizes: number[] = [];
    for await (const page of rates.readDays(session, ALL, io)) sizes.push(page.length);
    expect(sizes).toEqual([5000, 1001]);
  });

  test('reads no further than the window asks for', () => {
    const csv = [strToU8(`${CSV}this line would be refused\n`)];
    expect([...readRates(csv, { from: '2026-11-18', to: '2026-11-22' }, '2026-11-14')]).toHaveLength(4);
    expect(() => [...readRates(csv, ALL, '2026-11-14')]).toThrow(/not as expected/);
  });
});

describe('a zip that is broken in its middle', () => {
  const days = Array.from({ length: 6000 }, (_, index) => {
    const date = new Date(Date.UTC(2026, 10, 20) - index * 86_400_000).toISOString().slice(0, 10);
    return `${date},${1 + ((index * 7_919) % 10_007) / 10_000},`;
  });
  const { body } = zipped(`Date,USD,\n${days.join('\n')}\n${FIRST_LINE}\n`);
  const broken =
    body instanceof Uint8Array ? body.slice().fill(255, body.length / 2, body.length / 2 + 500) : '';

  test('is right as far as a scheduled run reads', async () => {
    expect(await read(() => ({ body: broken }), { from: '2026-11-18', to: '2026-11-22' })).toHaveLength(3);
  });

  test('fails whoever reads all of it', async () => {
    await expect(read(() => ({ body: broken }))).rejects.toBeInstanceOf(PipelineError);
  });
});

describe('a file that ends too soon', () => {
  const cut = `${CSV.split('\n').slice(0, 3).join('\n')}\n`;
  const answer = (path: string) => (path.endsWith('.zip') ? notFound : { body: cut });

  test('serves days that it goes past, and fails a run that needs older ones', async () => {
    expect(await read(answer, { from: '2026-11-20', to: '2026-11-22' })).toHaveLength(2);
    await vendor?.close();
    await expect(read(answer, { from: '2026-11-18', to: '2026-11-22' })).rejects.toMatchObject({
      type: 'upstream',
      message: containing('ends with 2026-11-19'),
    });
  });
});

describe('what is refused', () => {
  const refused: readonly (readonly [string, string, string])[] = [
    ['a page of HTML', '<html><body>maintenance</body></html>', 'contract'],
    ['an empty file', '', 'contract'],
    ['a header alone', 'Date,USD,\n', 'contract'],
    ['oldest first', 'Date,USD,\n2026-11-19,1.1,\n2026-11-20,1.2,\n', 'contract'],
    ['a day twice', 'Date,USD,\n2026-11-20,1.1,\n2026-11-20,1.2,\n', 'contract'],
    ['a line that was cut off', 'Date,USD,JPY,\n2026-11-20,1.1,180,\n2026-11-19,1.2', 'contract'],
    ['a file cut off at the end of a line', 'Date,USD,\n2026-11-20,1.1,\n2026-11-19,1.2,\n', 'upstream'],
    ['dates of the daily file', 'Date, USD, \n20 November 2026, 1.1, \n', 'contract'],
    ['rates older than 7 days', 'Date,USD,\n2026-11-13,1.1,\n', 'upstream'],
  ];
  test.each(refused)('%s', async (_name, csv, type) => {
    await expect(read((path) => (path.endsWith('.zip') ? notFound : { body: csv }))).rejects.toMatchObject({
      type,
    });
  });

  test('rates of exactly 7 days ago are not old', async () => {
    expect(await read(() => zipped(`Date,USD,\n2026-11-14,1.1,\n${FIRST_LINE}\n`))).toHaveLength(2);
  });

  test('a broken zip is asked for again', async () => {
    const whole = zipped(CSV);
    const half = { body: whole.body instanceof Uint8Array ? whole.body.slice(0, 100) : '' };
    expect(await read((_path, index) => (index === 0 ? half : whole))).toHaveLength(11);
    expect(vendor?.requests).toHaveLength(2);
  });

  test('a server error is tried again 3 times, a refusal not at all', async () => {
    await expect(read(() => ({ status: 503, body: '' }))).rejects.toMatchObject({
      type: 'upstream',
      retryable: true,
    });
    expect(vendor?.requests).toHaveLength(4);
    await vendor?.close();
    await expect(read(() => ({ status: 403, body: '' }))).rejects.toBeInstanceOf(PipelineError);
    expect(vendor?.requests).toHaveLength(1);
  });
});

describe('mapping', () => {
  test('a rate keeps its text', () => {
    const session = { id: 'ecb', timezone: 'Europe/Berlin', currency: 'EUR', baseUrl: '' };
    const reporting = { timezone: 'UTC', currency: 'USD' };
    const rows = rates.toRows({ date: '2026-11-20', quote: 'USD', rate: '1.1680' }, session, reporting);
    expect(rows).toEqual({
      fx_rates: [{ external_id: 'ecb:USD', date: '2026-11-20', quote: 'USD', rate_per_eur: '1.1680' }],
    });
  });

  test.each(['abc', '0', '0.00', '-1.1', '1e3', ''])(
    'the rate %j is quarantined under its own key',
    (rate) => {
      const record = { date: '2026-11-20', quote: 'USD', rate };
      expect(rates.schema.safeParse(record).success).toBe(false);
      expect(rates.identify(record)).toEqual({ externalId: 'ecb:USD', date: '2026-11-20' });
    },
  );
});

describe('configuration', () => {
  test('works without any variable', () => {
    expect(fxConfig.read({})).toEqual({
      config: { baseUrl: 'https://www.ecb.europa.eu/stats/eurofxref', fixedRates: {} },
      problems: [],
    });
  });

  test('reads fixed rates', () => {
    const { config } = fxConfig.read({
      FX_FIXED_RATES: 'AED=4.29, SAR = 4.38',
      ECB_BASE_URL: 'http://localhost:1/',
    });
    expect(config).toEqual({ baseUrl: 'http://localhost:1', fixedRates: { AED: '4.29', SAR: '4.38' } });
  });

  test.each(['AED', 'AED=', 'aed=4.29', 'AED=0', 'AED=-1', 'AED=4.29,AED=4.3', 'EUR=1'])(
    'refuses %j',
    (text) => {
      expect(fxConfig.read({ FX_FIXED_RATES: text }).problems).toMatchObject([
        { variable: 'FX_FIXED_RATES' },
      ]);
    },
  );
});
