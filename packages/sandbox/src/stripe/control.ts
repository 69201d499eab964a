/** The control endpoint by which a person has the account's events delivered to a webhook of theirs. */
import { Hono } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { stripeWebhookSecret } from './access.ts';
import { deliver } from './deliver.ts';
import { renderEvent } from './families.ts';
import { DAY, type Happening, toSeconds } from './objects.ts';
import type { StripeControls } from './server.ts';

const instant = z.iso.datetime({ offset: true });
const deliverSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  from: instant.optional(),
  to: instant.optional(),
  order: z.enum(['in-order', 'shuffled', 'reversed']).default('shuffled'),
  twice: z.boolean().default(false),
});

/** The body of an event as it is sent: indented, as Stripe's are. */
export function eventBody({ lives }: Pick<StripeControls, 'lives'>, happening: Happening): string {
  return JSON.stringify(renderEvent(happening, lives.familyOf(happening), lives.references), null, 2);
}

/** `POST /deliver {url, from?, to?, order?, twice?}`: the events of the last day by the clock, unless told. */
export function createStripeControl(context: VendorContext, controls: StripeControls): Hono {
  const app = new Hono();
  app.post('/deliver', async (c) => {
    const body = deliverSchema.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);
    const { url, order, twice } = body.data;
    const now = Math.floor(context.clock.now().epochMilliseconds / 1000);
    const to = body.data.to === undefined ? now : Math.min(now, toSeconds(body.data.to));
    const from = body.data.from === undefined ? to - DAY : toSeconds(body.data.from);
    const events = controls.lives.happenings
      .filter(({ created }) => created >= from && created <= to)
      .map((happening) => ({ id: happening.id, body: eventBody(controls, happening) }));
    const { deliveries, ...stats } = await deliver({
      ...{ url, order, twice, events, seed: context.seed },
      secrets: [stripeWebhookSecret],
      concurrency: 4,
      maxAttempts: 4,
      backoffMs: 250,
    });
    for (const { id, succeeded } of deliveries) if (succeeded) controls.undelivered.delete(id);
    for (const id of stats.undelivered) controls.undelivered.add(id);
    return c.json({ ...stats, deliveries: deliveries.length });
  });
  return app;
}
