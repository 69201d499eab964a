/** `floyo metrics`: what is dirty or due, or a range, or all. */
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { daysOption } from '../days-option.ts';

export interface MetricsOptions {
  readonly from?: string;
  readonly to?: string;
  readonly full?: boolean;
  readonly wait: number;
}

export async function metricsCommand(app: App, options: MetricsOptions): Promise<number> {
  const { from, to, full } = options;
  if ((from === undefined) !== (to === undefined))
    throw new ConfigError(
      [{ variable: from === undefined ? '--from' : '--to', message: 'is missing: a range has both' }],
      'usage',
    );
  await using database = await openAppDatabase(app);
  return await runAndReport(app, database, {
    kind: 'metrics',
    sources: [],
    work: { kind: 'scheduled' },
    metrics: {
      ...(from !== undefined && to !== undefined ? { range: daysOption(from, to) } : {}),
      ...(full === true ? { full } : {}),
    },
    waitMs: options.wait,
    skipWhenBusy: false,
  });
}
