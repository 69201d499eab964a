/**
 * TikTok's Business API as this connector uses it: token by header, JSON in the query, pages by number, report tasks.
 * Hands out unknown records, and makes sure that the pages of a report fit together.
 * https://business-api.tiktok.com/portal/docs?id=1740302848100353
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { AccountPausedError, PipelineError } from '@floyo/shared/errors';
import { createHttpClient, type HttpReply } from '@floyo/shared/http';

import type { TikTokConfig } from './config.ts';
import {
  classifyReply,
  codeOf,
  CutOffError,
  isLimitOfApp,
  MovedPagesError,
  requestContext,
} from './errors.ts';
import { pacerOf } from './pacing.ts';
import { createPageCheck } from './page-check.ts';

/** v1.3 is current since 2022-08-15, no end announced. */
export const API_VERSION = 'v1.3';
/** Past this day somebody has to read the portal again (a test and `doctor` say so). */
export const REVIEW_API_VERSION_BY = '2027-06-30';
/** TikTok's maximum; its default is 10. */
export const PAGE_SIZE = 1000;
/** Present when only the newest 20,000 ads were counted. There is no other sign. */
const TRUNCATION_HEADER = 'x-tt-ads-throttle';
const TELL_TIMEOUT_MS = 3_000;

const listSchema = z.object({ data: z.object({ list: z.array(z.unknown()) }) });
const pageSchema = z.object({
  data: z.object({
    list: z.array(z.unknown()),
    page_info: z.object({ page: z.number(), total_page: z.number(), total_number: z.number() }),
  }),
});

/** In a query, values that are no text are sent as JSON. */
export type Parameters = Readonly<Record<string, string | number | boolean | readonly unknown[]>>;

/** What a call needs of the world. */
export type CallIo = Pick<Io, 'http' | 'signal' | 'now'>;

export interface Call<T> {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly parameters: Parameters;
  readonly schema: z.ZodType<T>;
  /** Report tasks have limits of their own. */
  readonly kind?: 'call' | 'task';
  /** What else may be wrong with an answer, asked before anything else; null when it is good whatever it looks like. */
  readonly judge?: (reply: HttpReply) => PipelineError | null | undefined;
  readonly timeoutMs?: number;
}

export interface ReportRequest {
  readonly parameters: Parameters;
  /** The grain of a record, undefined when it can't be told. */
  readonly identify: (record: unknown) => { readonly externalId: string; readonly date?: string } | undefined;
  /** Throws when a record does not belong into the report; `context` are the ids of its answer. */
  readonly refuse?: (record: unknown, context: Readonly<Record<string, unknown>>) => void;
}

export interface TikTokClient {
  /** Makes a call at the pace that TikTok allows. Throws when the answer means a failure or has another shape. */
  call<T>(io: CallIo, call: Call<T>): Promise<{ readonly reply: HttpReply; readonly answer: T }>;
  /** The `data.list` of a call without pages, and the ids of its answer. */
  getList(
    io: CallIo,
    path: string,
    parameters: Parameters,
  ): Promise<{ readonly list: readonly unknown[]; readonly context: Readonly<Record<string, unknown>> }>;
  /** All pages of a synchronous report. Throws CutOffError and MovedPagesError when they are not all or don't fit. */
  readReport(io: CallIo, request: ReportRequest): AsyncGenerator<readonly unknown[]>;
  /** Sends a call whose outcome nobody depends on, beside the run's HTTP client: that may be what was stopped. */
  tell(io: CallIo, path: string, parameters: Parameters): Promise<void>;
}

export function createTikTokClient(config: TikTokConfig): TikTokClient {
  const pacer = pacerOf(config);

  async function call<T>(io: CallIo, request: Call<T>): Promise<{ reply: HttpReply; answer: T }> {
    const { method = 'GET', path, parameters, schema, judge } = request;
    const settle = await pacer.await(io, request.kind ?? 'call');
    let last: HttpReply | undefined;
    try {
      const reply = await io.http.request({
        ...toRequest(config, method, path, parameters),
        // A task that is created twice counts twice against its limit, and harms nobody.
        safeToRepeat: true,
        ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
        classify: (answer) => {
          if (last !== undefined) pacer.note();
          settle();
          last = answer;
          const judged = judge?.(answer);
          if (judged !== undefined) return judged ?? undefined;
          return (
            classifyReply(answer, io.now().epochMilliseconds) ??
            refuseTruncated(answer) ??
            refuseOtherShape(answer, schema)
          );
        },
      });
      return { reply, answer: schema.parse(reply.json) };
    } catch (error) {
      if (!(error instanceof AccountPausedError) || last === undefined) throw error;
      if (isLimitOfApp(codeOf(last))) pacer.shutOut(error.until);
      throw new AccountPausedError({
        message: error.message,
        advice: error.advice,
        until: error.until,
        context: { ...requestContext(last), ...error.context },
        cause: error,
      });
    }
  }

  return {
    call,
    async tell(io, path, parameters) {
      const http = createHttpClient({
        signal: AbortSignal.timeout(TELL_TIMEOUT_MS),
        now: () => io.now().epochMilliseconds,
        retryBaseMs: 1,
        waitBudgetMs: 0,
      });
      const request = toRequest(config, 'POST', path, parameters);
      await http
        .request({ ...request, safeToRepeat: false, classify: () => undefined })
        .catch(() => undefined);
    },
    async getList(io, path, parameters) {
      const { reply, answer } = await call(io, { path, parameters, schema: listSchema });
      return { list: answer.data.list, context: requestContext(reply) };
    },
    async *readReport(io, { parameters, identify, refuse }) {
      const check = createPageCheck();
      let context: Record<string, unknown> = {};
      let lastPage = 1;
      for (let page = 1; page <= lastPage; page++) {
        const { reply, answer } = await call(io, {
          path: 'report/integrated/get',
          parameters: { ...parameters, page, page_size: PAGE_SIZE },
          schema: pageSchema,
        });
        const { list, page_info: info } = answer.data;
        context = requestContext(reply);
        const keys = list.map(identify).filter((key) => key !== undefined);
        const problem = check.add({ page, info, rows: list.length, keys });
        if (problem !== undefined) throw movedPages(problem, context);
        for (const record of list) refuse?.(record, context);
        if (list.length > 0) yield list;
        lastPage = info.total_page;
      }
      const problem = check.finish();
      if (problem !== undefined) throw movedPages(problem, context);
    },
  };
}

/** URL, headers and body of a call. Without the slash at the end of the path TikTok answers 404. */
function toRequest(
  { baseUrl, accessToken }: Pick<TikTokConfig, 'baseUrl' | 'accessToken'>,
  method: 'GET' | 'POST',
  path: string,
  parameters: Parameters,
): {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: string;
} {
  const url = `${baseUrl}/open_api/${API_VERSION}/${path}/`;
  const headers = { 'access-token': accessToken };
  if (method === 'POST')
    return {
      url,
      method,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(parameters),
    };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    query.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
  return { url: `${url}?${query.toString()}`, method, headers };
}

function refuseTruncated(reply: HttpReply): PipelineError | undefined {
  const notice = reply.headers.get(TRUNCATION_HEADER);
  if (notice === null) return undefined;
  return new CutOffError({
    message: `TikTok cut the report off: ${notice}`,
    advice: 'Nothing of it was loaded.',
    context: requestContext(reply),
    rows: pageSchema.safeParse(reply.json).data?.data.page_info.total_number ?? Infinity,
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

function movedPages(problem: string, context: Record<string, unknown>): MovedPagesError {
  return new MovedPagesError({
    message: `TikTok's report changed while its pages were read: ${problem}`,
    advice: 'Nothing of these days was loaded; the next run reads them again.',
    context,
  });
}
