/** `floyo metrics`: what is dirty or due, or a range, or all; a change of the reporting zone or currency; the check. */
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, runAndReport } from '../app.ts';
import { daysOption } from '../option-values.ts';

export interface MetricsOptions {
  readonly from?: string;
  readonly to?: string;
  readonly full?: boolean;
  readonly rezone?: boolean;
  readonly check?: boolean;
  readonly wait: number;
}

export async function metricsCommand(app: App, options: MetricsOptions): Promise<number> {
  const { from, to, full, rezone, check } = options;
  if ((from === undefined) !== (to === undefined))
    throw new ConfigError(
      [{ variable: from === undefined ? '--from' : '--to', message: 'is missing: a range has both' }],
      'usage',
    );
  if (rezone === true && full !== true)
    throw new ConfigError(
      [{ variable: '--rezone', message: 'goes with --full: every day is computed anew' }],
      'usage',
    );
  await using database = await openAppDatabase(app, { rezone: rezone === true });
  return await runAndReport(app, database, {
    kind: 'metrics',
    sources: [],
    work: { kind: 'scheduled' },
    metrics: {
      ...(from !== undefined && to !== undefined ? { range: daysOption(from, to) } : {}),
      ...(full === true ? { full } : {}),
      ...(rezone === true ? { rezone } : {}),
      ...(check === true ? { check: 'now' } : {}),
    },
    waitMs: options.wait,
    skipWhenBusy: false,
  });
}
