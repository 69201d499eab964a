/** PostHog's error bodies, and the faults that answer with one. */
import { z } from 'zod';

import type { RequestTarget, VendorContext } from '../core.ts';

export class PostHogFailure extends Error {
  readonly status: number;
  readonly type: string;
  readonly code: string;
  readonly headers: Record<string, string>;
  constructor(
    status: number,
    type: string,
    code: string,
    detail: string,
    headers: Record<string, string> = {},
  ) {
    super(detail);
    this.status = status;
    this.type = type;
    this.code = code;
    this.headers = headers;
  }
}

/** What ClickHouse or HogQL says of a query that it does not take: HTTP 400. */
export function badQuery(detail: string): PostHogFailure {
  return new PostHogFailure(400, 'validation_error', 'illegal_hogql', detail);
}

const valueSchema = z.object({
  status: z.number().optional(),
  seconds: z.number().optional(),
  maxHours: z.number().optional(),
  maxRows: z.number().optional(),
  maxGroups: z.number().optional(),
});
export type FaultValue = z.infer<typeof valueSchema>;

/** Throws what the first fault that strikes this request answers. */
export function refuseByFault(context: VendorContext, target: RequestTarget): void {
  const take = (kind: Parameters<typeof context.faults.take>[1]) => {
    const fault = context.faults.take('posthog', kind, target);
    return fault === undefined ? undefined : readValue(fault.value);
  };
  const throttle = take('throttle');
  if (throttle)
    throw new PostHogFailure(
      throttle.status ?? 429,
      'throttled_error',
      'throttled',
      'Request was throttled. Expected available in 1 second.',
      throttle.seconds === undefined ? {} : { 'retry-after': String(throttle.seconds) },
    );
  const broken = take('server_error');
  if (broken)
    throw new PostHogFailure(broken.status ?? 503, 'server_error', 'error', 'A server error occurred.');
  if (take('wrong_token'))
    throw new PostHogFailure(
      401,
      'authentication_error',
      'authentication_failed',
      'Invalid personal API key.',
    );
  if (take('missing_scope'))
    throw new PostHogFailure(
      403,
      'authentication_error',
      'permission_denied',
      "API key missing required scope 'query:read'",
    );
  if (take('permission'))
    throw new PostHogFailure(
      403,
      'authentication_error',
      'permission_denied',
      "You don't have access to the project.",
    );
}

export function readValue(value: unknown): FaultValue {
  return valueSchema.safeParse(value).data ?? {};
}
