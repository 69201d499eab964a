/**
 * A vendor that answers from memory, after a time that is always the same: what the server at `target` answered when it
 * was first asked for that. So the sandbox, which makes up its rows, takes no processor from what is measured.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { serve } from './local-server.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface RecordedVendor extends AsyncDisposable {
  /** `url` with this server's address in place of the target's. */
  readonly through: (url: string) => string;
}

/** Starts it. Calls are told apart by their URL, so that it serves GET alone. */
export async function startRecordedVendor(target: string, latencyMs: number): Promise<RecordedVendor> {
  const answers = new Map<string, Promise<Answer>>();
  const server = await serve((incoming, outgoing) => {
    if (incoming.method !== 'GET') {
      outgoing.writeHead(405).end();
      return;
    }
    const path = incoming.url ?? '/';
    const known = answers.get(path) ?? ask(new URL(path, target), incoming.headers.authorization);
    answers.set(path, known);
    void Promise.all([known, delay(latencyMs)]).then(
      ([{ status, headers, body }]) => outgoing.writeHead(status, headers).end(body),
      () => outgoing.destroy(),
    );
  });
  return {
    through: (url) => url.replace(target, server.url),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function ask(url: URL, authorization: string | undefined): Promise<Answer> {
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
