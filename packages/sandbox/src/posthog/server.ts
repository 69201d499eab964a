/**
 * PostHog as far as a reader and a sender of events see it: the query API under `/api/projects/<id>/query/` and the capture
 * endpoint `/batch/`. The two have hosts of their own at PostHog; here both are under one prefix.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { Hono } from 'hono';

import type { VendorContext } from '../core.ts';
import { connectionFaults } from '../middleware.ts';
import { type Captured, createCaptureDesk } from './capture.ts';
import { PostHogFailure, refuseByFault } from './errors.ts';
import { type AskedQuery, createQueryDesk } from './query.ts';
import { createEventStore, type EventStore } from './store.ts';
import type { Volume } from './world.ts';

export const posthogProject = '52073';
export const posthogKey = 'phx_sandboxPersonalApiKey';

/** Some hundred events a day: enough for every metric, little for every test. */
const SMALL: Volume = { signups: 4, pageviews: 2 };
/** PostHog answers so many of a project's queries side by side. */
const QUERIES_AT_ONCE = 3;
const DAY_MS = 86_400_000;

/** What tests and other processes may do with the project. */
export interface PostHogControls extends Pick<EventStore, 'send' | 'erase' | 'ofDay'> {
  /** What was sent to the capture endpoint; it does not become part of the project. */
  readonly captured: Captured;
  /** Queries that were answered. */
  readonly asked: AskedQuery[];
  /** The most queries that there were at once. */
  readonly mostAtOnce: number;
}

export function createPostHogServer(
  context: VendorContext,
  volume: Volume = SMALL,
): { readonly app: Hono; readonly controls: PostHogControls } {
  const anchor = Math.floor(context.clock.now().epochMilliseconds / DAY_MS);
  const store = createEventStore({ seed: context.seed, anchor, volume }, context.clock);
  const captured = createCaptureDesk();
  const desk = createQueryDesk(context, store);
  const load = { now: 0, most: 0 };
  const app = new Hono();

  app.use('/api/*', countQueries(load));
  app.use('*', connectionFaults(context, 'posthog', accountOf));
  app.post('/batch/', (c) => {
    refuseByFault(context, { path: c.req.path });
    return captured.take(c);
  });
  app.post('/api/projects/:project/query/', (c) => {
    refuseStrangers(c);
    if (load.now > QUERIES_AT_ONCE)
      throw new PostHogFailure(
        429,
        'throttled_error',
        'concurrency_limit_exceeded',
        'Too many concurrent queries.',
      );
    return desk.answer(c);
  });
  app.all('*', (c) =>
    c.json({ type: 'invalid_request', code: 'not_found', detail: 'Not found.', attr: null }, 404),
  );
  app.onError((error) => {
    if (!(error instanceof PostHogFailure)) throw error;
    return new Response(
      JSON.stringify({ type: error.type, code: error.code, detail: error.message, attr: null }),
      { status: error.status, headers: { 'content-type': 'application/json', ...error.headers } },
    );
  });

  return {
    app,
    controls: {
      send: store.send,
      erase: store.erase,
      ofDay: store.ofDay,
      captured,
      asked: desk.asked,
      get mostAtOnce() {
        return load.most;
      },
    },
  };
}

function countQueries(load: { now: number; most: number }): MiddlewareHandler {
  return async (_c, next) => {
    load.now += 1;
    load.most = Math.max(load.most, load.now);
    try {
      await next();
    } finally {
      load.now -= 1;
    }
  };
}

function refuseStrangers(c: Context): void {
  if (c.req.header('authorization') !== `Bearer ${posthogKey}`)
    throw new PostHogFailure(
      401,
      'authentication_error',
      'authentication_failed',
      'Invalid personal API key.',
    );
  if (c.req.param('project') !== posthogProject)
    throw new PostHogFailure(404, 'invalid_request', 'not_found', 'Project not found.');
}

function accountOf(c: Context): string | undefined {
  return /\/api\/projects\/([^/]+)\//.exec(c.req.path)?.[1];
}
