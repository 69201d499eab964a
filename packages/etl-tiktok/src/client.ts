/**
 * TikTok's Business API as this connector uses it: token by header, JSON in the query, pages by number.
 * Yields pages of unknown records and makes sure that they are all there.
 * https://business-api.tiktok.com/portal/docs?id=1740302848100353
 */
import { z } from 'zod';

import { PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpClient, HttpReply } from '@floyo/shared/http';

import type { TikTokConfig } from './config.ts';
import { classifyReply, requestContext } from './errors.ts';
import { createPageCheck } from './page-check.ts';

/** v1.3 is current since 2022-08-15, no end announced (portal read 2026-11-21). */
export const API_VERSION = 'v1.3';
/** TikTok's maximum; its default is 10. */
export const PAGE_SIZE = 1000;
/** Present when only the newest 20,000 ads were counted. There is no other sign. */
const TRUNCATION_HEADER = 'x-tt-ads-throttle';

const listSchema = z.object({ data: z.object({ list: z.array(z.unknown()) }) });
const pageSchema = z.object({
  data: z.object({
    list: z.array(z.unknown()),
    page_info: z.object({ page: z.number(), total_page: z.number(), total_number: z.number() }),
  }),
});

/** Values that are no text are sent as JSON. */
export type Parameters = Readonly<Record<string, string | number | readonly unknown[]>>;

export interface ReportRequest {
  readonly parameters: Parameters;
  /** Whether fewer days can be asked for when the pages don't fit together. */
  readonly canSplit: boolean;
  /** The grain of a record, undefined when it can't be told. */
  readonly identify: (record: unknown) => { readonly externalId: string; readonly date?: string } | undefined;
}

export interface TikTokClient {
  /** The `data.list` of a call without pages. */
  getList(http: HttpClient, path: string, parameters: Parameters): Promise<readonly unknown[]>;
  /** All pages of a synchronous report. Throws when they are not all or don't fit together. */
  readReport(http: HttpClient, request: ReportRequest): AsyncGenerator<readonly unknown[]>;
}

/** `nowMs` is the clock (epoch milliseconds): some limits last until midnight UTC. */
export function createTikTokClient(config: TikTokConfig, nowMs: () => number): TikTokClient {
  async function get<T>(
    http: HttpClient,
    path: string,
    parameters: Parameters,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
      query.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
    const reply = await http.request({
      // Without the slash before the query TikTok answers 404.
      url: `${config.baseUrl}/open_api/${API_VERSION}/${path}/?${query.toString()}`,
      headers: { 'access-token': config.accessToken },
      safeToRepeat: true,
      classify: (answer) =>
        classifyReply(answer, nowMs()) ?? refuseTruncated(answer) ?? refuseOtherShape(answer, schema),
    });
    return schema.parse(reply.json);
  }

  return {
    getList: async (http, path, parameters) => (await get(http, path, parameters, listSchema)).data.list,

    async *readReport(http, { parameters, canSplit, identify }) {
      const check = createPageCheck();
      let lastPage = 1;
      for (let page = 1; page <= lastPage; page++) {
        const { data } = await get(
          http,
          'report/integrated/get',
          { ...parameters, page, page_size: PAGE_SIZE },
          pageSchema,
        );
        const problem = check.add({
          page,
          info: data.page_info,
          rows: data.list.length,
          keys: data.list.map(identify).filter((key) => key !== undefined),
        });
        if (problem !== undefined) throw movedPages(problem, canSplit);
        if (data.list.length > 0) yield data.list;
        lastPage = data.page_info.total_page;
      }
      const problem = check.finish();
      if (problem !== undefined) throw movedPages(problem, canSplit);
    },
  };
}

function refuseTruncated(reply: HttpReply): PipelineError | undefined {
  const notice = reply.headers.get(TRUNCATION_HEADER);
  if (notice === null) return undefined;
  return new PipelineError({
    type: 'truncated',
    message: `TikTok cut the report off: ${notice}`,
    advice:
      'Nothing of it was loaded. More than 20,000 ads need an asynchronous report or a filter by campaign, which this connector does not make; older ads of this advertiser can be moved to another one.',
    context: requestContext(reply),
  });
}

function refuseOtherShape(reply: HttpReply, schema: z.ZodType): PipelineError | undefined {
  const parsed = schema.safeParse(reply.json);
  if (parsed.success) return undefined;
  return new PipelineError({
    type: 'contract',
    message: "TikTok's answer does not have the expected shape",
    advice: 'The API may have changed: compare the answer with the documentation of the call.',
    context: {
      ...requestContext(reply),
      reasons: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    },
  });
}

/** Pages are no snapshot: rows that moved while they were read were missed or came twice, so the days are read again. */
function movedPages(problem: string, canSplit: boolean): PipelineError {
  const message = `TikTok's report changed while its pages were read: ${problem}`;
  // Asking for fewer days starts over with an empty stage, and with fewer pages that can move.
  if (canSplit)
    return new WindowTooLargeError({ message, advice: 'Nothing to do: fewer days are asked for.' });
  return new PipelineError({
    type: 'upstream',
    message,
    advice: 'Nothing of this day was loaded; the next run reads it again.',
    retryable: true,
  });
}
