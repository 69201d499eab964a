/** For connector tests: what the runner hands to a connector, and a vendor on loopback that answers as told. */
import { createServer, type IncomingHttpHeaders } from 'node:http';

import { Temporal } from 'temporal-polyfill';

import type { Io } from '../connector.ts';
import { createHttpClient } from '../http.ts';
import { createLogger } from '../log.ts';
import { createRedactor } from '../redact.ts';

/** An Io with a real HTTP client that hardly pauses, a silent log and a clock that stands at `now`. */
export function createTestIo({
  now,
  waitBudgetMs = 0,
}: {
  readonly now: string;
  readonly waitBudgetMs?: number;
}): Io {
  const instant = Temporal.Instant.from(now);
  const { signal } = new AbortController();
  return {
    http: createHttpClient({ signal, now: () => instant.epochMilliseconds, retryBaseMs: 1, waitBudgetMs }),
    log: createLogger({ level: 'silent', redactor: createRedactor([]) }),
    signal,
    now: () => instant,
    reporting: { timezone: 'UTC', currency: 'USD' },
  };
}

export interface VendorRequest {
  /** Path and query as they came. */
  readonly url: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

export interface VendorAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text and bytes go as they are, anything else as JSON. */
  readonly body: unknown;
}

export interface TestVendor {
  readonly url: string;
  readonly requests: readonly VendorRequest[];
  close(): Promise<void>;
}

/** Starts a vendor; `answer` is asked for every request, with its number from 0. */
export async function startTestVendor(
  answer: (request: VendorRequest, index: number) => VendorAnswer,
): Promise<TestVendor> {
  const requests: VendorRequest[] = [];
  const server = createServer((incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://vendor');
    const request = {
      url: incoming.url ?? '/',
      path: pathname,
      query: searchParams,
      headers: incoming.headers,
    };
    requests.push(request);
    const { status = 200, headers = {}, body } = answer(request, requests.length - 1);
    outgoing.writeHead(status, headers);
    outgoing.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The test vendor has no TCP port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Everything that pages bring, in order. */
export async function collect(pages: AsyncIterable<readonly unknown[]>): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const page of pages) records.push(...page);
  return records;
}
