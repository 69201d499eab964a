/**
 * Keeps within Meta's limits before they are reached: every answer says how much of them is used, and from 75 % on calls
 * are spaced out. An account's own limit holds back that account alone, the app's all accounts of the configuration.
 */
import type { Io } from '@floyo/shared/connector';
import { AccountPausedError } from '@floyo/shared/errors';

import type { MetaConfig } from './config.ts';
import type { Timings } from './timings.ts';
import { readUsage, throttleWaitMs } from './usage.ts';

/** What all accounts of one configuration share. */
interface App {
  readonly percents: Map<string, number>;
  /** Until then (an ISO instant) no account calls. */
  pausedUntil: string | undefined;
}

/** By configuration, which lives as long as the process: what one account learned, the next one knows. */
const apps = new WeakMap<MetaConfig, App>();

export interface Budget {
  /** Waits as long as the used share of the limits asks for. Throws AccountPausedError past the run's waiting budget. */
  pace(io: Io): Promise<void>;
  /** Takes in what an answer says, good or not. */
  note(headers: Headers): void;
  /** The app's limit has used up what an account may wait: no account calls until then. */
  pauseApp(until: string): void;
  readonly tier: string | undefined;
}

/** The budget of one ad account. */
export function createBudget(config: MetaConfig, accountId: string, timings: Timings): Budget {
  const app = appOf(config);
  const percents = new Map<string, number>();
  let tier: string | undefined;
  let regainMs = 0;
  let turn: Promise<void> = Promise.resolve();

  function paceMs(percent: number): number {
    const { paceFromPercent: from, paceLeastMs: least, paceMostMs: most } = timings;
    if (percent < from) return 0;
    const share = Math.min(1, (percent - from) / (100 - from));
    return Math.ceil(least * (most / least) ** share);
  }

  async function waitForCall(io: Io): Promise<void> {
    refusePausedApp(app, io);
    const appMs = paceMs(highest(app.percents));
    const accountMs = Math.max(paceMs(highest(percents)), regainMs);
    if (appMs === 0 && accountMs === 0) return;
    const isApp = appMs >= accountMs;
    const [whose, percent] = isApp ? ["app's", highest(app.percents)] : ["ad account's", highest(percents)];
    try {
      await io.http.wait(
        Math.max(appMs, accountMs),
        `Meta: ${Math.round(percent)} % of the ${whose} limit of calls is used`,
      );
    } catch (error) {
      if (isApp && error instanceof AccountPausedError) app.pausedUntil = error.until;
      throw error;
    }
  }

  return {
    get tier() {
      return tier;
    },

    pace(io) {
      // Windows are read side by side: their calls wait one after another, or together they would be as fast as before.
      const mine = turn.then(() => waitForCall(io));
      turn = mine.catch(() => undefined);
      return mine;
    },

    note(headers) {
      const usage = readUsage(headers, accountId);
      for (const [header, percent] of usage.account) percents.set(header, percent);
      for (const [header, percent] of usage.app) app.percents.set(header, percent);
      regainMs = throttleWaitMs(headers, accountId) ?? 0;
      tier = usage.tier ?? tier;
    },

    pauseApp(until) {
      app.pausedUntil = until;
    },
  };
}

function appOf(config: MetaConfig): App {
  const app = apps.get(config) ?? { percents: new Map(), pausedUntil: undefined };
  apps.set(config, app);
  return app;
}

/** Another account has waited in vain for the app's limit: calling on would only make the block longer. */
function refusePausedApp(app: App, io: Io): void {
  if (app.pausedUntil === undefined) return;
  if (Date.parse(app.pausedUntil) <= io.now().epochMilliseconds) {
    app.pausedUntil = undefined;
    app.percents.clear();
    return;
  }
  throw new AccountPausedError({
    message: "Meta's limit of the whole app is reached: this ad account is left too",
    advice:
      'Nothing to do: the accounts go on in a later run. If it happens daily, ask Meta for Full Access to the Marketing API, or give the pipeline an app of its own.',
    until: app.pausedUntil,
  });
}

function highest(percents: ReadonlyMap<string, number>): number {
  return Math.max(0, ...percents.values());
}
