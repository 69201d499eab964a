/** For this package's tests: the connector on a sandbox, reading days the way the runner does. */
import { type Sandbox, startSandbox } from '@floyo/sandbox';
import { readConfig } from '@floyo/shared/config';
import type { Io, LoadRow } from '@floyo/shared/connector';
import { WindowTooLargeError } from '@floyo/shared/errors';
import { collect, createTestIo } from '@floyo/shared/testing/vendor';
import { type DayWindow, halve } from '@floyo/shared/window';

import { type TikTokConfig, tiktokConfig } from '../config.ts';
import { tiktok } from '../index.ts';
import { report, type TikTokSession } from '../streams/report.ts';

/** Saturday evening in Europe, Sunday morning in Tokyo. */
export const NOW = '2026-11-21T21:00:00Z';
export const [US, TOKYO] = ['7012345678901234561', '7098765432109876503'] as const;

export interface Bench {
  readonly sandbox: Sandbox;
  /** A configuration of its own each time, and so a pace of its own. */
  readonly createConfig: () => TikTokConfig;
  readonly open: (account?: string, io?: Io) => Promise<TikTokSession>;
  /** Rows of whole days by ad and day; a window that is too large is halved. */
  readonly readRows: (
    window: DayWindow,
    options?: { readonly account?: string; readonly io?: Io },
  ) => Promise<{ readonly rows: LoadRow<'spend'>[]; readonly windows: DayWindow[] }>;
  /** How many requests there were whose path ends so. */
  readonly count: (path: string) => number;
}

export async function startBench(): Promise<Bench> {
  const sandbox = await startSandbox({ now: NOW });

  function createConfig(): TikTokConfig {
    const config = readConfig(tiktokConfig, sandbox.env);
    if (config === undefined) throw new Error('the sandbox does not configure TikTok');
    return config;
  }

  const open = (account: string = US, io: Io = testIo()): Promise<TikTokSession> =>
    tiktok.open(createConfig(), account, io);

  return {
    sandbox,
    createConfig,
    open,
    count: (path) => sandbox.log.entries.filter((entry) => entry.path.endsWith(path)).length,
    async readRows(window, { account = US, io = testIo() } = {}) {
      const session = await open(account, io);
      const rows: LoadRow<'spend'>[] = [];
      const windows: DayWindow[] = [];
      const queue = [window];
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        try {
          const records = await collect(report.readDays(session, next, io));
          windows.push(next);
          for (const record of records)
            rows.push(...(report.toRows(report.schema.parse(record), session, io.reporting).spend ?? []));
        } catch (error) {
          const halves = error instanceof WindowTooLargeError ? halve(next) : null;
          if (halves === null) throw error;
          queue.unshift(...halves);
        }
      }
      const keyOf = (row: LoadRow<'spend'>): string => `${row.date} ${row.external_id}`;
      return { rows: rows.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)), windows };
    },
  };
}

/** Waits as long as a limit per second asks for. */
export function testIo(now = NOW): Io {
  return createTestIo({ now, waitBudgetMs: 5_000 });
}
