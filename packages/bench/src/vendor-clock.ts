/** A proxy before the sandbox that knows when a vendor call was under way, so that a run's own time can be told. */
import { createServer, request } from 'node:http';

export interface VendorClock {
  /** `url` with this proxy's address in place of the sandbox's. */
  readonly through: (url: string) => string;
  /** Seconds in which at least one call was under way since the last `reset`. */
  busySeconds(): number;
  reset(): void;
  close(): Promise<void>;
}

/** Starts a proxy to the server at `target`. */
export async function startVendorClock(target: string): Promise<VendorClock> {
  let calls: { from: number; to: number }[] = [];
  const server = createServer((incoming, outgoing) => {
    const call = { from: performance.now(), to: Infinity };
    calls.push(call);
    const onward = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => (call.to = performance.now()));
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no TCP port.');
  const own = `http://127.0.0.1:${address.port}`;
  return {
    through: (url) => url.replace(target, own),
    busySeconds: () => union(calls) / 1_000,
    reset: () => {
      calls = [];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The length that spans cover together, each moment once. */
function union(spans: readonly { readonly from: number; readonly to: number }[]): number {
  let total = 0;
  let end = -Infinity;
  for (const { from, to } of spans.toSorted((left, right) => left.from - right.from)) {
    total += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return total;
}
