/** `floyo billing retry [EVENT]`: applies Stripe's failed events again, after a fix. */
import { findEvent, type Retried, retryFailed } from '@floyo/billing-webhook/sweep';
import { ConfigError } from '@floyo/shared/errors';

import { type App, openAppDatabase, print } from '../app.ts';
import { formatTable } from '../print/style.ts';

export async function billingRetryCommand(app: App, event: string | undefined): Promise<number> {
  await using database = await openAppDatabase(app);
  const events = await retryFailed(database.session, event);
  if (event !== undefined && events.length === 0) {
    const status = await findEvent(database.session, event);
    if (status === undefined)
      throw new ConfigError(
        [{ variable: 'usage', message: `${event} is not among the events that were received` }],
        'usage',
      );
    print(app, { events }, `${event} has not failed: it is ${status}.`);
    return 0;
  }
  print(app, { events }, describe(events));
  return events.some(({ status }) => status === 'failed') ? 1 : 0;
}

function describe(events: readonly Retried[]): string {
  if (events.length === 0) return 'No event has failed.';
  const rows = events.map((event) => [
    event.event,
    event.account,
    event.type,
    event.created.slice(0, 19),
    String(event.attempts),
    event.status,
    event.error ?? '',
  ]);
  return formatTable(['event', 'account', 'type', 'created', 'attempts', 'now', 'error'], rows, [4]);
}
