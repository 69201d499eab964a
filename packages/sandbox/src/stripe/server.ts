/**
 * Stripe's API as far as a reader sees it: lists and single objects in the newest version, events in the version that
 * they were made in, limits, errors, and the time of every answer. README.md lists the traps that it keeps.
 */
import type { Context } from 'hono';
import { Hono } from 'hono';

import type { FaultKind, VendorContext } from '../core.ts';
import { connectionFaults } from '../middleware.ts';
import { admit, type Mode, stripeAccount, withoutRight } from './access.ts';
import { errorBody, locked, StripeFailure, tooMany } from './errors.ts';
import { createGate, type Limits, LIVE_LIMITS } from './limits.ts';
import { answer, type Asked, type Source } from './lists.ts';
import type { Lives } from './lives.ts';
import { FAMILIES, type Fields } from './objects.ts';
import { createShelf } from './shelf.ts';
import { makeDefaultLives } from './world.ts';

export interface StripeOptions {
  /** What happened in the account; a small company of two years unless told. */
  readonly lives?: Lives;
  /** How many customers that company has. */
  readonly customers?: number;
  readonly limits?: Limits;
}

/** What tests and other processes may do with the account. */
export interface StripeControls {
  /** Everything that happens in it; made when it is first asked for. `lives.book` makes more happen. */
  readonly lives: Lives;
  /** Ids of events that `delivery_success=false` lists. */
  readonly undelivered: Set<string>;
  /** Tells of every answer between its rendering and its sending, and waits; returns what ends it. */
  onRendered(listener: (answer: Rendered) => void | Promise<void>): () => void;
}

export interface Rendered {
  /** What follows /v1/. */
  readonly path: string;
  readonly search: URLSearchParams;
  readonly body: Fields;
}

const ACCOUNT: Fields = {
  id: stripeAccount,
  object: 'account',
  charges_enabled: true,
  country: 'US',
  default_currency: 'usd',
  details_submitted: true,
  payouts_enabled: true,
  type: 'standard',
};
const ENDPOINT: Fields = {
  id: 'we_sandbox',
  object: 'webhook_endpoint',
  api_version: FAMILIES[FAMILIES.length - 1],
  application: null,
  created: 1_672_650_000,
  description: null,
  enabled_events: ['*'],
  livemode: true,
  metadata: {},
  status: 'enabled',
  url: 'https://billing.example.com/webhooks/stripe',
};
/** A test key sees an account in which nothing was tried yet. */
const EMPTY = createShelf({ versions: new Map(), happenings: [] });

export function createStripeServer(
  context: VendorContext,
  options: StripeOptions = {},
): { readonly app: Hono; readonly controls: StripeControls } {
  const gate = createGate(options.limits ?? LIVE_LIMITS);
  const listeners = new Set<(answer: Rendered) => void | Promise<void>>();
  const undelivered = new Set<string>();
  let made: { readonly lives: Lives; readonly source: Source } | undefined;
  const world = () => {
    if (made !== undefined) return made;
    const lives = options.lives ?? makeDefaultLives(context, options.customers);
    const { references } = lives;
    const familyOf: Lives['familyOf'] = (happening) => lives.familyOf(happening);
    const shelf = createShelf(lives);
    made = {
      lives,
      source: { shelf, references, familyOf, undelivered, endpoints: [ENDPOINT], account: ACCOUNT },
    };
    return made;
  };
  const sourceOf = (mode: Mode): Source =>
    mode === 'live' ? world().source : { ...world().source, shelf: EMPTY, endpoints: [] };

  const app = new Hono();
  app.use(
    '*',
    connectionFaults(context, 'stripe', () => undefined),
  );
  app.get('/v1/*', async (c) => {
    const source = sourceOf(admit(c));
    const url = new URL(c.req.url);
    const path = url.pathname
      .replace(/^.*?\/v1\//, '')
      .split('/')
      .map(decodeURIComponent);
    gate(operationOf(path));
    refuseByFault(context, c.req.path, path[0] ?? '');
    const at = context.clock.now().epochMilliseconds;
    const asked: Asked = { path, search: url.searchParams, now: Math.floor(at / 1000) };
    const body = answer(source, asked);
    if (body === undefined) throw unrecognized(c);
    for (const listener of listeners) await listener({ path: path.join('/'), search: asked.search, body });
    return send(c, context, at, { status: 200, body });
  });
  app.all('*', (c) => {
    throw unrecognized(c);
  });
  app.onError((error, c) => {
    if (!(error instanceof StripeFailure)) throw error;
    const { status, fields, headers } = error;
    const now = context.clock.now().epochMilliseconds;
    return send(c, context, now, { status, body: errorBody(fields), headers });
  });
  return {
    app,
    controls: {
      get lives() {
        return world().lives;
      },
      undelivered,
      onRendered(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
}

/** All ids of one operation share its limit. */
function operationOf([name = '', id, ...inner]: readonly string[]): string {
  return [name, ...(id === undefined ? [] : [':id']), ...inner].join('/');
}

/** Throws if a fault that refuses the request strikes it. */
function refuseByFault(context: VendorContext, path: string, resource: string): void {
  const strikes = (kind: FaultKind) => context.faults.take('stripe', kind, { path }) !== undefined;
  if (strikes('wrong_token'))
    throw new StripeFailure(401, {
      message: 'Expired API Key provided: sk_live_*****Key',
      code: 'api_key_expired',
    });
  if (strikes('throttle')) throw tooMany('global-rate');
  if (strikes('lock_timeout')) throw locked();
  if (strikes('server_error'))
    throw new StripeFailure(500, { type: 'api_error', message: 'An unknown error occurred.' });
  if (strikes('conflict'))
    throw new StripeFailure(409, {
      type: 'idempotency_error',
      message: 'The request conflicts with another request.',
    });
  if (strikes('permission')) throw withoutRight(resource);
}

function unrecognized(c: Context): StripeFailure {
  const message = `Unrecognized request URL (${c.req.method}: ${c.req.path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`;
  return new StripeFailure(404, { message });
}

/** The date is the sandbox's: what an answer does not hold yet happened at or after it. */
function send(
  c: Context,
  context: VendorContext,
  atMs: number,
  {
    status,
    body,
    headers = {},
  }: { status: number; body: object; headers?: Readonly<Record<string, string>> },
): Response {
  const count = String(context.log.entries.length).padStart(6, '0');
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'content-type': 'application/json',
      date: new Date(atMs).toUTCString(),
      'request-id': `req_sandbox${count}`,
      'stripe-version': c.req.header('stripe-version') ?? String(ENDPOINT['api_version']),
      ...headers,
    },
  });
}
