/** The webhook on Node: an HTTP server that bounds what a client may take, and ends with what is under way finished. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { getRequestListener } from '@hono/node-server';

/** A delivery is one small request: whoever takes longer over it is not Stripe. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** How long deliveries under way may take once the server is to stop. */
const GRACE_MS = 10_000;

export interface WebhookServer {
  readonly port: number;
  /** Takes no more connections and resolves when what was under way is answered. */
  close(): Promise<void>;
}

/** Listens on all interfaces. Rejects when the port is taken. */
export async function startServer(
  handler: (request: Request) => Promise<Response>,
  port: number,
): Promise<WebhookServer> {
  const listener = getRequestListener(handler);
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => void listener(request, response),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    port: address.port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
