/** What PostHog's answers mean, by HTTP status and its own code. The texts of errors decide nothing. */
import { z } from 'zod';

import { PipelineError, ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

/** A query that PostHog can't answer for so much at once: asked again for less. */
export class QueryTooLargeError extends WindowTooLargeError {}

const bodySchema = z.object({ code: z.string().catch(''), detail: z.string().catch('') });

/**
 * Statuses of PostHog's own for a query that is too much: 504 it ran into the time limit, 512 it would, 513 memory
 * (posthog/exceptions.py), 413 a body too large on the way.
 */
const TOO_LARGE = new Set([413, 504, 512, 513]);
/** The same with status 400 or 500. */
const TOO_LARGE_CODES = new Set([
  'too_many_bytes',
  'clickhouse_memory_limit_exceeded',
  'estimated_query_execution_timeout',
]);

const ADVICE_LATER = "Nothing to do: the next run tries again. If it lasts, look at PostHog's status page.";

/** What a reply means, or undefined when it is good. */
export function classifyReply(reply: HttpReply, query: string): PipelineError | undefined {
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  const { code, detail } = bodySchema.safeParse(reply.json).data ?? { code: '', detail: '' };
  const context = { http_status: status, code, vendor_message: detail.slice(0, 500), query, url: reply.url };
  if (TOO_LARGE.has(status) || TOO_LARGE_CODES.has(code)) return tooLarge(`HTTP ${status}`, context);
  if (status === 429)
    return new ThrottledError({
      message: 'PostHog: queries come faster than the project may make them',
      advice:
        'Nothing to do: the run waits. The limit is shared with everybody who queries the project; 2,400 queries an hour, 3 at once.',
      context,
      waitMs: waitOf(reply),
    });
  if (status === 401)
    return new PipelineError({
      type: 'auth',
      message: 'PostHog does not accept the personal API key',
      advice: 'Create a personal API key with the scope Query Read and put it into POSTHOG_PERSONAL_API_KEY.',
      context,
    });
  if (status === 403 || status === 404)
    return new PipelineError({
      type: 'permission',
      message:
        status === 404
          ? 'PostHog does not know the project, or does not show it to this key'
          : 'The personal API key may not query this project',
      advice:
        'Give the key the scope Query Read on the project (Settings, Personal API keys), and check POSTHOG_PROJECT_ID and POSTHOG_HOST (US, EU).',
      context,
    });
  if (status >= 500)
    return new PipelineError({
      type: 'upstream',
      message: `PostHog had an error that passes (HTTP ${status})`,
      advice: ADVICE_LATER,
      retryable: true,
      context,
    });
  return new PipelineError({
    type: 'contract',
    message: `PostHog refuses the query ${query}: ${detail || `HTTP ${status}`}`,
    advice: 'HogQL may have changed: compare the query with the documentation, and report it.',
    context,
  });
}

/** The error of a query that is too much at once. */
export function tooLarge(why: string, context: Readonly<Record<string, unknown>>): QueryTooLargeError {
  return new QueryTooLargeError({
    message: `PostHog can't answer for so much at once (${why})`,
    advice:
      'Fewer days, and then fewer rows, were asked for until nothing was left to halve. The next run tries again.',
    context,
  });
}

/** Whether the call ran into our own limit of time: PostHog would have gone on. */
export function isTimeout(error: unknown): boolean {
  return (
    error instanceof PipelineError && error.cause instanceof Error && error.cause.name === 'TimeoutError'
  );
}

function waitOf({ headers }: HttpReply): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
