/** A proxy before the sandbox that knows when a vendor call was under way, so that a run's own time can be told. */
import { request } from 'node:http';

import { serve } from './local-server.ts';

export interface VendorClock extends AsyncDisposable {
  /** `url` with this proxy's address in place of the sandbox's. */
  readonly through: (url: string) => string;
  /** Seconds in which at least one call was under way since the last `reset`. */
  busySeconds(): number;
  reset(): void;
}

/** Starts a proxy to the server at `target`. */
export async function startVendorClock(target: string): Promise<VendorClock> {
  let calls: { from: number; to: number }[] = [];
  const server = await serve((incoming, outgoing) => {
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
  return {
    through: (url) => url.replace(target, server.url),
    busySeconds: () => union(calls) / 1_000,
    reset: () => {
      calls = [];
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
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
