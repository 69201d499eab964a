/**
 * The way over HTTP: the same handler on Supabase's API, with the migrations' own roles and policies; and what the edge
 * function brings along.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { App, generateApiKey } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { repositoryRoot } from '@floyo/shared/paths';

import { createEdgeHandler } from './edge.ts';
import { startServer, type WebhookServer } from './server.ts';
import { DAY_0, makeEvent, makeSubscription } from './testing/events.ts';
import { delivery, openTestWebhook, SECRET, type TestWebhook } from './testing/webhook.ts';

let webhook: TestWebhook;
let connection: ReturnType<typeof createPostgresConnection>;
let api: WebhookServer;
let handler: (request: Request) => Promise<Response>;
let anonymous: ReturnType<typeof createClient>;
const logged: string[] = [];

beforeAll(async () => {
  webhook = await openTestWebhook();
  connection = createPostgresConnection({ url: webhook.url });
  const [secret, publishable] = [await generateApiKey('secret'), await generateApiKey('publishable')];
  const app = new App({
    connection,
    auth: { enabled: false, secret_key: secret.key, publishable_key: publishable.key },
  });
  // From elsewhere, so that keys count.
  api = await startServer(async (request) => app.fetch(request, { peerAddress: '192.0.2.1' }), 0);
  const url = `http://127.0.0.1:${String(api.port)}`;
  anonymous = createClient(url, publishable.key, { auth: { persistSession: false } });
  handler = createEdgeHandler({
    env: {
      SUPABASE_URL: url,
      SUPABASE_SERVICE_ROLE_KEY: secret.key,
      STRIPE_SECRET_KEY: 'sk_live_abcdef',
      STRIPE_WEBHOOK_SECRET: SECRET,
    },
    write: (line) => void logged.push(line),
    now: Date.now,
    sleep: () => Promise.resolve(),
  });
});
afterAll(async () => {
  await api.close();
  await connection.close();
  await webhook[Symbol.asyncDispose]();
});

/** As Supabase hands it to the function: under its name. */
function onTheEdge(request: Request, path = ''): Request {
  return new Request(`https://edge.example/stripe-webhook${path}`, request);
}

async function send(event: unknown): Promise<unknown> {
  const response = await handler(onTheEdge(delivery(event)));
  return [response.status, await response.json()];
}

const event = makeEvent('customer.subscription.created', makeSubscription('sub_1'), { id: 'evt_1' });

describe('over the API', () => {
  it('an event is stored as over Postgres, its duplicate is not', async () => {
    expect(await send(event)).toEqual([200, { received: true, result: 'processed' }]);
    expect(await send(event)).toEqual([200, { received: true, result: 'duplicate' }]);
    expect(await webhook.rows('select external_id, status, mrr, run_id from subscriptions')).toEqual([
      { external_id: 'stripe:sub_1', status: 'active', mrr: '20', run_id: null },
    ]);
    expect(await webhook.rows('select payload from billing_events')).toEqual([{ payload: event }]);
    expect(logged.join()).toContain('"event":"evt_1"');
    expect(logged.join()).not.toMatch(/whsec_|sk_live_|sb_secret/);
  });

  it('leaves the very same rows as Postgres does', async () => {
    const events = [
      makeEvent('customer.subscription.updated', makeSubscription('sub_2', { status: 'past_due' }), {
        id: 'evt_2',
        created: DAY_0 + 9,
      }),
      makeEvent('customer.subscription.created', makeSubscription('sub_2'), { id: 'evt_3' }),
      makeEvent('cat.purred', { id: 'cat_1', object: 'cat', text: 'a\u0000b' }, { id: 'evt_4' }),
    ];
    const look = async () => [
      await webhook.rows('select external_id, status, payload from billing_events order by 1'),
      await webhook.rows(
        `select to_jsonb(s) - 'synced_at' as row from subscriptions s order by external_id, date`,
      ),
      await webhook.rows(
        `select to_jsonb(o) - 'synced_at' as row from billing_objects o order by external_id`,
      ),
    ];
    await webhook.clear();
    for (const one of events) await send(one);
    const overApi = await look();
    await webhook.clear();
    for (const one of events) await webhook.handler(delivery(one));
    expect(overApi).toEqual(await look());
  });

  it('our own failure is kept and answered 500', async () => {
    const bad = makeEvent(
      'customer.subscription.created',
      { ...makeSubscription('sub_3'), status: 7 },
      { id: 'evt_5' },
    );
    expect(await send(bad)).toMatchObject([500, { error: 'failed' }]);
    await webhook.rows(`alter table invoices add constraint broken check (false)`);
    const invoice = {
      id: 'in_1',
      object: 'invoice',
      amount_due: 1,
      amount_paid: 1,
      created: DAY_0,
      currency: 'usd',
      status: 'open',
    };
    expect(await send(makeEvent('invoice.created', invoice, { id: 'evt_6' }))).toMatchObject([
      500,
      { error: 'failed' },
    ]);
    await webhook.rows(`alter table invoices drop constraint broken`);
    expect(
      await webhook.rows(`select external_id from billing_events where status = 'failed' order by 1`),
    ).toEqual([{ external_id: 'stripe:evt_5' }, { external_id: 'stripe:evt_6' }]);
  });

  it('healthz asks the database', async () => {
    const answer = await handler(onTheEdge(new Request('https://edge.example'), '/healthz'));
    expect([answer.status, await answer.json()]).toEqual([200, { ok: true }]);
  });

  it('nobody but the service role may call the function or see a row', async () => {
    const before = await webhook.snapshot();
    const { error } = await anonymous.rpc('stripe_apply', { change: '{}' } as never);
    expect(error?.code).toBe('42501');
    for (const table of [
      'billing_events',
      'subscriptions',
      'invoices',
      'payments',
      'billing_objects',
      'subscriptions_current',
    ]) {
      const { data } = await anonymous.from(table).select('*');
      expect([table, data ?? []]).toEqual([table, []]);
    }
    expect(await webhook.snapshot()).toBe(before);
  });

  it('a database that can not be reached is a 500', async () => {
    const nowhere = createEdgeHandler({
      env: {
        SUPABASE_URL: 'http://127.0.0.1:1',
        SUPABASE_SERVICE_ROLE_KEY: 'x',
        STRIPE_SECRET_KEY: 'sk_live_abcdef',
        STRIPE_WEBHOOK_SECRET: SECRET,
      },
      write: () => undefined,
      now: Date.now,
      sleep: () => Promise.resolve(),
    });
    expect((await nowhere(onTheEdge(delivery(event)))).status).toBe(500);
    const asked = Date.now();
    expect((await nowhere(onTheEdge(new Request('https://edge.example'), '/healthz'))).status).toBe(503);
    expect(Date.now() - asked, 'a probe waits no longer than a second or two').toBeLessThan(3_000);
  });

  it('a wrong environment is told whole', () => {
    expect(() =>
      createEdgeHandler({ env: {}, write: () => undefined, now: Date.now, sleep: () => Promise.resolve() }),
    ).toThrow(/STRIPE_SECRET_KEY.*STRIPE_WEBHOOK_SECRET/);
  });
});

describe('the function', () => {
  const folder = join(repositoryRoot, 'supabase/functions/stripe-webhook');
  const read = (file: string) => readFileSync(file, 'utf8');
  const { imports } = z
    .object({ imports: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read(join(folder, 'deno.json'))));

  /** Every file that the entry reaches, types left out, and what they import by name. */
  function walk(entry: string, files = new Set<string>(), names = new Set<string>()) {
    if (files.has(entry)) return { files, names };
    files.add(entry);
    for (const [statement, specifier = ''] of read(entry).matchAll(
      /^(?:import|export)\s[^;]*?from '([^']+)';/gms,
    )) {
      if (/^(import|export) type\b/.test(statement)) continue;
      const target = specifier.startsWith('.') ? join(dirname(entry), specifier) : imports[specifier];
      if (!specifier.startsWith('.')) names.add(specifier);
      if (target === undefined || target.startsWith('npm:')) continue;
      walk(specifier.startsWith('.') ? target : join(folder, target), files, names);
    }
    return { files, names };
  }

  it('reaches no file that Deno lacks, and nothing of Node', () => {
    const { files, names } = walk(join(folder, 'index.ts'));
    expect([...names].filter((name) => imports[name] === undefined)).toEqual([]);
    expect([...names].filter((name) => name.startsWith('node:'))).toEqual([]);
    for (const file of files) {
      expect(existsSync(file), file).toBe(true);
      expect(read(file), relative(repositoryRoot, file)).not.toMatch(/\b(process\.|Buffer\b|require\()/);
    }
    expect([...files].some((file) => file.endsWith('handler.ts'))).toBe(true);
  });

  it('brings the versions that Node runs', () => {
    const versions = ['billing-webhook', 'shared'].map(
      (name) =>
        z
          .object({ dependencies: z.record(z.string(), z.string()) })
          .parse(JSON.parse(read(join(repositoryRoot, `packages/${name}/package.json`)))).dependencies,
    );
    const known = Object.assign({}, ...versions) as Record<string, string>;
    for (const [name, target] of Object.entries(imports))
      if (target.startsWith('npm:')) expect(target).toBe(`npm:${name}@${String(known[name])}`);
  });

  it('and it alone takes requests without a user', () => {
    const config = read(join(repositoryRoot, 'supabase/config.toml'));
    expect([...config.matchAll(/\[(.+)\]\nverify_jwt = false/g)].map(([, name]) => name)).toEqual([
      'functions.stripe-webhook',
    ]);
    expect(config.match(/verify_jwt/g)).toHaveLength(1);
  });
});
