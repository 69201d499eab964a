/** The two kinds of finding that need no words of their own: all is well, and what Stripe refused. */
import type { Finding } from '@floyo/shared/connector';
import { toPipelineError } from '@floyo/shared/errors';

/** All is well. */
export function fine(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}

/** An error as a finding. */
export function refusal(check: string, error: unknown): Finding {
  const { type, message, advice } = toPipelineError(error);
  const fix = advice ?? 'Run it again; if it lasts, look at https://status.stripe.com.';
  return { check, level: type === 'rate_limit' ? 'warning' : 'error', message, fix };
}
