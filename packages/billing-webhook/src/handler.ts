/**
 * The webhook: `(Request) => Promise<Response>`, the same on Node and on the edge. Nothing is acknowledged that is not
 * stored: 200 says that the event is in the ledger, 500 that Stripe is to send it again, 4xx that it is not Stripe's.
 */
import { Hono } from 'hono';

import { BODY_TIMEOUT_MS, type BodyLimits, MAX_BODY_BYTES, readBody } from './body.ts';
import type { Change } from './mapping/change.ts';
import { encodeChange } from './mapping/encode-change.ts';
import { type EventHead, mapHead, readEvent } from './mapping/map-event.ts';
import type { Verify } from './signature.ts';
import { type Applied, type EventStore, StoreError } from './store.ts';

/** What the handler tells of its work; pino's logger fits. */
export interface HandlerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface HandlerOptions {
  readonly store: EventStore;
  /** Checks signatures: `createVerifier` (anywhere) or `createNodeVerifier` of the endpoint's secrets. */
  readonly verify: Verify;
  /** Events of the other mode are refused: a live endpoint of a platform gets its test events too. */
  readonly livemode: boolean;
  readonly log: HandlerLog;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Where the routes begin: on the edge the function's name. */
  readonly basePath?: string;
  readonly limits?: BodyLimits;
}

/** The pauses before a call is made again whose failure may pass; Stripe waits longer than all of them. */
const RETRY_PAUSES_MS = [50, 250];

type Refusal = 400 | 408 | 413 | 415;

/** A delivery that is none of Stripe's, or can't be one. Leaves no trace. */
class RefusedError extends Error {
  readonly status: Refusal;
  readonly reason: string;

  constructor(status: Refusal, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** What a delivery is answered with. */
export interface Reply {
  readonly status: number;
  readonly body: object;
}

/** The handler: `POST /webhooks/stripe` and `GET /healthz`. */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { store, log, basePath = '' } = options;
  const limits = options.limits ?? { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS };
  const receive = createReceiver(options);

  async function take(request: Request): Promise<Response> {
    const signature = request.headers.get('stripe-signature');
    const encoding = request.headers.get('content-encoding');
    if (signature === null) return refuse(log, 400, 'signature', 'There is no Stripe-Signature');
    if (encoding !== null && encoding !== 'identity')
      return refuse(log, 415, 'encoding', 'The body must not be compressed');
    const body = await readBody(request, limits);
    if (typeof body === 'number') return refuse(log, body, 'body', REFUSED_BODY[body]);
    const { status, body: answered } = await receive(body, signature);
    return answer(status, answered);
  }

  const app = new Hono();
  const webhook = [`${basePath}/webhooks/stripe`, ...(basePath === '' ? [] : [basePath])];
  for (const path of webhook) {
    app.post(path, (context) => take(context.req.raw));
    app.all(path, () => answer(405, { error: 'method', message: 'Events are sent with POST' }));
  }
  app.get(`${basePath}/healthz`, async () => {
    try {
      await store.check();
      return answer(200, { ok: true });
    } catch (error) {
      log.error({ error: describe(error) }, 'the database does not answer');
      return answer(503, { ok: false });
    }
  });
  app.notFound(() =>
    answer(404, { error: 'path', message: 'There is POST /webhooks/stripe and GET /healthz' }),
  );
  app.onError((error) => {
    log.error({ error: describe(error) }, 'unexpected failure');
    return answer(500, { error: 'internal', message: 'The event was not stored' });
  });
  return async (request) => app.fetch(request);
}

/** Takes the raw body of a delivery and its Stripe-Signature, stores the event, and says what to answer; never rejects. */
export function createReceiver({
  store,
  verify,
  livemode,
  log,
  now,
  sleep,
}: HandlerOptions): (body: Uint8Array<ArrayBuffer>, signature: string) => Promise<Reply> {
  const decoder = new TextDecoder('utf-8', { fatal: true });

  /** The raw text of a delivery that Stripe signed. */
  async function readSigned(body: Uint8Array<ArrayBuffer>, signature: string): Promise<string> {
    if (body.length === 0) throw new RefusedError(400, 'body', 'The body is empty');
    if (!(await verify(signature, body, now())))
      throw new RefusedError(400, 'signature', 'The signature is none of this endpoint, or of another time');
    try {
      return decoder.decode(body);
    } catch {
      throw new RefusedError(400, 'body', 'The body is no UTF-8');
    }
  }

  /** Calls the store again while its failure is of the kind that passes. */
  async function apply(change: string): Promise<Applied> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await store.apply(change);
      } catch (error) {
        const pause = RETRY_PAUSES_MS[attempt];
        if (!(error instanceof StoreError) || error.failure !== 'transient' || pause === undefined)
          throw error;
        await sleep(pause);
      }
    }
  }

  /** Stores the event with its state; as `failed` when that is our own failure. */
  async function storeEvent(head: EventHead, raw: string): Promise<Applied> {
    try {
      const change = mapHead(head);
      try {
        return await apply(encodeChange(change, raw));
      } catch (error) {
        if (!(error instanceof StoreError) || error.failure !== 'content') throw error;
        // Read and written anew it has no number beyond any range; nothing else should be left.
        return await apply(encodeChange(change));
      }
    } catch (error) {
      if (error instanceof StoreError && error.failure === 'transient') throw error;
      // A million brackets are JSON too, but neither Postgres nor JSON.stringify goes so deep.
      if (error instanceof RangeError || (error instanceof StoreError && error.failure === 'content'))
        throw new RefusedError(400, 'body', 'The body is nothing that can be stored');
      log.error({ ...named(head), error: describe(error) }, 'the event could not be applied');
      return await apply(encodeChange(toFailed(head, describe(error))));
    }
  }

  return async (body, signature) => {
    const started = now();
    let head: EventHead | undefined;
    try {
      const raw = await readSigned(body, signature);
      head = parse(raw);
      if (head.livemode !== livemode)
        throw new RefusedError(400, 'mode', `This endpoint takes ${livemode ? 'live' : 'test'} events alone`);
      const result = await storeEvent(head, raw);
      const fields = { ...named(head), result, duration_ms: now() - started };
      if (result === 'failed') {
        log.error(fields, 'event kept as failed');
        return {
          status: 500,
          body: { error: 'failed', message: 'The event is kept and will be tried again' },
        };
      }
      log.info(fields, 'event stored');
      return { status: 200, body: { received: true, result } };
    } catch (error) {
      if (error instanceof RefusedError) {
        const { status, reason, message } = error;
        log.warn({ reason, status, ...named(head) }, 'delivery refused');
        return { status, body: { error: reason, message } };
      }
      log.error({ ...named(head), error: describe(error), duration_ms: now() - started }, 'event not stored');
      return { status: 500, body: { error: 'store', message: 'The event was not stored' } };
    }
  };
}

function refuse(log: HandlerLog, status: Refusal, reason: string, message: string): Response {
  log.warn({ reason, status }, 'delivery refused');
  return answer(status, { error: reason, message });
}

const REFUSED_BODY = {
  400: 'The body broke off',
  408: 'The body came too slowly',
  413: 'The body is larger than any event',
};

function parse(raw: string): EventHead {
  try {
    return readEvent(JSON.parse(raw));
  } catch (error) {
    throw new RefusedError(
      400,
      'body',
      error instanceof SyntaxError ? 'The body is no JSON' : describe(error),
    );
  }
}

/** The event alone, with the reason, for the sweeper to try again. */
export function toFailed({ account, livemode, ledger }: EventHead, error: string): Change {
  return {
    account,
    livemode,
    source: 'webhook',
    event: { ...ledger, status: 'failed', error },
    object: null,
    rows: {},
    embedded: [],
    references: [],
  };
}

function named(head: EventHead | undefined): object {
  return head === undefined ? {} : { event: head.ledger.id, type: head.ledger.type, account: head.account };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function answer(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}
