/** How long Meta asks to wait, read from its usage headers. All of them are JSON, any key may be absent. */
import { z } from 'zod';

const MINUTE_MS = 60_000;
/** The app-wide limits (code 4) tell no time and last minutes; calling while blocked makes it longer. */
const APP_LIMIT_WAIT_MS = MINUTE_MS;

const usageSchema = z.record(
  z.string(),
  z.array(
    z
      .object({ estimated_time_to_regain_access: z.number().catch(0) })
      .catch({ estimated_time_to_regain_access: 0 }),
  ),
);
const accountUsageSchema = z.object({ acc_id_util_pct: z.number(), reset_time_duration: z.number() });

/** Milliseconds, or undefined when Meta does not say (the HTTP client then waits ever longer by itself). */
export function throttleWaitMs(headers: Headers, accountId: string, code?: number): number | undefined {
  const minutes = minutesToRegainAccess(headers, accountId);
  if (minutes > 0) return minutes * MINUTE_MS;
  const usage = accountUsageSchema.safeParse(parseHeader(headers, 'x-ad-account-usage'));
  if (usage.success && usage.data.acc_id_util_pct >= 100 && usage.data.reset_time_duration > 0)
    return usage.data.reset_time_duration * 1000;
  return code === 4 ? APP_LIMIT_WAIT_MS : undefined;
}

/** The longest time of the account's use cases: whichever blocks, calling before it is over is in vain. */
function minutesToRegainAccess(headers: Headers, accountId: string): number {
  const usage = usageSchema.safeParse(parseHeader(headers, 'x-business-use-case-usage'));
  if (!usage.success) return 0;
  const entries = usage.data[accountId] ?? Object.values(usage.data).flat();
  return Math.max(0, ...entries.map((entry) => entry.estimated_time_to_regain_access));
}

function parseHeader(headers: Headers, name: string): unknown {
  try {
    return JSON.parse(headers.get(name) ?? '');
  } catch {
    return undefined;
  }
}
