/**
 * Keeps the calls of one app under TikTok's limits, whichever advertiser they are for, and remembers when TikTok has
 * shut the whole app out. TikTok sends no header that tells how much is left.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type { Io } from '@floyo/shared/connector';
import { AccountPausedError } from '@floyo/shared/errors';

/** At most `calls` in any stretch of `ms`. */
interface Limit {
  readonly calls: number;
  readonly ms: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A little more than a second: TikTok's clock is not ours. */
const SECOND_MS = 1_020;

/** The Basic tier, which an app has until it asks for more: 10 a second, 600 a minute. 864,000 a day follow from that. */
const CALL_LIMITS: readonly Limit[] = [
  { calls: 10, ms: SECOND_MS },
  { calls: 600, ms: MINUTE_MS },
];
/** Report tasks, at every tier. One page says 2 a second, another 1 a second: the smaller is kept. */
const TASK_LIMITS: readonly Limit[] = [
  { calls: 1, ms: SECOND_MS },
  { calls: 60, ms: MINUTE_MS },
  { calls: 4_500, ms: DAY_MS },
];
/** Longer waits are told and counted as throttling, and pause the account past its budget. */
const LONGEST_SILENT_WAIT_MS = 2_000;

export interface Pacer {
  /**
   * Waits until one more call may be made. Throws AccountPausedError while the app is shut out.
   * @returns to be called once the call was answered
   */
  await(io: Pick<Io, 'http' | 'signal' | 'now'>, kind: 'call' | 'task'): Promise<() => void>;
  /** Counts a call that was made again without asking. */
  note(): void;
  /** No advertiser of the app may be called until then (an ISO instant). */
  shutOut(until: string): void;
}

/** `clockMs` is a clock that never stands still nor goes back, unlike the run's now. */
export function createPacer(clockMs: () => number): Pacer {
  const calls = createSchedule(CALL_LIMITS, clockMs);
  const tasks = createSchedule(TASK_LIMITS, clockMs);
  let shutUntil: string | undefined;

  return {
    async await(io, kind) {
      if (shutUntil !== undefined && io.now().epochMilliseconds < Date.parse(shutUntil))
        throw new AccountPausedError({
          message: `TikTok's limit for the app is reached: no advertiser is called until ${shutUntil}`,
          advice: 'Nothing to do: the first run after that goes on where this one stopped.',
          until: shutUntil,
        });
      const places = [calls.reserve(), ...(kind === 'task' ? [tasks.reserve()] : [])];
      const waitMs = Math.max(...places.map((place) => place.waitMs));
      if (waitMs > LONGEST_SILENT_WAIT_MS) await io.http.wait(waitMs, "TikTok's limit of calls is near");
      else if (waitMs > 0) await delay(waitMs, undefined, { signal: io.signal });
      return () => places.forEach((place) => place.settle());
    },
    note: () => void calls.reserve(),
    shutOut: (until) => {
      shutUntil = until;
    },
  };
}

/** A call's place among the others. */
interface Place {
  readonly waitMs: number;
  /** The call was answered now: it may have arrived as late as that. */
  settle(): void;
}

/** Hands out the times of calls in order, none earlier than the limits allow. */
export function createSchedule(limits: readonly Limit[], clockMs: () => number): { reserve(): Place } {
  const places: { at: number }[] = [];
  const memory = Math.max(...limits.map(({ calls }) => calls));
  return {
    reserve() {
      const now = clockMs();
      const times = places.map(({ at }) => at).sort((left, right) => left - right);
      const earliest = limits.map(({ calls, ms }) => (times.at(-calls) ?? -Infinity) + ms);
      const place = { at: Math.max(now, ...earliest) };
      places.push(place);
      if (places.length > memory) places.shift();
      return {
        waitMs: place.at - now,
        settle: () => {
          place.at = Math.max(place.at, clockMs());
        },
      };
    },
  };
}

const pacers = new WeakMap<object, Pacer>();

/** The one pacer of a configuration: its advertisers share the app, and with it the limits. */
export function pacerOf(config: object): Pacer {
  const known = pacers.get(config) ?? createPacer(() => performance.now());
  pacers.set(config, known);
  return known;
}
