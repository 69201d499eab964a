import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import { afterEach, describe, expect, test, vi } from 'vitest';

import { AccountPausedError, PipelineError, ThrottledError } from './errors.ts';
import { createHttpClient, type HttpReply, type HttpRequest } from './http.ts';

const servers: Server[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

type Answer = (response: ServerResponse, index: number, request: IncomingMessage) => void;

/** A vendor on loopback; `times` are the instants at which it was called. */
async function startVendor(answer: Answer): Promise<{ url: string; times: number[] }> {
  const times: number[] = [];
  const server = createServer((request, response) => {
    times.push(performance.now());
    answer(response, times.length - 1, request);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`, times };
}

/** 429 with `retry-after-ms`, 5xx to be retried, other failures not. */
function classify(reply: HttpReply): PipelineError | undefined {
  const wait = reply.headers.get('retry-after-ms');
  if (reply.status === 429)
    return new ThrottledError({ message: 'Too fast', ...(wait === null ? {} : { waitMs: Number(wait) }) });
  if (reply.status >= 400)
    return new PipelineError({
      type: 'upstream',
      message: `answered ${reply.status}`,
      retryable: reply.status >= 500,
    });
  return reply.json === undefined
    ? new PipelineError({ type: 'upstream', message: 'no JSON', retryable: true })
    : undefined;
}

const ask = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  url: `${url}/things?access_token=hidden123`,
  safeToRepeat: true,
  classify,
  ...more,
});

function client(options: { waitBudgetMs?: number; retryBaseMs?: number; signal?: AbortSignal } = {}) {
  return createHttpClient({
    signal: options.signal ?? new AbortController().signal,
    now: () => Date.parse('2026-11-21T09:00:00Z'),
    retryBaseMs: options.retryBaseMs ?? 1,
    waitBudgetMs: options.waitBudgetMs ?? 300_000,
  });
}

const ok: Answer = (response) => response.end('{"ok":true}');

describe('I6: retries', () => {
  test('a failure that may pass is tried again, at most 3 times', async () => {
    const { url, times } = await startVendor((response) => response.writeHead(503).end('{}'));
    const http = client();
    await expect(http.request(ask(url))).rejects.toMatchObject({ type: 'upstream', message: 'answered 503' });
    expect(times).toHaveLength(4);
    expect(http.counts).toEqual({ apiCalls: 4, retries: 3, throttledMs: 0 });
  });

  test('it succeeds as soon as the vendor does', async () => {
    const { url, times } = await startVendor((response, index) =>
      index < 2 ? response.writeHead(500).end('{}') : ok(response, index, response.req),
    );
    const http = client();
    expect((await http.request(ask(url))).json).toEqual({ ok: true });
    expect(times).toHaveLength(3);
    expect(http.counts.retries).toBe(2);
  });

  test('pauses grow and have jitter', async () => {
    const { url, times } = await startVendor((response) => response.writeHead(503).end('{}'));
    // At the low end of the jitter the pauses are 20, 40, 80 ms; at the high end they are double.
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await expect(client({ retryBaseMs: 20 }).request(ask(url))).rejects.toThrow();
    const [first = 0, second = 0, third = 0] = pauses(times);
    expect([first >= 19, second >= 39, third >= 79]).toEqual([true, true, true]);
    vi.spyOn(Math, 'random').mockReturnValue(0.99);
    await expect(client({ retryBaseMs: 20 }).request(ask(url))).rejects.toThrow();
    expect(pauses(times.slice(4))[2]).toBeGreaterThan(150);
  });

  test('what may not be repeated is called once: a call not safe to repeat, and a failure that stays one', async () => {
    const { url, times } = await startVendor((response, index) =>
      response.writeHead(index === 0 ? 503 : 404).end('{}'),
    );
    await expect(client().request(ask(url, { method: 'POST', safeToRepeat: false }))).rejects.toThrow('503');
    expect(times).toHaveLength(1);
    const http = client();
    await expect(http.request(ask(url))).rejects.toThrow('404');
    expect(times).toHaveLength(2);
    expect(http.counts.retries).toBe(0);
  });

  test.each<[string, Answer, Partial<HttpRequest>, RegExp]>([
    ['a connection reset', (response) => response.socket?.destroy(), {}, /can't be reached: .+/],
    [
      'a body cut off',
      (response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"half":', () => response.socket?.destroy());
      },
      {},
      /can't be reached: .+/,
    ],
    ['no answer in time', () => undefined, { timeoutMs: 80 }, /did not answer in time/],
    [
      'a body that never ends',
      (response) => void response.writeHead(200).write('{"half":'),
      { timeoutMs: 80 },
      /did not answer in time/,
    ],
    ['an answer that is no JSON', (response) => response.end('<html>'), {}, /no JSON/],
  ])('%s is tried again, and told when it stays', async (_name, broken, more, message) => {
    const flaky = await startVendor((response, index, request) =>
      index < 2 ? broken(response, index, request) : ok(response, index, request),
    );
    expect((await client().request(ask(flaky.url, more))).json).toEqual({ ok: true });
    expect(flaky.times).toHaveLength(3);
    const dead = await startVendor(broken);
    const error = await client()
      .request(ask(dead.url, more))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type: 'upstream', retryable: true });
    expect(String(error)).toMatch(message);
    expect(`${String(error)}${JSON.stringify(error)}`).not.toContain('hidden123');
    expect(dead.times).toHaveLength(4);
  });

  test('a host where nobody listens is named with the reason', async () => {
    const { url } = await startVendor(ok);
    const { port } = new URL(url);
    servers.splice(0).forEach((server) => server.close());
    await expect(client().request(ask(`http://localhost:${port}`))).rejects.toThrow(
      /can't be reached: .*ECONNREFUSED/,
    );
  });
});

describe('I6: throttling', () => {
  test("a vendor's wait is kept and is no retry", async () => {
    const { url, times } = await startVendor((response, index, request) =>
      index < 5
        ? response.writeHead(429, { 'retry-after-ms': '20' }).end('{}')
        : ok(response, index, request),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const http = client();
    await http.request(ask(url));
    expect(times).toHaveLength(6);
    expect(pauses(times).every((pause) => pause >= 19)).toBe(true);
    expect(http.counts).toEqual({ apiCalls: 6, retries: 0, throttledMs: 100 });
  });

  test('a failure after a wait has its 3 retries still', async () => {
    const { url } = await startVendor((response, index) =>
      response.writeHead(index === 0 ? 429 : 503, { 'retry-after-ms': '1' }).end('{}'),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const http = client();
    await expect(http.request(ask(url))).rejects.toThrow('503');
    expect(http.counts).toEqual({ apiCalls: 5, retries: 3, throttledMs: 1 });
  });

  test('a wait over the budget pauses the account at once, until the vendor takes calls again', async () => {
    const { url, times } = await startVendor((response) =>
      response.writeHead(429, { 'retry-after-ms': '3600000' }).end('{}'),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const before = performance.now();
    const error = await client()
      .request(ask(url))
      .catch((thrown: unknown) => thrown);
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(error).toBeInstanceOf(AccountPausedError);
    expect(error).toMatchObject({ type: 'rate_limit', severity: 'P2', until: '2026-11-21T10:00:00.000Z' });
    expect(times).toHaveLength(1);
  });

  test('a vendor that tells no time or too little is left alone ever longer', async () => {
    const { url } = await startVendor((response, index, request) =>
      index < 4 ? response.writeHead(429, { 'retry-after-ms': '0' }).end('{}') : ok(response, index, request),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const http = client({ retryBaseMs: 4 });
    await http.request(ask(url));
    expect(http.counts.throttledMs).toBe(4 + 8 + 16 + 32);
  });

  test.each([31_536_000_000, 1e15, 1e18, Infinity])(
    'after a day it is asked again, were it told %s ms',
    async (told) => {
      const { url } = await startVendor((response) =>
        response.writeHead(429, { 'retry-after-ms': String(told) }).end('{}'),
      );
      await expect(client().request(ask(url))).rejects.toMatchObject({
        until: '2026-11-22T09:00:00.000Z',
        message: "Too fast; the vendor asks for a wait of more than a day, over this run's budget of 5 min",
      });
    },
  );

  test.each([
    ["the vendor's", '60000', 'Too fast; the vendor asks for a wait of 60 s'],
    ['our own, when it tells none', undefined, 'Too fast; our own next pause is 2 s'],
    ['our own, when it tells nonsense', 'soon', 'Too fast; our own next pause is 2 s'],
  ])('a wait that is too long is called by its name: %s', async (_whose, told, message) => {
    const { url } = await startVendor((response) =>
      response.writeHead(429, told === undefined ? {} : { 'retry-after-ms': told }).end('{}'),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await expect(client({ waitBudgetMs: 1_000 }).request(ask(url))).rejects.toThrow(
      `${message}, over this run's budget of 1 s`,
    );
    await expect(client({ waitBudgetMs: 1_000 }).wait(1_500, 'Pacing')).rejects.toThrow(
      "Pacing; the next call may come in 2 s, over this run's budget",
    );
  });

  test('waits add up over the calls of an account', async () => {
    const { url } = await startVendor((response, index, request) =>
      index % 2 === 0
        ? response.writeHead(429, { 'retry-after-ms': '10' }).end('{}')
        : ok(response, index, request),
    );
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const http = client({ waitBudgetMs: 25 });
    await http.request(ask(url));
    await http.request(ask(url));
    await expect(http.request(ask(url))).rejects.toBeInstanceOf(AccountPausedError);
    await expect(http.wait(10, 'Pacing')).rejects.toBeInstanceOf(AccountPausedError);
    expect(http.counts.throttledMs).toBe(20);
  });

  test('a throttled call that may not be repeated is not made again', async () => {
    const { url, times } = await startVendor((response) =>
      response.writeHead(429, { 'retry-after-ms': '1' }).end('{}'),
    );
    await expect(client().request(ask(url, { safeToRepeat: false }))).rejects.toBeInstanceOf(ThrottledError);
    expect(times).toHaveLength(1);
  });
});

describe('stopping', () => {
  const reason = new PipelineError({ type: 'internal', message: 'Stopped by SIGINT' });

  test.each<[string, Answer, number]>([
    ['a throttle wait', (response) => response.writeHead(429, { 'retry-after-ms': '60000' }).end('{}'), 1],
    ['a pause before a retry', (response) => response.writeHead(503).end('{}'), 60_000],
    ['a call', () => undefined, 1],
  ])('ends %s at once, with the reason', async (_name, answer, retryBaseMs) => {
    const stop = new AbortController();
    const { url } = await startVendor((response, index, request) => {
      answer(response, index, request);
      setTimeout(() => stop.abort(reason), 20);
    });
    const before = performance.now();
    const http = client({ signal: stop.signal, retryBaseMs });
    await expect(http.request(ask(url))).rejects.toBe(reason);
    expect(performance.now() - before).toBeLessThan(2_000);
    await expect(http.wait(1, 'Pacing')).rejects.toBe(reason);
  });
});

test('an answer has its body as text, JSON or bytes, and its URL without the query', async () => {
  const { url } = await startVendor(ok);
  const reply = await client().request(ask(url));
  expect(reply).toMatchObject({ status: 200, text: '{"ok":true}', url: `${url}/things` });
  const bytes = await client().request(ask(url, { binary: true, classify: () => undefined }));
  expect(new TextDecoder().decode(bytes.bytes)).toBe('{"ok":true}');
  expect(bytes).toMatchObject({ text: '', json: undefined });
});

function pauses(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - (times[index] ?? 0));
}
