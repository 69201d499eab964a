/**
 * A POST that is over when its signal says so, also while it is still connecting: fetch goes on connecting for ten
 * seconds behind an aborted call, and the process can't end meanwhile.
 */
import http from 'node:http';
import https from 'node:https';

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Blob | Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/** Resolves with the status, whatever it is; the answer's body is read and forgotten. @throws when nothing answers. */
export async function post(url: string, { headers, body = '', signal }: PostOptions): Promise<Response> {
  const bytes = body instanceof Blob ? new Uint8Array(await body.arrayBuffer()) : body;
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https:') ? https : http;
    const call = request(url, { method: 'POST', headers, signal, agent: false }, (answer) => {
      answer.resume();
      resolve(new Response(null, { status: answer.statusCode ?? 0 }));
    });
    call.on('error', reject);
    call.end(bytes);
  });
}
