/**
 * `floyo schedule`: stays up and runs on a cron expression, for those who host it themselves. A tick while a run is at
 * work is left out: the next one catches up, as what is due follows from the ledger.
 */
import cron from 'node-cron';

import { ConfigError } from '@floyo/shared/errors';
import { isTimezone } from '@floyo/shared/window';

import { alertUnlessStarted } from '../alert.ts';
import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { configuredSources } from './run.ts';

export interface ScheduleOptions {
  readonly cron: string;
  readonly timezone: string;
}

export async function scheduleCommand(app: App, options: ScheduleOptions): Promise<number> {
  const problems = [
    ...(cron.validate(options.cron)
      ? []
      : [{ variable: '--cron', message: `${options.cron} is no cron expression` }]),
    ...(isTimezone(options.timezone)
      ? []
      : [{ variable: '--timezone', message: `${options.timezone} is no time zone` }]),
  ];
  if (problems.length > 0) throw new ConfigError(problems, 'usage');
  const sources = configuredSources(app.settings);
  const { stderr } = app.streams;
  const task = cron.schedule(
    options.cron,
    async () => {
      try {
        await alertUnlessStarted(app, 'scheduled', async () => {
          await using database = await openAppDatabase(app);
          await runAndReport(app, database, {
            kind: 'scheduled',
            sources,
            work: { kind: 'scheduled' },
            whole: true,
            waitMs: 600_000,
            skipWhenBusy: true,
          });
        });
      } catch (error) {
        // The schedule outlives a tick that could not begin (database down); the next one tries again.
        stderr.write(`✗ ${app.redactor.text(error instanceof Error ? error.message : String(error))}\n`);
      }
    },
    { timezone: options.timezone, noOverlap: true },
  );
  stderr.write(`Running on "${options.cron}" (${options.timezone}). Stop with Ctrl-C.\n`);
  await new Promise<void>((resolve) => {
    app.signal.addEventListener('abort', () => resolve(), { once: true });
    if (app.signal.aborted) resolve();
  });
  await task.destroy();
  return 0;
}
