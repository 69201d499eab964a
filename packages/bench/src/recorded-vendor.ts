/**
 * A vendor that answers from memory, after a time that is always the same: what the server at `target` answered when it
 * was first asked for that. So the sandbox, which makes up its rows, takes no processor from what is measured.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RecordedVendor extends AsyncDisposable {
  /** `url` with this server's address in place of the target's. */
  readonly through: (url: string) => string;
}

/** Starts it. Calls are told apart by method and URL, so that it serves what is read with GET alone. */
export async function startRecordedVendor(target: string, latencyMs: number): Promise<RecordedVendor> {
  const answers = new Map<string, Promise<Answer>>();
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/';
    const known = answers.get(path) ?? ask(new URL(path, target), incoming);
    answers.set(path, known);
    void Promise.all([known, delay(latencyMs)]).then(
      ([{ status, headers, body }]) => outgoing.writeHead(status, headers).end(body),
      () => outgoing.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The vendor has no TCP port.');
  const own = `http://127.0.0.1:${address.port}`;
  return {
    through: (url) => url.replace(target, own),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function ask(url: URL, { method, headers }: IncomingMessage): Promise<Answer> {
  if (method !== 'GET') throw new Error(`${String(method)} can't be answered from memory`);
  const { authorization } = headers;
  const response = await fetch(url, { headers: authorization === undefined ? {} : { authorization } });
  const kept = new Headers(response.headers);
  // The body is kept whole and plain, however it came.
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) kept.delete(name);
  return {
    status: response.status,
    headers: Object.fromEntries(kept),
    body: Buffer.from(await response.arrayBuffer()),
  };
}
