/** One page of a list of Meta's, and what makes it unfit to be read. */
import { z } from 'zod';

import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

export const pageSchema = z.object({
  data: z.array(z.unknown()),
  paging: z
    .object({ cursors: z.object({ after: z.string().optional() }).optional(), next: z.string().optional() })
    .optional(),
});
export type Page = z.infer<typeof pageSchema>;

/** The error of an answer that is no page, or that may be cut off; undefined when it is fit. */
export function refuseBrokenPage(reply: HttpReply, limit: number): PipelineError | undefined {
  const page = pageSchema.safeParse(reply.json);
  if (!page.success)
    return new PipelineError({
      type: 'contract',
      message: "Meta's answer is no page of insights",
      advice: 'The API may have changed: compare the answer with the documentation of insights.',
      context: {
        url: reply.url,
        reasons: page.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
      },
    });
  if (page.data.data.length < limit || page.data.paging !== undefined) return undefined;
  // A full page always has cursors: without them nobody can tell whether there is more.
  return new PipelineError({
    type: 'truncated',
    message: "A full page of Meta's insights came without its cursors: there may be more",
    advice: 'Nothing was loaded from it; the next run tries again.',
    retryable: true,
    context: { url: reply.url, rows: page.data.data.length },
  });
}

/** The error of a cursor that does not lead on. */
export function stuckCursor(after: string | undefined): PipelineError {
  return new PipelineError({
    type: 'contract',
    message:
      after === undefined
        ? 'Meta says there is a next page but gives no cursor'
        : "Meta's cursor leads back to a page that was read already",
    advice: 'Nothing was loaded from this window. If it lasts, ask Meta.',
    context: { after },
  });
}
