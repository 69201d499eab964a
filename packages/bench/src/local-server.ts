/** A server on loopback for the time of a measurement. */
import { createServer, type RequestListener } from 'node:http';

export interface LocalServer extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string;
}

/** Listens on a free port; disposing ends its connections too. */
export async function serve(listener: RequestListener): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no TCP port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
