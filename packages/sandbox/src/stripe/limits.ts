/** Stripe's rate limits, counted in real time over any second. https://docs.stripe.com/rate-limits */
import { tooMany } from './errors.ts';

export interface Limits {
  /** Calls of one operation (all ids share it) and of all together, a second. */
  readonly perEndpoint: number;
  readonly total: number;
}

export const LIVE_LIMITS: Limits = { perEndpoint: 25, total: 100 };

/** Counts a call of an endpoint, or throws 429; what was refused does not count. */
export type Gate = (endpoint: string) => void;

export function createGate(limits: Limits, nowMs: () => number = () => performance.now()): Gate {
  const calls: { readonly endpoint: string; readonly at: number }[] = [];
  return (endpoint) => {
    const now = nowMs();
    while (calls[0] !== undefined && now - calls[0].at >= 1_000) calls.shift();
    if (calls.length >= limits.total) throw tooMany('global-rate');
    if (calls.filter((call) => call.endpoint === endpoint).length >= limits.perEndpoint)
      throw tooMany('endpoint-rate');
    calls.push({ endpoint, at: now });
  };
}
