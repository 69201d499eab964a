/**
 * Keeps calls within a shop's cost bucket: before a call it tells how long to wait until the bucket holds what the call
 * will ask for. It knows only what answers have told, never a plan's figures: shops differ.
 */
import { performance } from 'node:perf_hooks';

import type { Cost } from './answer.ts';

export interface Governor {
  /** How long to wait before a call, in milliseconds. `key` names calls that cost alike. */
  pauseMs(key: string): number;
  /** A call is under way: until the function is called it counts as spent, for those beside it. */
  start(key: string): () => void;
  /** Learns from an answer. */
  observe(key: string, cost: Cost): void;
  /** The bucket as the last answer told it. */
  throttle(): Cost['throttleStatus'] | undefined;
}

/** Longer than any bucket takes to fill; what is estimated beyond that is wrong. */
const MOST_PAUSE_MS = 30_000;

/** `nowMs` has to run with real time, because buckets fill with it. */
export function createGovernor(nowMs: () => number = () => performance.now()): Governor {
  const costs = new Map<string, number>();
  let underWay = 0;
  let last: { readonly status: Cost['throttleStatus']; readonly at: number } | undefined;
  return {
    pauseMs(key) {
      const cost = costs.get(key);
      if (cost === undefined || last === undefined || last.status.restoreRate <= 0) return 0;
      const { maximumAvailable, currentlyAvailable, restoreRate } = last.status;
      const refilled = currentlyAvailable + ((nowMs() - last.at) / 1_000) * restoreRate;
      const missing = cost + underWay - Math.min(maximumAvailable, refilled);
      return missing <= 0 ? 0 : Math.min(MOST_PAUSE_MS, Math.ceil((missing / restoreRate) * 1_000));
    },
    start(key) {
      const cost = costs.get(key) ?? 0;
      underWay += cost;
      return () => {
        underWay -= cost;
      };
    },
    observe(key, cost) {
      costs.set(key, cost.requestedQueryCost);
      last = { status: cost.throttleStatus, at: nowMs() };
    },
    throttle: () => last?.status,
  };
}
