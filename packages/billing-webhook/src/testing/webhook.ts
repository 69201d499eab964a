/** The webhook over a test database: the handler as it runs, a store, and signed deliveries. */
import { createHmac } from 'node:crypto';

import { sql } from 'kysely';

import { connect, openPool, type Session } from '@floyo/shared/db';
import { createTestDatabase } from '@floyo/shared/testing/database';

import { createHandler, type HandlerOptions } from '../handler.ts';
import type { Change } from '../mapping/change.ts';
import { encodeChange } from '../mapping/encode-change.ts';
import { mapEvent } from '../mapping/map-event.ts';
import { mapObject } from '../mapping/map-object.ts';
import { createVerifier } from '../signature.ts';
import type { EventStore } from '../store.ts';
import { createPgStore } from '../store-pg.ts';
import { DAY_0, type Json } from './events.ts';

export const SECRET = 'whsec_test';
export const ENDPOINT = 'http://localhost/webhooks/stripe';

/** The Stripe-Signature of a body. */
export function sign(
  body: string | Uint8Array,
  secret = SECRET,
  seconds = Math.floor(Date.now() / 1000),
): string {
  return `t=${String(seconds)},v1=${createHmac('sha256', secret)
    .update(`${String(seconds)}.`)
    .update(body)
    .digest('hex')}`;
}

/** A delivery as Stripe makes it, whatever the body. */
export function delivery(body: unknown, headers: Readonly<Record<string, string>> = {}): Request {
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return new Request(ENDPOINT, {
    method: 'POST',
    body: typeof text === 'string' ? text : Buffer.from(text),
    headers: { 'content-type': 'application/json', 'stripe-signature': sign(text), ...headers },
  });
}

export interface TestWebhook extends AsyncDisposable {
  readonly url: string;
  readonly session: Session;
  readonly store: EventStore;
  readonly handler: (request: Request) => Promise<Response>;
  /** A handler of other options over the same database. */
  with(options: Partial<HandlerOptions>): (request: Request) => Promise<Response>;
  /** Applies an event without HTTP; the function's answer. */
  event(event: Json): Promise<string>;
  /** Applies a reading of the API at epoch seconds. */
  reading(object: Json, seconds: number, account?: string): Promise<string>;
  apply(change: Change): Promise<string>;
  /** Rows of a query, as the driver gives them. */
  rows<Row>(query: string): Promise<Row[]>;
  /** Every row of every table of billing, for "nothing changed": physical places included. */
  snapshot(): Promise<string>;
  clear(): Promise<void>;
}

const TABLES = ['billing_events', 'subscriptions', 'invoices', 'payments', 'billing_objects'];

/** Opens a database of its own with a pool of connections. */
export async function openTestWebhook(): Promise<TestWebhook> {
  const database = await createTestDatabase();
  const session = await connect(database.url);
  const pool = openPool(database.url, { applicationName: 'test', max: 8, onLost: () => undefined });
  const store = createPgStore(pool);
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const base: HandlerOptions = {
    store,
    verify: createVerifier([SECRET]),
    livemode: true,
    log: silent,
    now: Date.now,
    sleep: () => Promise.resolve(),
  };
  const apply = (change: Change) => store.apply(encodeChange(change));
  return {
    url: database.url,
    session,
    store,
    handler: createHandler(base),
    with: (options) => createHandler({ ...base, ...options }),
    event: (event) => apply(mapEvent(event)),
    reading: (object, seconds, account = 'default') =>
      apply(
        mapObject(object, { fetchedAt: new Date(seconds * 1000).toISOString(), account, livemode: true }),
      ),
    apply,
    async rows<Row>(query: string) {
      return (await sql.raw<Row>(query).execute(session.db)).rows;
    },
    async snapshot() {
      const parts = TABLES.map(
        (table) => `select '${table}' || ctid || xmin || t::text as x from ${table} t`,
      );
      const { rows } = await sql
        .raw<{ text: string }>(
          `select string_agg(x, E'\\n' order by x) as text from (${parts.join(' union all ')}) q`,
        )
        .execute(session.db);
      return rows[0]?.text ?? '';
    },
    async clear() {
      // Of a few rows much quicker than truncate.
      for (const table of [...TABLES, 'ops.errors', 'ops.dirty_marks'])
        await sql.raw(`delete from ${table}`).execute(session.db);
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await session.end();
      await database.drop();
    },
  };
}

/** An instant of the tests' calendar. */
export function at(seconds: number): string {
  return new Date((DAY_0 + seconds) * 1000).toISOString().replace('.000Z', 'Z');
}
