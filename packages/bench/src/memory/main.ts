/**
 * Loads one window of that many made-up rows through the runner and prints the process's peak memory as JSON.
 * `node src/memory/main.ts <database url> <rows>`; started by the benchmark `memory`.
 */
import { z } from 'zod';

import { meta } from '@floyo/etl-meta';
import type { AnyConnector } from '@floyo/shared/connector';
import { runSource } from '@floyo/shared/runner';
import { startTestRun } from '@floyo/shared/testing/test-run';

import { ACCOUNT, type SpendRow, spendRow, WINDOW } from '../spend-rows.ts';

const PAGE = 500;

const [url = '', count = ''] = process.argv.slice(2);
const rows = Number(count);
let heap = 0;

const [insights] = meta.streams;
if (insights === undefined) throw new Error('Meta has no stream');
const endless: AnyConnector = {
  ...meta,
  accounts: () => [ACCOUNT],
  open: () => Promise.resolve({ id: ACCOUNT, timezone: 'UTC', currency: 'USD' }),
  streams: [
    {
      name: insights.name,
      parent: insights.parent,
      children: [],
      calendar: 'account',
      firstRun: { daysBack: 27 },
      restatementDays: 28,
      maxWindowDays: 30,
      schema: z.record(z.string(), z.unknown()),
      identify: () => undefined,
      async *readDays() {
        for (let start = 0; start < rows; start += PAGE) {
          const size = Math.min(PAGE, rows - start);
          yield await Promise.resolve(Array.from({ length: size }, (_, index) => spendRow(start + index)));
          heap = Math.max(heap, process.memoryUsage().heapUsed);
        }
      },
      toRows: (record: SpendRow) => ({ spend: [record] }),
    },
  ],
};

await using test = await startTestRun(url, { now: `${WINDOW.to}T12:00:00Z` });
const results = await runSource(test.run, endless, {}, { kind: 'backfill', window: WINDOW });
const [result] = results;
if (result?.status !== 'succeeded') throw new Error(JSON.stringify(result));
process.stdout.write(
  JSON.stringify({
    rows: result.rows_inserted,
    rss_mb: process.resourceUsage().maxRSS / 1_024,
    heap_mb: heap / 1_024 ** 2,
  }),
);
