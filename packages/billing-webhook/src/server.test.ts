/** The webhook as a server: what it bounds, how it stops, and that nothing is lost when it or its database dies. */
import { spawnSync } from 'node:child_process';
import { connect as connectSocket } from 'node:net';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { startServer, type WebhookServer } from './server.ts';
import { makeEvent, makeSubscription } from './testing/events.ts';
import { deliver, startWebhookProcess } from './testing/process.ts';
import { openTestWebhook, sign, type TestWebhook } from './testing/webhook.ts';

let webhook: TestWebhook;
beforeAll(async () => {
  webhook = await openTestWebhook();
});
afterAll(() => webhook[Symbol.asyncDispose]());
beforeEach(() => webhook.clear());

const eventOf = (n: number) =>
  makeEvent('customer.subscription.created', makeSubscription(`sub_${String(n)}`), {
    id: `evt_${String(n)}`,
  });

/** Sends raw bytes and what comes next of them, and reads the status line of the answer. */
function sendRaw(
  port: number,
  head: string,
  body?: (write: (chunk: Buffer) => boolean) => void,
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1', () => {
      socket.write(head);
      body?.((chunk) => socket.writable && socket.write(chunk));
    });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.includes('\r\n')) {
        resolve(text.slice(0, text.indexOf('\r\n')));
        socket.destroy();
      }
    });
    socket.on('error', () => resolve(text === '' ? 'reset' : text));
    socket.on('close', () => resolve(text === '' ? 'closed' : text));
  });
}

describe('over HTTP', () => {
  let server: WebhookServer;
  beforeAll(async () => {
    server = await startServer(webhook.with({ limits: { maxBytes: 1_048_576, timeoutMs: 150 } }), 0);
  });
  afterAll(() => server.close());
  const head = (more: string) =>
    `POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\nstripe-signature: ${sign('x')}\r\n${more}\r\n\r\n`;

  it('an event is stored', async () => {
    expect(await deliver(`http://127.0.0.1:${String(server.port)}`, eventOf(1))).toBe(200);
    expect(await webhook.rows('select external_id from subscriptions')).toEqual([
      { external_id: 'stripe:sub_1' },
    ]);
  });

  it('50 MB are refused before they are read', async () => {
    expect(await sendRaw(server.port, head('content-length: 50000000'))).toBe(
      'HTTP/1.1 413 Payload Too Large',
    );
  });

  it('50 MB in chunks are refused as soon as they are too many', async () => {
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536, 0x20), Buffer.from('\r\n')]);
    const status = await sendRaw(server.port, head('transfer-encoding: chunked'), (write) => {
      for (let n = 0; n < 100; n++) write(chunk);
    });
    expect(status).toBe('HTTP/1.1 413 Payload Too Large');
  });

  it('a body that does not come is not waited for', async () => {
    const status = await sendRaw(server.port, head('content-length: 500'), (write) =>
      write(Buffer.from('{')),
    );
    expect(status).toBe('HTTP/1.1 408 Request Timeout');
    expect(await webhook.rows('select * from billing_events')).toEqual([]);
  });
});

describe('as a process', () => {
  it('tells every problem of its configuration at once, and exits 2', () => {
    const main = fileURLToPath(new URL('main.ts', import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [main], {
      env: {
        PATH: process.env['PATH'],
        PORT: 'x',
        STRIPE_WEBHOOK_SECRET: 'secret_hidden',
        FLOYO_ENV_FILE: '/nonexistent',
      },
      encoding: 'utf8',
    });
    expect(status).toBe(2);
    expect(stderr).toContain('PORT must be a port number');
    expect(stderr).toContain('STRIPE_SECRET_KEY is not set');
    expect(stderr).toContain('STRIPE_WEBHOOK_SECRET must look like whsec_…');
    expect(stderr).not.toContain('secret_hidden');
  });

  it('finishes what is under way when it is told to stop, and logs no secret', async () => {
    const running = await startWebhookProcess(webhook.url);
    expect(await deliver(running.url, eventOf(1))).toBe(200);
    // Held up by a lock until after the signal.
    await webhook.rows('begin; lock table billing_events in access exclusive mode');
    const underWay = deliver(running.url, eventOf(2));
    await waitUntil(async () => {
      const [row] = await webhook.rows<{ waiting: boolean }>(
        `select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%stripe_apply%') as waiting`,
      );
      return row?.waiting === true;
    });
    const stopped = running.stop('SIGTERM');
    await webhook.rows('commit');
    expect(await underWay).toBe(200);
    expect(await stopped).toBe(0);
    expect(await webhook.rows('select count(*)::int as n from subscriptions')).toEqual([{ n: 2 }]);
    expect(running.log()).toContain('event stored');
    expect(running.log()).not.toMatch(/whsec_|sk_live|postgres:\/\//);
  });

  it('loses nothing when it is killed again and again, since what was not answered comes again', async () => {
    const wanted = Array.from({ length: 60 }, (_, n) => eventOf(n));
    const pending = new Set(wanted);
    let running = await startWebhookProcess(webhook.url);
    let kills = 0;
    const port = Number(new URL(running.url).port);
    while (pending.size > 0) {
      const round = [...pending].map(async (event) => {
        if ((await deliver(running.url, event)) === 200) pending.delete(event);
      });
      if (kills < 3) {
        await Promise.any(round);
        await running.stop('SIGKILL');
        kills++;
        await Promise.all(round);
        running = await startWebhookProcess(webhook.url, port);
      } else await Promise.all(round);
    }
    await running.stop('SIGTERM');
    expect(
      await webhook.rows(
        `select count(*)::int as events, count(*) filter (where status = 'processed')::int as processed from billing_events`,
      ),
    ).toEqual([{ events: 60, processed: 60 }]);
    expect(await webhook.rows('select count(*)::int as n from subscriptions')).toEqual([{ n: 60 }]);
  });

  it('outlives its database connections', async () => {
    const running = await startWebhookProcess(webhook.url);
    expect(await deliver(running.url, eventOf(1))).toBe(200);
    await webhook.rows(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'floyo webhook'`,
    );
    expect(await deliver(running.url, eventOf(2))).toBe(200);
    await running.stop('SIGTERM');
  });
});

async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}
