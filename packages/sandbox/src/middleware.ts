/**
 * What happens to a request whatever the vendor: it is logged, and the faults that strike the connection
 * (latency, slow, not_json, reset) are done here.
 */
import { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context, MiddlewareHandler } from 'hono';
import { z } from 'zod';

import type { Fault, Vendor, VendorContext } from './core.ts';

const delaySchema = z.object({ ms: z.number().nonnegative() });
const defaultDelayMs = { slow: 1000, latency: 20 };

/** For `app.use('*', …)`. `accountOf` tells which account a request is for, as far as the URL says it. */
export function connectionFaults(
  context: VendorContext,
  vendor: Vendor,
  accountOf: (c: Context) => string | undefined,
): MiddlewareHandler {
  return async (c, next) => {
    const account = accountOf(c);
    const path = c.req.path;
    const target = { account, path };
    for (const kind of ['latency', 'slow'] as const) {
      const fault = context.faults.take(vendor, kind, target);
      if (fault !== undefined) await delay(delayMs(fault, defaultDelayMs[kind]));
    }
    if (context.faults.take(vendor, 'not_json', target) !== undefined) {
      c.res = new Response(badGatewayPage, { status: 502, headers: { 'content-type': 'text/html' } });
    } else {
      await next();
    }
    const at = context.clock.now().toString();
    context.log.record({ vendor, method: c.req.method, path, account, status: c.res.status, at });
    if (context.faults.take(vendor, 'reset', target) !== undefined) await cutConnection(c);
  };
}

/** The answer with its body cut in half but whole in form: what a broken proxy hands on. */
export async function halfBody(response: Response): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.delete('content-length');
  return new Response(bytes.slice(0, Math.floor(bytes.length / 2)), { status: response.status, headers });
}

const bindingsSchema = z.object({ outgoing: z.instanceof(ServerResponse) });

/** Sends half of the body under the length of the whole, and then destroys the connection. */
async function cutConnection(c: Context): Promise<void> {
  const { outgoing } = bindingsSchema.parse(c.env);
  const bytes = new Uint8Array(await c.res.arrayBuffer());
  const headers = { ...Object.fromEntries(c.res.headers), 'content-length': String(bytes.length) };
  outgoing.writeHead(c.res.status, headers);
  await new Promise<void>((resolve) => {
    outgoing.write(bytes.slice(0, Math.floor(bytes.length / 2)), () => resolve());
  });
  outgoing.destroy();
  c.res = undefined;
  c.res = RESPONSE_ALREADY_SENT;
}

function delayMs(fault: Fault, otherwise: number): number {
  return delaySchema.safeParse(fault.value).data?.ms ?? otherwise;
}

const badGatewayPage =
  '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n';
