/**
 * PostHog's query API: named HogQL queries, at most two at once a project, answers from no cache, rows by column name.
 * Hands out unknown records; what they mean is the streams' business.
 * https://posthog.com/docs/api/queries
 */
import PQueue from 'p-queue';
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { PostHogConfig } from './config.ts';
import { classifyReply, isTimeout, tooLarge } from './errors.ts';

/** PostHog answers three a project at once, and people use it too. */
const QUERIES_AT_ONCE = 2;
/** A query runs 10 s at most and may stand in the queue for 30. */
const TIMEOUT_MS = 60_000;
/** A larger LIMIT is cut to this without a word, none at all to 100. */
export const MAX_LIMIT = 50_000;

/** What a query's placeholders stand for. */
export type Values = Readonly<Record<string, string | number | readonly string[]>>;

export interface Query {
  /** Shown in PostHog's query log. */
  readonly name: string;
  /** Without LIMIT: that is added. */
  readonly sql: string;
  readonly values: Values;
  /** Columns that an answer must have. */
  readonly columns: readonly string[];
  readonly limit: number;
}

/** A row by column name. */
export type Row = Readonly<Record<string, unknown>>;

export interface PostHogClient {
  /**
   * Makes one query. As many rows as `limit` say that there may be more.
   * @throws QueryTooLargeError when PostHog can't answer for so much; PipelineError otherwise.
   */
  query(io: CallIo, query: Query): Promise<Row[]>;
}

/** What a call needs of the world. */
export type CallIo = Pick<Io, 'http'>;

const answerSchema = z.object({
  columns: z.array(z.string()),
  results: z.array(z.array(z.unknown())),
  hasMore: z.boolean().nullish(),
  limit: z.number().nullish(),
  is_cached: z.boolean().nullish(),
  error: z.string().nullish(),
});
type Answer = z.infer<typeof answerSchema>;

/** One queue a configuration: whoever reads the project shares it. */
const queues = new WeakMap<PostHogConfig, PQueue>();

export function createPostHogClient(config: PostHogConfig): PostHogClient {
  const queue = queues.get(config) ?? new PQueue({ concurrency: QUERIES_AT_ONCE });
  queues.set(config, queue);
  return {
    query: async (io, query) => toRows(await queue.add(() => ask(config, io, query)), query),
  };
}

async function ask(config: PostHogConfig, io: CallIo, query: Query): Promise<Answer> {
  const limit = Math.min(query.limit, MAX_LIMIT);
  let answer: Answer | undefined;
  try {
    await io.http.request({
      url: `${config.host}/api/projects/${config.projectId}/query/`,
      method: 'POST',
      headers: { authorization: `Bearer ${config.personalApiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query: {
          kind: 'HogQLQuery',
          query: `${query.sql}\nLIMIT ${limit}`,
          values: query.values,
          modifiers: { convertToProjectTimezone: false },
        },
        refresh: 'force_blocking',
        name: query.name,
      }),
      // Reading changes nothing.
      safeToRepeat: true,
      timeoutMs: TIMEOUT_MS,
      classify: (reply) => {
        const error = classifyReply(reply, query.name);
        if (error !== undefined) return error;
        const parsed = answerSchema.safeParse(reply.json);
        if (!parsed.success) return otherShape(reply, query, z.prettifyError(parsed.error));
        answer = parsed.data;
        return refuse(parsed.data, query, limit);
      },
    });
  } catch (error) {
    if (isTimeout(error)) throw tooLarge('no answer in time', { query: query.name });
    throw error;
  }
  if (answer === undefined) throw new TypeError('an answer that was good is missing');
  return answer;
}

/** What is wrong with an answer of the right shape. */
function refuse(answer: Answer, query: Query, limit: number): PipelineError | undefined {
  const context = { query: query.name, limit, rows: answer.results.length };
  if (answer.error)
    return new PipelineError({
      type: 'upstream',
      message: `PostHog answers with an error: ${answer.error.slice(0, 200)}`,
      advice: 'The next run tries again. If it lasts, run the query in PostHog.',
      retryable: true,
      context,
    });
  if (answer.is_cached === true)
    return new PipelineError({
      type: 'upstream',
      message: 'PostHog answered from its cache, although a fresh answer was asked for',
      advice: 'Nothing of it was loaded; the next run tries again.',
      retryable: true,
      context,
    });
  if (answer.results.length > limit)
    return new PipelineError({
      type: 'contract',
      message: `PostHog answers with ${answer.results.length} rows where ${limit} were asked for`,
      advice: 'The API may have changed: what a full page is can no longer be told.',
      context,
    });
  const { length: rows } = answer.results;
  // PostHog may tell the limit that it went by, and whether there is more.
  if (rows < limit && (answer.hasMore === true || answer.limit === rows))
    return new PipelineError({
      type: 'truncated',
      message: `PostHog cut an answer off: ${answer.results.length} of at most ${limit} rows, and more to come`,
      advice: 'Nothing of these days was loaded. The limit of the query API may have changed.',
      context: { ...context, told_limit: answer.limit, has_more: answer.hasMore },
    });
  return undefined;
}

function toRows(answer: Answer, query: Query): Row[] {
  const missing = query.columns.filter((column) => !answer.columns.includes(column));
  if (missing.length > 0)
    throw new PipelineError({
      type: 'contract',
      message: `PostHog's answer to ${query.name} lacks the columns ${missing.join(', ')}`,
      advice: 'The API may have changed: compare the answer with the query.',
      context: { query: query.name, columns: answer.columns },
    });
  const places = query.columns.map((column) => [column, answer.columns.indexOf(column)] as const);
  return answer.results.map((cells) => Object.fromEntries(places.map(([column, at]) => [column, cells[at]])));
}

function otherShape(reply: HttpReply, query: Query, reasons: string): PipelineError {
  const isJson = reply.json !== undefined;
  return new PipelineError({
    type: isJson ? 'contract' : 'upstream',
    message: isJson
      ? `PostHog's answer to ${query.name} does not have the expected shape`
      : 'PostHog answered with no JSON',
    advice: 'The API may have changed, or something between here and PostHog answers (a proxy?).',
    retryable: !isJson,
    context: { query: query.name, http_status: reply.status, url: reply.url, reasons },
  });
}
