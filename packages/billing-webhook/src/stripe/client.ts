/**
 * Stripe's API as billing uses it: a key by header, one pinned version, lists by cursor, single objects. Hands out
 * unknown objects with the time they were read at, and makes sure that a list's pages fit together.
 * https://docs.stripe.com/api/pagination
 */
import type Stripe from 'stripe';
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';

import { isLive } from '../config.ts';
import { answeredAt, classifyReply, contractError, PAUSES, type Pauses } from './errors.ts';
import { createListCheck } from './list-check.ts';
import { type Pacer, pacerOf } from './pacing.ts';

/** What calls are answered in, whatever the account's default is. The compiler holds it to the version of the types. */
export const API_VERSION: typeof Stripe.API_VERSION = '2026-10-28.endive';
/** Past this day somebody has to read the changelog again (a test and `doctor` say so): two breaking releases a year. */
export const REVIEW_API_VERSION_BY = '2027-09-30';
/** Stripe's maximum. */
export const PAGE_SIZE = 100;

/** What of the configuration the client needs. */
export interface StripeKey {
  readonly secretKey: string;
  readonly baseUrl: string;
}

/** What a call needs of the world. */
export type CallIo = Pick<Io, 'http' | 'signal'>;

export type Parameters = Readonly<Record<string, string | number | readonly string[]>>;

/** Every object has an id; most have a time of creation (epoch seconds) and a mode. */
const objectSchema = z.looseObject({
  id: z.string().min(1),
  created: z.number().optional(),
  livemode: z.boolean().optional(),
});
export type StripeObject = z.infer<typeof objectSchema>;

const listSchema = z.object({
  object: z.literal('list'),
  data: z.array(objectSchema),
  has_more: z.boolean(),
});

/** What one call brought. */
export interface Page {
  readonly objects: readonly StripeObject[];
  /** An ISO instant, whole seconds: what Stripe did from then on may be missing. */
  readonly fetchedAt: string;
  /** For error messages. */
  readonly requestId: string | null;
}

export interface ListOptions {
  /** Creation times in epoch seconds, `from` included, `to` not: anything else is refused. */
  readonly created?: { readonly from: number; readonly to: number };
  /** Lists are newest first, except lists inside an object. */
  readonly anyOrder?: boolean;
}

export interface StripeClient {
  readonly livemode: boolean;
  /** One object, of a connected account when it is named. Throws MissingObjectError when there is none. */
  get(
    io: CallIo,
    path: string,
    parameters?: Parameters,
    connectedAccount?: string,
  ): Promise<{ object: StripeObject; fetchedAt: string }>;
  /**
   * All pages of a list, newest first; the next one is on its way while one is used.
   * @throws PipelineError (contract) when pages overlap, stand still, are out of order or of the other mode
   */
  list(io: CallIo, path: string, parameters?: Parameters, options?: ListOptions): AsyncGenerator<Page>;
  /** One page of a list: after an object, or the first one. */
  page(io: CallIo, path: string, parameters: Parameters): Promise<Page & { readonly hasMore: boolean }>;
}

/** How the client keeps time; what is left out is as Stripe asks. */
export interface Timing {
  readonly pauses?: Pauses;
  readonly pacer?: Pacer;
}

export function createStripeClient(config: StripeKey, timing: Timing = {}): StripeClient {
  const livemode = isLive(config.secretKey);
  const { pauses = PAUSES, pacer = pacerOf(config, livemode) } = timing;

  async function call<T>(
    io: CallIo,
    path: string,
    parameters: Parameters,
    schema: z.ZodType<T>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ answer: T; fetchedAt: string; requestId: string | null }> {
    const url = urlOf(config.baseUrl, path, parameters);
    await pacer.take(path.split('/')[0] ?? path, io.signal);
    let begunAt = performance.now();
    let refusals = 0;
    const reply = await io.http.request({
      url,
      headers: { authorization: `Bearer ${config.secretKey}`, 'stripe-version': API_VERSION, ...headers },
      safeToRepeat: true,
      timeoutMs: 80_000,
      classify: (answer) => {
        const error = classifyReply(answer, refusals, pauses);
        if (error === undefined) return undefined;
        refusals++;
        begunAt = performance.now();
        return error;
      },
    });
    const requestId = reply.headers.get('request-id');
    const parsed = schema.safeParse(reply.json);
    if (!parsed.success)
      throw contractError("Stripe's answer does not have the expected shape", {
        url: reply.url,
        request_id: requestId,
        reasons: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
      });
    return { answer: parsed.data, fetchedAt: answeredAt(reply, performance.now() - begunAt), requestId };
  }

  function refuseOtherMode(path: string, object: StripeObject, requestId: string | null): void {
    if (object.livemode === undefined || object.livemode === livemode) return;
    throw contractError(
      `Stripe answered a ${livemode ? 'live' : 'test'} key with a ${livemode ? 'test' : 'live'} object`,
      { path, id: object.id, request_id: requestId },
    );
  }

  async function page(
    io: CallIo,
    path: string,
    parameters: Parameters,
  ): Promise<Page & { hasMore: boolean }> {
    const { answer, fetchedAt, requestId } = await call(
      io,
      path,
      { limit: PAGE_SIZE, ...parameters },
      listSchema,
    );
    for (const object of answer.data) refuseOtherMode(path, object, requestId);
    return { objects: answer.data, hasMore: answer.has_more, fetchedAt, requestId };
  }

  return {
    livemode,
    page,
    async get(io, path, parameters = {}, connectedAccount?) {
      const headers = connectedAccount === undefined ? {} : { 'stripe-account': connectedAccount };
      const { answer, fetchedAt, requestId } = await call(io, path, parameters, objectSchema, headers);
      refuseOtherMode(path, answer, requestId);
      return { object: answer, fetchedAt };
    },
    async *list(io, path, parameters = {}, options = {}) {
      const { created } = options;
      const asked = created
        ? { ...parameters, 'created[gte]': created.from, 'created[lt]': created.to }
        : parameters;
      const check = createListCheck(path, options);
      const fetchAfter = (id: string | undefined) => {
        const coming = page(io, path, id === undefined ? asked : { ...asked, starting_after: id });
        // It is awaited later: until then a failure must not count as one that nobody handles.
        coming.catch(() => undefined);
        return coming;
      };
      for (let coming: ReturnType<typeof fetchAfter> | undefined = fetchAfter(undefined); coming;) {
        const { hasMore, ...read }: Awaited<typeof coming> = await coming;
        check.add(read, hasMore);
        coming = hasMore ? fetchAfter(read.objects.at(-1)?.id) : undefined;
        if (read.objects.length > 0) yield read;
      }
    },
  };
}

function urlOf(baseUrl: string, path: string, parameters: Parameters): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (typeof value === 'object') for (const one of value) query.append(`${name}[]`, one);
    else query.set(name, String(value));
  const text = query.toString();
  return `${baseUrl.replace(/\/$/, '')}/v1/${path}${text === '' ? '' : `?${text}`}`;
}
