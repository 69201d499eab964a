/** `floyo backfill`: whole days of one source again, newest first, then metrics. */
import { ConfigError } from '@floyo/shared/errors';
import { dayOf, type DayWindow } from '@floyo/shared/window';

import { alertUnlessStarted } from '../alert.ts';
import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { dryRun } from '../dry-run.ts';
import { daysOption } from '../option-values.ts';
import { paint } from '../print/style.ts';
import { clockOf } from '../run.ts';
import { type ConfiguredSource, pickSources } from '../sources.ts';

export interface BackfillOptions {
  readonly source: string;
  readonly from: string;
  readonly to: string;
  readonly account?: string;
  readonly dryRun?: boolean;
  readonly agents: number;
  readonly maxDuration: number;
  readonly wait: number;
}

export async function backfillCommand(app: App, options: BackfillOptions): Promise<number> {
  const sources = pickSources(app.settings, [options.source], '--source');
  const accountId = options.account?.replace(/^act_/, '');
  if (accountId !== undefined) requireAccount(sources, accountId);
  const work = {
    kind: 'backfill' as const,
    window: daysUntilToday(app, options),
    ...(accountId === undefined ? {} : { accountId }),
  };
  if (options.dryRun === true) return dryRun(app, { kind: 'backfill', sources, work });
  return alertUnlessStarted(app, 'backfill', async () => {
    await using database = await openAppDatabase(app);
    return await runAndReport(app, database, {
      kind: 'backfill',
      sources,
      work,
      agents: options.agents,
      deadline: Date.now() + options.maxDuration,
      waitMs: options.wait,
      skipWhenBusy: false,
    });
  });
}

/**
 * The days asked for. Each account's end with its own today when they are planned, and the window is kept as it was
 * asked for: a backfill is known by it, so that the same command goes on tomorrow too.
 */
function daysUntilToday(app: App, { from, to }: BackfillOptions): DayWindow {
  const window = daysOption(from, to);
  const today = dayOf(clockOf(app.settings.config.now)(), app.settings.config.reporting.timezone);
  if (from > today)
    throw new ConfigError(
      [{ variable: '--from', message: `${from} is in the future: today is ${today}` }],
      'usage',
    );
  if (to > today) {
    const note = `--to ${to} is in the future: days are read up to today, ${today}`;
    const { stderr } = app.streams;
    if (app.json) app.log.warn(note);
    else stderr.write(`${paint('yellow', `! ${note}`, stderr)}\n`);
  }
  return window;
}

function requireAccount(sources: readonly ConfiguredSource[], accountId: string): void {
  const accounts = sources.flatMap(({ connector, config }) => connector.accounts(config));
  if (accounts.includes(accountId)) return;
  throw new ConfigError(
    [{ variable: '--account', message: `${accountId} is not configured; there are ${accounts.join(', ')}` }],
    'usage',
  );
}
