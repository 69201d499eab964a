/**
 * Meta's Graph API as this connector uses it: token by header, cursor paging, smaller pages when Meta asks for them,
 * and the limits kept. Yields pages of unknown records; what they mean is the stream's business.
 * https://developers.facebook.com/docs/marketing-api/insights
 */
import type { Io } from '@floyo/shared/connector';
import { AccountPausedError, PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import { createBudget } from './budget.ts';
import type { MetaConfig } from './config.ts';
import {
  AppThrottledError,
  CallTimedOutError,
  classifyReply,
  PageTooLargeError,
  ReportFailedError,
} from './errors.ts';
import { type Page, pageSchema, refuseBrokenPage, stuckCursor } from './page.ts';
import { TIMINGS, type Timings } from './timings.ts';
import { refuseOtherVersion } from './versions.ts';

/** Meta's default is 25 and its maximum not documented; 500 is what other readers use. */
const FIRST_LIMIT = 500;
const SMALLEST_LIMIT = 25;

export type Parameters = Readonly<Record<string, string>>;

/** Meta for one ad account. Everything throws PipelineError, classified. */
export interface MetaClient {
  readonly accountId: string;
  readonly timings: Timings;
  /** GET of a node; `path` is what follows the version (`act_123`, a report's id, `debug_token`). */
  get(io: Io, path: string, parameters: Parameters): Promise<HttpReply>;
  /** POST of a form that may be made twice without harm. */
  post(io: Io, path: string, parameters: Parameters): Promise<HttpReply>;
  /**
   * All pages of an edge (`act_123/insights`), empty ones left out. Throws CallTimedOutError when an answer takes too
   * long and WindowTooLargeError when it would hold too much.
   */
  readPages(io: Io, path: string, parameters: Parameters): AsyncGenerator<readonly unknown[]>;
  /** How Meta ranks the app, by the answers so far: `development_access`, `standard_access`. */
  readonly tier: string | undefined;
}

export function createMetaClient(
  config: MetaConfig,
  accountId: string,
  timings: Timings = TIMINGS,
): MetaClient {
  const budget = createBudget(config, accountId, timings);

  async function call(
    io: Io,
    method: 'GET' | 'POST',
    path: string,
    parameters: Parameters,
    check: (reply: HttpReply) => PipelineError | undefined = () => undefined,
  ): Promise<HttpReply> {
    await budget.pace(io);
    const url = `${config.baseUrl}/${config.apiVersion}/${path}`;
    const values = new URLSearchParams(parameters).toString();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    /** Times in a row that this call was refused for the app's limit. */
    let refusals = 0;
    const classify = (reply: HttpReply): PipelineError | undefined => {
      budget.note(reply.headers);
      const error = classifyReply(reply, accountId);
      if (error instanceof AppThrottledError) return withWait(error, timings.appWaitsMs, refusals++);
      refusals = 0;
      return error ?? refuseOtherVersion(reply, config.apiVersion) ?? check(reply);
    };
    try {
      return await io.http.request({
        method,
        url: method === 'GET' ? `${url}?${values}` : url,
        headers: { authorization: `Bearer ${config.accessToken}`, ...(method === 'GET' ? {} : form) },
        ...(method === 'GET' ? {} : { body: values }),
        safeToRepeat: true,
        timeoutMs: timings.callTimeoutMs,
        classify,
      });
    } catch (error) {
      if (refusals > 0 && error instanceof AccountPausedError) budget.pauseApp(error.until);
      throw error;
    }
  }

  async function getPage(io: Io, path: string, parameters: Parameters): Promise<Page> {
    try {
      const limit = Number(parameters['limit']);
      const reply = await call(io, 'GET', path, parameters, (answer) => refuseBrokenPage(answer, limit));
      return pageSchema.parse(reply.json);
    } catch (error) {
      throw sizeErrorOf(error) ?? error;
    }
  }

  return {
    accountId,
    timings,
    get tier() {
      return budget.tier;
    },
    get: (io, path, parameters) => call(io, 'GET', path, parameters),
    post: (io, path, parameters) => call(io, 'POST', path, parameters),

    async *readPages(io, path, parameters) {
      const passed = new Set<string>();
      let limit = FIRST_LIMIT;
      let after: string | undefined;
      for (;;) {
        let page: Page;
        try {
          const cursor = after === undefined ? {} : { after };
          page = await getPage(io, path, { ...parameters, limit: String(limit), ...cursor });
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

/** The app's limit tells no time: the longer it lasts, the longer the wait. */
function withWait(
  { message, advice, context, waitMs }: AppThrottledError,
  waitsMs: readonly number[],
  refusals: number,
): AppThrottledError {
  const ownMs = waitsMs[Math.min(refusals, waitsMs.length - 1)];
  return new AppThrottledError({ message, advice, context, waitMs: waitMs ?? ownMs });
}

/** What no longer helps to repeat, but to ask for less: an answer that never came, a report that always fails. */
function sizeErrorOf(error: unknown): WindowTooLargeError | undefined {
  if (error instanceof ReportFailedError)
    return new WindowTooLargeError({
      message: `${error.message}, again and again`,
      advice: 'Less is asked for at a time. If that fails as well, ask Meta with the fbtrace_id.',
      context: error.context,
      cause: error,
    });
  if (error instanceof PipelineError && error.cause instanceof Error && error.cause.name === 'TimeoutError')
    return new CallTimedOutError({
      message: error.message,
      advice: 'Nothing to do: an asynchronous report is asked for instead.',
      context: error.context,
      cause: error,
    });
  return undefined;
}
