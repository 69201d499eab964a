/**
 * Keeps the calls of one key under Stripe's limits, whoever makes them: a bucket for each endpoint and one for all.
 * https://docs.stripe.com/rate-limits
 */
import { setTimeout as delay } from 'node:timers/promises';

/** So many calls a second in the long run, and `burst` at once. */
interface Limit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Stripe allows 25 a second at each endpoint; the burst and the rate together stay under it in any second. */
const ENDPOINT: Limit = { perSecond: 20, burst: 5 };
/** 100 a second in live mode, 25 in test mode, over all endpoints; others use the key too. */
const ALL_LIVE: Limit = { perSecond: 60, burst: 15 };
const ALL_TEST: Limit = { perSecond: 15, burst: 5 };

export interface Pacer {
  /** Takes a place for one call to the endpoint; returns how many milliseconds away it is, at most 0 for now. */
  claim(endpoint: string): number;
  /** Resolves when one more call to the endpoint may be made; rejects with the signal's reason when it aborts. */
  take(endpoint: string, signal: AbortSignal): Promise<void>;
}

/** `clockMs` is a clock that never stands still nor goes back, unlike the run's now. */
export function createPacer(livemode: boolean, clockMs: () => number): Pacer {
  const all = createBucket(livemode ? ALL_LIVE : ALL_TEST);
  const endpoints = new Map<string, Bucket>();
  function claim(endpoint: string): number {
    const bucket = endpoints.get(endpoint) ?? createBucket(ENDPOINT);
    endpoints.set(endpoint, bucket);
    const now = clockMs();
    return Math.max(bucket.take(now), all.take(now));
  }
  return {
    claim,
    async take(endpoint, signal) {
      const waitMs = claim(endpoint);
      if (waitMs <= 0) return;
      try {
        await delay(waitMs, undefined, { signal });
      } catch (error) {
        throw signal.aborted ? signal.reason : error;
      }
    },
  };
}

interface Bucket {
  /** Takes a place; returns how many milliseconds away it is. */
  take(nowMs: number): number;
}

function createBucket({ perSecond, burst }: Limit): Bucket {
  const spacingMs = 1000 / perSecond;
  /** When the bucket will be full again. */
  let fullAt = -Infinity;
  return {
    take(nowMs) {
      fullAt = Math.max(fullAt, nowMs) + spacingMs;
      return fullAt - nowMs - burst * spacingMs;
    },
  };
}

const pacers = new WeakMap<object, Pacer>();

/** The one pacer of a configuration: streams, re-reads and doctor share its key, and with it the limits. */
export function pacerOf(config: object, livemode: boolean): Pacer {
  const known = pacers.get(config) ?? createPacer(livemode, () => performance.now());
  pacers.set(config, known);
  return known;
}
