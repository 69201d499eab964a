/** `floyo run`: every configured source in order, then metrics. */
import { ConfigError } from '@floyo/shared/errors';

import { alertUnlessStarted } from '../alert.ts';
import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { dryRun } from '../dry-run.ts';
import { type ConfiguredSource, pickSources, type Settings } from '../sources.ts';

export interface RunOptions {
  readonly only?: readonly string[];
  readonly dryRun?: boolean;
  readonly wait: number;
}

export async function runCommand(app: App, options: RunOptions): Promise<number> {
  const pick = () =>
    options.only ? pickSources(app.settings, options.only, '--only') : configuredSources(app.settings);
  if (options.dryRun === true)
    return dryRun(app, { kind: 'manual', sources: pick(), work: { kind: 'scheduled' } });
  const kind = app.env['GITHUB_EVENT_NAME'] === 'schedule' ? 'scheduled' : 'manual';
  return alertUnlessStarted(app, kind, async () => {
    const sources = pick();
    await using database = await openAppDatabase(app);
    return await runAndReport(app, database, {
      kind,
      sources,
      work: { kind: 'scheduled' },
      whole: options.only === undefined,
      waitMs: options.wait,
      skipWhenBusy: true,
    });
  });
}

/** All configured sources. Rates alone are no pipeline: then somebody forgot the environment. */
export function configuredSources({ sources }: Settings): readonly ConfiguredSource[] {
  if (sources.some(({ connector }) => connector.source !== 'fx')) return sources;
  throw new ConfigError([
    {
      variable: 'META_ACCESS_TOKEN, TIKTOK_ACCESS_TOKEN, SHOPIFY_SHOPS',
      message:
        'are all unset: no source is configured. `.env.example` shows what each source needs; `pnpm demo` needs nothing.',
    },
  ]);
}
