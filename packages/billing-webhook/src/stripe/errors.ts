/** What Stripe's answers mean for us. https://docs.stripe.com/error-low-level, https://docs.stripe.com/rate-limits */
import { z } from 'zod';

import { type ErrorDetails, PipelineError, ThrottledError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

/** The object does not exist, or not any more. */
export class MissingObjectError extends PipelineError {
  /** As of when, an ISO instant in whole seconds. */
  readonly answeredAt: string;

  constructor(details: ErrorDetails & { readonly answeredAt: string }) {
    super(details);
    this.answeredAt = details.answeredAt;
  }
}

/** How long to leave Stripe alone when it says so without a time; grows with every refusal of a call. */
export interface Pauses {
  readonly rateLimitMs: number;
  /** One object is being worked on: over in a moment. */
  readonly lockMs: number;
}

export const PAUSES: Pauses = { rateLimitMs: 1_000, lockMs: 300 };
const LONGEST_PAUSE_MS = 30_000;

const errorSchema = z.object({
  error: z.object({
    type: z.string().optional().catch(undefined),
    code: z.string().optional().catch(undefined),
    message: z.string().catch(''),
  }),
});

/**
 * What a reply means, or undefined when it is good.
 * @param refusals how many times on end this call was throttled before
 */
export function classifyReply(
  reply: HttpReply,
  refusals: number,
  pauses: Pauses = PAUSES,
): PipelineError | undefined {
  const { status } = reply;
  const { type, code, message } = errorSchema.safeParse(reply.json).data?.error ?? { message: '' };
  const vendorMessage = withoutKeys(message);
  const context = {
    status,
    url: reply.url,
    code: code ?? type,
    vendor_message: vendorMessage,
    request_id: reply.headers.get('request-id'),
  };
  const said = vendorMessage === '' ? `HTTP ${status}` : vendorMessage;
  if (status === 429 || code === 'lock_timeout' || code === 'rate_limit')
    return new ThrottledError({
      message: code === 'lock_timeout' ? 'Stripe has the object locked' : 'Stripe is called too fast',
      advice: 'Nothing to do: the run waits. If it happens daily, see what else uses the key.',
      waitMs: pauseOf(reply, code, refusals, pauses),
      context,
    });
  if (status === 401)
    return new PipelineError({
      type: 'auth',
      message: `Stripe refuses the key: ${said}`,
      advice: 'Make a new key in the Dashboard (Developers, API keys) and put it into STRIPE_SECRET_KEY.',
      context,
    });
  if (status === 403)
    return new PipelineError({
      type: 'permission',
      message: `The key may not read ${new URL(reply.url).pathname}: ${said}`,
      advice: `Give the restricted key read access to it${permissionIn(message)} in the Dashboard (Developers, API keys).`,
      context,
    });
  if (status === 404)
    return new MissingObjectError({
      type: 'upstream',
      answeredAt: answeredAt(reply, 0),
      message: `Stripe has no ${new URL(reply.url).pathname}: ${said}`,
      advice: 'It was deleted, or STRIPE_SECRET_KEY is of another account.',
      context,
    });
  if (status >= 500 || status === 409)
    return new PipelineError({
      type: 'upstream',
      message: `Stripe had an error: ${said}`,
      advice: 'Nothing to do: the next run tries again. If it lasts, look at https://status.stripe.com.',
      retryable: true,
      context,
    });
  if (status !== 200)
    return new PipelineError({
      type: 'contract',
      message: `Stripe refuses the request: ${said}`,
      advice: 'The API may have changed: compare the call with its documentation.',
      context,
    });
  if (reply.json === undefined)
    return new PipelineError({
      type: 'upstream',
      message: "Stripe's answer broke off",
      advice: 'Nothing to do: the next run tries again.',
      retryable: true,
      context,
    });
  return undefined;
}

/**
 * The last second of which an answer surely tells everything: the server's clock when it answered, less the time that the
 * call took (the answer may have been made at its beginning), floored to the second that events are stamped with, less 1.
 */
export function answeredAt(reply: HttpReply, tookMs: number): string {
  const date = Date.parse(reply.headers.get('date') ?? '');
  if (Number.isNaN(date))
    throw contractError("Stripe's answer does not say when it was made", { url: reply.url });
  return new Date(Math.floor((date - tookMs) / 1000) * 1000 - 1000).toISOString();
}

/** With jitter: whoever was refused together must not come back together. */
function pauseOf(reply: HttpReply, code: string | undefined, refusals: number, pauses: Pauses): number {
  const told = Number(reply.headers.get('retry-after') ?? Number.NaN);
  if (Number.isFinite(told)) return told * 1000;
  const base = code === 'lock_timeout' ? pauses.lockMs : pauses.rateLimitMs;
  return Math.min(base * 2 ** refusals, LONGEST_PAUSE_MS) * (0.5 + Math.random());
}

/** Stripe names the right that is missing, e.g. `rak_customer_read`. */
function permissionIn(message: string): string {
  const name = /\brak_\w+/.exec(message)?.[0];
  return name === undefined ? '' : ` (${name})`;
}

/** Stripe repeats parts of the key in its messages. */
function withoutKeys(message: string): string {
  return message.replace(/\b(sk|rk)_(live|test)_[\w*]+/g, 'the key');
}

/** Stripe broke what it promises; nothing of the page is used. */
export function contractError(message: string, context: Readonly<Record<string, unknown>>): PipelineError {
  return new PipelineError({
    type: 'contract',
    message,
    advice:
      'Nothing of it was loaded; the next run tries again. If it lasts, ask Stripe with the request_id.',
    context,
  });
}
