/**
 * Three ways to take a delivery: ours; the least that any honest one does (check the signature, insert the raw event);
 * and the peer `@supabase/stripe-sync-engine`, which stores the object and no event.
 */
import { createRequire } from 'node:module';

import { StripeSync } from '@supabase/stripe-sync-engine';

import { createHandler, createReceiver } from '@floyo/billing-webhook/handler';
import { createNodeVerifier } from '@floyo/billing-webhook/signature-node';
import { createPgStore } from '@floyo/billing-webhook/store-pg';
import { openPool, type Pool } from '@floyo/shared/db';

export const WAYS = ['ours', 'floor', 'peer'] as const;
export type WayName = (typeof WAYS)[number];

export const SECRET = 'whsec_bench';
const CONNECTIONS = 10;
/** Its ES module can't find its migrations (it asks for __dirname), and says nothing of it. */
const peer = createRequire(import.meta.url)(
  '@supabase/stripe-sync-engine',
) as typeof import('@supabase/stripe-sync-engine');

export interface Signed {
  readonly body: Buffer<ArrayBuffer>;
  readonly signature: string;
}

export interface Way {
  /** Takes one delivery; rejects when it is not stored. */
  deliver(delivery: Signed): Promise<void>;
  /** The same as an HTTP handler. */
  readonly handle: (request: Request) => Promise<Response>;
  close(): Promise<void>;
}

/** What a way needs in its database, besides our migrations. */
export async function prepare(way: WayName, url: string): Promise<void> {
  if (way === 'peer') await peer.runMigrations({ databaseUrl: url, schema: 'stripe' });
  if (way !== 'floor') return;
  const pool = open(url);
  await pool.query('', 'create table public.raw_events (id text primary key, payload jsonb not null)', []);
  await pool.end();
}

export function openWay(way: WayName, url: string): Way {
  if (way === 'ours') return openOurs(url);
  return way === 'floor' ? openFloor(url) : openPeer(url);
}

function open(url: string): Pool {
  return openPool(url, { applicationName: 'floyo bench', max: CONNECTIONS, onLost: () => undefined });
}

function openOurs(url: string): Way {
  const pool = open(url);
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const options = {
    store: createPgStore(pool),
    verify: createNodeVerifier([SECRET]),
    livemode: true,
    log: silent,
    now: Date.now,
    sleep: () => Promise.resolve(),
  };
  const receive = createReceiver(options);
  return {
    handle: createHandler(options),
    async deliver({ body, signature }) {
      const { status } = await receive(body, signature);
      if (status !== 200) throw new Error(`The delivery was answered ${status}`);
    },
    close: () => pool.end(),
  };
}

function openFloor(url: string): Way {
  const pool = open(url);
  const verify = createNodeVerifier([SECRET]);
  const take = async (body: Uint8Array<ArrayBuffer>, signature: string) => {
    if (!(await verify(signature, body, Date.now()))) throw new Error('The signature is wrong');
    const text = new TextDecoder().decode(body);
    const { id } = JSON.parse(text) as { id: string };
    await pool.query(
      'insert',
      'insert into public.raw_events values ($1, $2::jsonb) on conflict do nothing',
      [id, text],
    );
  };
  return { ...overRaw(take), close: () => pool.end() };
}

function openPeer(url: string): Way {
  const sync = new StripeSync({
    poolConfig: { connectionString: url, max: CONNECTIONS },
    stripeSecretKey: 'sk_live_bench',
    stripeWebhookSecret: SECRET,
    autoExpandLists: false,
    backfillRelatedEntities: false,
  });
  const take = async (body: Uint8Array<ArrayBuffer>, signature: string) => {
    await sync.processWebhook(Buffer.from(body.buffer, body.byteOffset, body.byteLength), signature);
  };
  return { ...overRaw(take), close: () => sync.postgresClient.pool.end() };
}

/** The least HTTP around a function that takes the raw body. */
function overRaw(
  take: (body: Uint8Array<ArrayBuffer>, signature: string) => Promise<void>,
): Omit<Way, 'close'> {
  return {
    deliver: ({ body, signature }) => take(body, signature),
    async handle(request) {
      await take(new Uint8Array(await request.arrayBuffer()), request.headers.get('stripe-signature') ?? '');
      return new Response('{"received":true}', { status: 200 });
    },
  };
}
