import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { sql } from 'kysely';
import { expect, test } from 'vitest';

import type { Session } from './db.ts';
import { runSource } from './runner.ts';
import type { TestDatabase } from './testing/database.ts';
import { startTestRun } from './testing/test-run.ts';
import { createAdsSource, createWorld, streamOf } from './testing/test-sources.ts';
import { useDatabase } from './testing/use-database.ts';

let database: TestDatabase;
let session: Session;
useDatabase([], (opened) => ({ database, session } = opened));

function isCallable(value: unknown): value is () => void {
  return typeof value === 'function';
}

test('I11: 200,000 records of one window are streamed: memory is that of a page', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: unknown = runInNewContext('gc');
  if (!isCallable(collectGarbage)) throw new Error('no garbage collector to call');
  const PAGES = 100;
  const SIZE = 2_000;
  const ads = createAdsSource(createWorld({ A: [] }), { daysBack: 0, restatementDays: 0 });
  const used: number[] = [];
  const endless = {
    ...ads,
    streams: [
      {
        ...streamOf(ads),
        async *readDays() {
          for (let page = 0; page < PAGES; page++) {
            if (page % 20 === 19) {
              collectGarbage();
              used.push(process.memoryUsage().heapUsed + process.memoryUsage().external);
            }
            // About half a kilobyte each, 100 MB together.
            yield await Promise.resolve(
              Array.from({ length: SIZE }, (_, index) => ({
                ad: `${page}-${index}`,
                day: '2026-11-21',
                spend: '1.25',
                name: `${page}-${index} `.repeat(40),
              })),
            );
          }
        },
      },
    ],
  };
  await using run = await startTestRun(database.url, { now: '2026-11-21T09:00:00Z' });
  const [result] = await runSource(run.run, endless, {}, { kind: 'scheduled' });
  expect(result).toMatchObject({ status: 'succeeded', rows_inserted: PAGES * SIZE });
  const { rows } = await sql<{ count: string }>`select count(*) from spend`.execute(session.db);
  expect(rows).toEqual([{ count: '200000' }]);
  expect(Math.max(...used) - Math.min(...used)).toBeLessThan(20_000_000);
});
