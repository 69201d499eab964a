/**
 * `pnpm soak [--days N]`: a run a day for 200 sandbox days in one process, as `floyo schedule` would, and now and then a
 * look at what must not grow. Prints a table; exits 1 when something grew or a run failed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Temporal } from 'temporal-polyfill';

import { createApp, openAppDatabase } from '@floyo/pipeline/app';
import { type RunDocument, runPipeline, type RunWatcher } from '@floyo/pipeline/run';

import { type BenchDatabase, startBench } from '../bench-server.ts';
import { findGrowth, formatReadings, type Reading, takeReading } from './gauges.ts';
import { startSandboxProcess } from './sandbox-process.ts';

const FIRST = Temporal.Instant.from('2026-05-05T12:00:00Z');
const READINGS = 10;
/** Caches are warm, tables have reached the size that they keep, and the first days' load is long vacuumed. */
const SETTLED = 0.3;

const silent: RunWatcher = {
  sourceStarted: () => undefined,
  progress: () => undefined,
  result: () => undefined,
  sourceFinished: () => undefined,
  waiting: () => undefined,
};

const { values } = parseArgs({ options: { days: { type: 'string', default: '200' } } });
const days = Number(values.days);
if (!Number.isInteger(days) || days < READINGS) {
  process.stderr.write(`Usage: pnpm soak [--days N], at least ${READINGS}\n`);
  process.exit(2);
}
const at = (day: number) => FIRST.add({ hours: 24 * (day - 1) }).toString();

/** One day's run, from reading the settings to closing the database. */
async function runDay(env: Readonly<Record<string, string>>): Promise<RunDocument> {
  const { stdout, stderr } = process;
  const app = createApp(
    {
      env: { ...env, FLOYO_LOG_LEVEL: 'silent' },
      streams: { stdout, stderr },
      signal: new AbortController().signal,
    },
    true,
  );
  await using database = await openAppDatabase(app);
  return await runPipeline(
    { ...app, database, watcher: silent },
    {
      kind: 'scheduled',
      sources: app.settings.sources,
      work: { kind: 'scheduled' },
      waitMs: 0,
      skipWhenBusy: true,
    },
  );
}

async function soak(database: BenchDatabase, collectGarbage: () => void): Promise<Reading[]> {
  await using sandbox = await startSandboxProcess(at(1));
  const readings: Reading[] = [];
  for (let day = 1; day <= days; day++) {
    await sandbox.setClock(at(day));
    const document = await runDay({ ...sandbox.env, DATABASE_URL: database.url, FLOYO_NOW: at(day) });
    if (document.status !== 'succeeded')
      throw new Error(`Day ${day} is ${document.status}: ${JSON.stringify(document)}`);
    if (day % Math.floor(days / READINGS) > 0 && day < days) continue;
    const reading = await takeReading(database.session, { day, collectGarbage });
    readings.push(reading);
    process.stderr.write(`day ${day} of ${days}\n`);
  }
  return readings;
}

function isCallable(value: unknown): value is () => void {
  return typeof value === 'function';
}
setFlagsFromString('--expose-gc');
const collectGarbage: unknown = runInNewContext('gc');
if (!isCallable(collectGarbage)) throw new Error('no garbage collector to call');

await using bench = await startBench({ say: () => undefined, env: {} });
await using database = await bench.createDatabase();
// A temporary folder of its own from here on: what stays in it was left behind by the runs.
const temporary = await mkdtemp(join(tmpdir(), 'floyo-soak-'));
process.env['TMPDIR'] = temporary;
const readings = await soak(database, collectGarbage).finally(() => rm(temporary, { recursive: true }));
const settled = readings.find(({ day }) => day >= days * SETTLED);
const last = readings.at(-1);
const growth = settled && last ? findGrowth(settled, last) : ['nothing was measured'];
process.stdout.write(
  `${formatReadings(readings)}\n\n${growth.length === 0 ? `Nothing grew from day ${settled?.day ?? 0} on.` : growth.join('\n')}\n`,
);
process.exitCode = growth.length === 0 ? 0 : 1;
