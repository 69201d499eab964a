/** The endpoints by which another process moves the clock, orders faults and reads the log of requests. */
import { Hono } from 'hono';
import { z } from 'zod';

import type { VendorContext } from './core.ts';
import { faultKinds } from './core.ts';
import type { PostHogControls } from './posthog/server.ts';

const clockSchema = z.object({ now: z.iso.datetime({ offset: true }) });
const faultSchema = z.strictObject({
  vendor: z.enum(['meta', 'tiktok', 'shopify', 'ecb', 'posthog', 'stripe']),
  kind: z.enum(faultKinds),
  account: z.string().exactOptional(),
  times: z.number().int().min(-1).exactOptional(),
  path: z.string().exactOptional(),
  value: z.unknown().optional(),
  probability: z.number().min(0).max(1).exactOptional(),
});

/** To be mounted at /_sandbox; a wrong body is answered 400 with what is wrong. */
export function createControlServer(
  context: VendorContext,
  posthog: Pick<PostHogControls, 'captured'>,
): Hono {
  const app = new Hono();
  app.get('/clock', (c) => c.json({ now: context.clock.now().toString() }));
  app.post('/clock', async (c) => {
    const body = clockSchema.safeParse(await readJson(c.req.raw));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);
    context.clock.set(body.data.now);
    return c.json({ now: context.clock.now().toString() });
  });
  app.post('/faults', async (c) => {
    const body = faultSchema.safeParse(await readJson(c.req.raw));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);
    context.faults.add(body.data);
    return c.json({ added: body.data }, 201);
  });
  app.delete('/faults', (c) => {
    context.faults.clear();
    return c.body(null, 204);
  });
  app.get('/requests', (c) => c.json(context.log.entries));
  app.delete('/requests', (c) => {
    context.log.clear();
    return c.body(null, 204);
  });
  const { captured } = posthog;
  app.get('/captured', (c) =>
    c.json({ count: captured.count, batches: captured.batches, events: captured.events }),
  );
  app.delete('/captured', (c) => {
    captured.clear();
    return c.body(null, 204);
  });
  return app;
}

async function readJson(request: Request): Promise<unknown> {
  try {
    return await request.json();
  } catch {
    return undefined;
  }
}
