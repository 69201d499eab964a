/**
 * Meta's Graph API as this connector uses it: token by header, cursor paging, smaller pages when Meta asks for them.
 * Yields pages of unknown records; what they mean is the stream's business.
 * https://developers.facebook.com/docs/marketing-api/insights
 */
import { z } from 'zod';

import { PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpClient, HttpReply } from '@floyo/shared/http';

import type { MetaConfig } from './config.ts';
import { classifyReply, PageTooLargeError, ReportFailedError } from './errors.ts';

/** Meta's default is 25 and its maximum not documented; 500 is what other readers use. */
const FIRST_LIMIT = 500;
const SMALLEST_LIMIT = 25;

const pageSchema = z.object({
  data: z.array(z.unknown()),
  paging: z
    .object({ cursors: z.object({ after: z.string().optional() }).optional(), next: z.string().optional() })
    .optional(),
});
type Page = z.infer<typeof pageSchema>;

export type Parameters = Readonly<Record<string, string>>;

export interface MetaClient {
  /** GET of one node. Throws PipelineError, classified. */
  getNode(http: HttpClient, node: string, fields: readonly string[]): Promise<unknown>;
  /** All pages of `act_<accountId>/insights`, empty ones left out. Throws WindowTooLargeError when fewer days are needed. */
  readInsights(
    http: HttpClient,
    accountId: string,
    parameters: Parameters,
  ): AsyncGenerator<readonly unknown[]>;
}

export function createMetaClient(config: MetaConfig): MetaClient {
  async function get(
    http: HttpClient,
    path: string,
    parameters: Parameters,
    check: (reply: HttpReply) => PipelineError | undefined,
  ): Promise<unknown> {
    const accountId = /^act_(\d+)/.exec(path)?.[1] ?? '';
    const reply = await http.request({
      url: `${config.baseUrl}/${config.apiVersion}/${path}?${new URLSearchParams(parameters).toString()}`,
      headers: { authorization: `Bearer ${config.accessToken}` },
      safeToRepeat: true,
      classify: (answer) =>
        classifyReply(answer, accountId) ?? refuseOtherVersion(answer, config.apiVersion) ?? check(answer),
    });
    return reply.json;
  }

  async function getPage(http: HttpClient, accountId: string, parameters: Parameters): Promise<Page> {
    try {
      return pageSchema.parse(
        await get(http, `act_${accountId}/insights`, parameters, (reply) =>
          refuseBrokenPage(reply, Number(parameters['limit'])),
        ),
      );
    } catch (error) {
      if (!(error instanceof ReportFailedError)) throw error;
      throw new WindowTooLargeError({
        message: `${error.message}, again and again`,
        advice: 'Fewer days are asked for. If a single day fails as well, ask Meta with the fbtrace_id.',
        context: error.context,
        cause: error,
      });
    }
  }

  return {
    getNode: (http, node, fields) => get(http, node, { fields: fields.join(',') }, () => undefined),

    async *readInsights(http, accountId, parameters) {
      const passed = new Set<string>();
      let limit = FIRST_LIMIT;
      let after: string | undefined;
      for (;;) {
        let page: Page;
        try {
          const cursor = after === undefined ? {} : { after };
          page = await getPage(http, accountId, { ...parameters, limit: String(limit), ...cursor });
        } catch (error) {
          if (!(error instanceof PageTooLargeError) || limit <= SMALLEST_LIMIT) throw error;
          limit = Math.max(SMALLEST_LIMIT, Math.floor(limit / 2));
          continue;
        }
        if (page.data.length > 0) yield page.data;
        // A short or empty page may have a next one: its absence alone is the end. The URL in it is never called,
        // because Meta would put the token there.
        if (page.paging?.next === undefined) return;
        after = page.paging.cursors?.after;
        if (after === undefined || passed.has(after)) throw stuckCursor(after);
        passed.add(after);
      }
    },
  };
}

/** Meta serves an expired version as another one; this header is the only sign. */
function refuseOtherVersion(reply: HttpReply, asked: string): PipelineError | undefined {
  const served = reply.headers.get('facebook-api-version');
  if (served === null || served === asked) return undefined;
  return new PipelineError({
    type: 'contract',
    message: `Meta answered as Marketing API ${served}, not as ${asked}`,
    advice: `${asked} has probably ended. Read the changelog between the two, then set META_API_VERSION.`,
    context: { asked, served, url: reply.url },
  });
}

function refuseBrokenPage(reply: HttpReply, limit: number): PipelineError | undefined {
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

function stuckCursor(after: string | undefined): PipelineError {
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
