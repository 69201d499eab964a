/** TikTok's limits of calls, counted for real while a `call_limit` fault asks for it. */
import type { MiddlewareHandler } from 'hono';
import { z } from 'zod';

import type { Fault, VendorContext } from '../core.ts';
import { failure, limitMessage } from './errors.ts';

const limitsSchema = z.object({
  perSecond: z.number().optional(),
  perMinute: z.number().optional(),
  perDay: z.number().optional(),
});
/** The Basic tier's. */
const basicPerSecond = 10;
const longestMs = { second: 1_000, minute: 60_000 };

/**
 * For `app.use`: answers 40100 to the call that goes over a limit. Seconds and minutes are real ones, any stretch of
 * them; a day is the UTC day of the sandbox's clock. Counted are the calls that the fault is for, since it was set.
 */
export function callLimit(context: VendorContext): MiddlewareHandler {
  const counted = new WeakMap<Fault, { at: number; day: string }[]>();
  return async (c, next) => {
    const fault = context.faults.take('tiktok', 'call_limit', { path: c.req.path });
    if (fault !== undefined) {
      const limits = limitsSchema.safeParse(fault.value).data ?? { perSecond: basicPerSecond };
      const now = performance.now();
      const day = context.clock.now().toString().slice(0, 10);
      const calls = [...(counted.get(fault) ?? []), { at: now, day }];
      counted.set(fault, calls);
      const within = (ms: number): number => calls.filter((call) => now - call.at < ms).length;
      refuseOver('day', calls.filter((call) => call.day === day).length, limits.perDay);
      refuseOver('minute', within(longestMs.minute), limits.perMinute);
      refuseOver('second', within(longestMs.second), limits.perSecond);
    }
    await next();
  };
}

function refuseOver(per: 'second' | 'minute' | 'day', calls: number, limit: number | undefined): void {
  if (limit !== undefined && calls > limit) throw failure(40100, limitMessage('App', per, calls, limit));
}
