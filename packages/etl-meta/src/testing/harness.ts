/** For this package's tests: an account of the sandbox, opened with pauses that hardly last, and its records. */
import { z } from 'zod';

import type { Sandbox } from '@floyo/sandbox';
import { readConfig } from '@floyo/shared/config';
import type { Io } from '@floyo/shared/connector';
import { collect, createTestIo } from '@floyo/shared/testing/vendor';
import type { DayWindow } from '@floyo/shared/window';

import { openAccount } from '../account.ts';
import { type MetaConfig, metaConfig } from '../config.ts';
import { type Insight, insights } from '../streams/insights.ts';
import type { Timings } from '../timings.ts';

/** Saturday evening in Europe, Sunday morning in Tokyo. */
export const NOW = '2026-11-21T21:00:00Z';
export const US = '1010035716096012';
export const EUROPE = '2040118820417733';
export const TOKYO = '3071290443350986';

export const FAST: Timings = {
  callTimeoutMs: 5_000,
  paceFromPercent: 75,
  paceLeastMs: 1,
  paceMostMs: 16,
  appWaitsMs: [10, 20, 40],
  pollFirstMs: 1,
  pollMostMs: 4,
  reportAppearsMs: 20,
  reportLimitMs: 40,
  notReadyWaitsMs: [1, 2, 4],
};

/** The configuration that points at the sandbox; a new object each time, so that no limit is shared by accident. */
export function sandboxConfig(sandbox: Sandbox): MetaConfig {
  const config = readConfig(metaConfig, sandbox.env);
  if (config === undefined) throw new Error('the sandbox does not configure Meta');
  return config;
}

export interface ReadOptions {
  readonly account?: string;
  readonly timings?: Partial<Timings>;
  readonly io?: Io;
}

/** Every record of the window, by day and ad. */
export async function readWindow(
  config: MetaConfig,
  window: DayWindow,
  { account = US, timings = {}, io = createTestIo({ now: NOW, waitBudgetMs: 10_000 }) }: ReadOptions = {},
): Promise<Insight[]> {
  const session = await openAccount(config, account, io, { ...FAST, ...timings });
  const records = z.array(insights.schema).parse(await collect(insights.readDays(session, window, io)));
  const keyOf = ({ ad_id: ad, date_start: day }: Insight): string => `${day} ${ad}`;
  return records.sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

/** How many requests of this method had a path that ends so. */
export function countCalls(sandbox: Sandbox, method: string, pathEnd: string): number {
  return sandbox.log.entries.filter((entry) => entry.method === method && entry.path.endsWith(pathEnd))
    .length;
}
