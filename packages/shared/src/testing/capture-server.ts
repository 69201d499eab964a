/** A place that takes events as PostHog's `POST /batch/` does: keeps them, refuses them, or never answers. */
import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';

import { z } from 'zod';

const batchSchema = z.object({
  api_key: z.string(),
  batch: z.array(
    z.object({
      event: z.string(),
      uuid: z.string(),
      distinct_id: z.string(),
      timestamp: z.string(),
      properties: z.record(z.string(), z.unknown()),
    }),
  ),
});

export type CapturedEvent = z.infer<typeof batchSchema>['batch'][number];

export interface CaptureServer {
  readonly url: string;
  /** What was taken, in order. */
  readonly events: readonly CapturedEvent[];
  /** Every request's whole body as text, refused ones too. */
  readonly bodies: readonly string[];
  readonly keys: ReadonlySet<string>;
  close(): Promise<void>;
}

/** Starts it; `answer` gives the status of each request by its number from 0, or `hang`. */
export async function startCaptureServer(
  answer: (index: number) => number | 'hang' = () => 200,
): Promise<CaptureServer> {
  const events: CapturedEvent[] = [];
  const bodies: string[] = [];
  const keys = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const sent = Buffer.concat(chunks);
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent).toString();
      bodies.push(body);
      const status = request.url === '/batch/' ? answer(bodies.length - 1) : 404;
      if (status === 'hang') return;
      if (status === 200) {
        const parsed = batchSchema.parse(JSON.parse(body));
        keys.add(parsed.api_key);
        events.push(...parsed.batch);
      }
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end('{"status":"Ok"}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    events,
    bodies,
    keys,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
