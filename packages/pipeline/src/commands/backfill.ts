/** `floyo backfill`: whole days of one source again, newest first, then metrics. */
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { dryRun } from '../dry-run.ts';
import { daysOption } from '../option-values.ts';
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
    window: daysOption(options.from, options.to),
    ...(accountId === undefined ? {} : { accountId }),
  };
  if (options.dryRun === true) return dryRun(app, { kind: 'backfill', sources, work });
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
}

function requireAccount(sources: readonly ConfiguredSource[], accountId: string): void {
  const accounts = sources.flatMap(({ connector, config }) => connector.accounts(config));
  if (accounts.includes(accountId)) return;
  throw new ConfigError(
    [{ variable: '--account', message: `${accountId} is not configured; there are ${accounts.join(', ')}` }],
    'usage',
  );
}
