/** The errors that steer this connector, and the facts that all of its errors carry. */
import { type ErrorDetails, PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

/** The query was too much at once: the same page with fewer orders may go through. */
export class PageTooLargeError extends PipelineError {
  /** Whether this size is refused for good (by its cost), not by the moment's load. */
  readonly isPermanent: boolean;

  constructor(details: ErrorDetails & { readonly isPermanent: boolean }) {
    super(details);
    this.isPermanent = details.isPermanent;
  }
}

/** The token was refused; a fresh one may help. */
export class TokenRefusedError extends PipelineError {}

/** Who asked for what. */
export interface Asked {
  readonly shop: string;
  readonly apiVersion: string;
  readonly operation: string;
  /** Whether the query has a page that can be made smaller. */
  readonly canShrink: boolean;
  /** When a shop that is shut is worth another look (an ISO instant): tomorrow. */
  readonly pauseUntil: string;
}

/** What the on-call engineer needs: who was asked for what, and Shopify's request id. */
export function facts(
  reply: HttpReply,
  asked: Asked,
  more: Record<string, unknown> = {},
): Pick<ErrorDetails, 'context'> {
  return {
    context: {
      shop: asked.shop,
      operation: asked.operation,
      status: reply.status,
      request_id: reply.headers.get('x-request-id') ?? undefined,
      ...more,
    },
  };
}

/** Too slow: fewer orders at once if that is possible, else the same call again. */
export function tooSlow(reply: HttpReply, asked: Asked, message: string): PipelineError {
  return new PageTooLargeError({
    ...facts(reply, asked),
    type: 'upstream',
    message,
    advice: 'The next run tries again; check shopifystatus.com if it goes on.',
    retryable: !asked.canShrink,
    isPermanent: false,
  });
}
