/** The leaky bucket of query cost that every app has at every shop. It fills in real time, whatever the clock says. */
import { performance } from 'node:perf_hooks';

export interface ThrottleStatus {
  readonly maximumAvailable: number;
  readonly currentlyAvailable: number;
  readonly restoreRate: number;
}

export interface Bucket {
  status(): ThrottleStatus;
  /** Takes the points, or says no. */
  take(points: number): boolean;
  /** Gives back what a query asked for and did not use. */
  giveBack(points: number): void;
}

export function createBucket(
  { maximum, restoreRate }: { readonly maximum: number; readonly restoreRate: number },
  nowMs: () => number = () => performance.now(),
): Bucket {
  let level = maximum;
  let at = nowMs();
  const refill = (): void => {
    const now = nowMs();
    level = Math.min(maximum, level + ((now - at) / 1_000) * restoreRate);
    at = now;
  };
  return {
    status() {
      refill();
      return { maximumAvailable: maximum, currentlyAvailable: Math.floor(level), restoreRate };
    },
    take(points) {
      refill();
      if (points > level) return false;
      level -= points;
      return true;
    },
    giveBack(points) {
      level = Math.min(maximum, level + points);
    },
  };
}
