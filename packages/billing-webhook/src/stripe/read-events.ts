/**
 * Reads events oldest first. Stripe lists them newest first and has no other order, so that a window is walked to its
 * end before anything of it is handed out; of a long one only the oldest pages are kept, the others are asked for again.
 * https://docs.stripe.com/api/events/list
 */
import type { CallIo, Page, Parameters, StripeClient } from './client.ts';
import { contractError } from './errors.ts';
import { createListCheck } from './list-check.ts';

/** Pages kept in memory, of 100 events each: about 10 MB. */
const PAGES_KEPT = 20;

/** The events of the types whose `created` (epoch seconds) is in `[from, to)`, oldest first, in pages. */
export async function* readEvents(
  client: StripeClient,
  io: CallIo,
  types: readonly string[],
  created: { readonly from: number; readonly to: number },
  pagesKept: number = PAGES_KEPT,
): AsyncGenerator<Page> {
  const parameters: Parameters = { types };
  const kept: Page[] = [];
  /** The last event of every page that is no longer kept, newest first. */
  const ends: string[] = [];
  for await (const page of client.list(io, 'events', parameters, { created })) {
    kept.push(page);
    const dropped = kept.length > pagesKept ? kept.shift() : undefined;
    const end = dropped?.objects.at(-1)?.id;
    if (end !== undefined) ends.push(end);
  }
  for (const page of kept.reverse()) yield oldestFirst(page);
  // Page n begins after the end of page n - 1; the newest one begins at the top.
  for (let index = ends.length - 1; index >= 0; index--) {
    const after = ends[index - 1];
    const page = await client.page(io, 'events', {
      ...parameters,
      'created[gte]': created.from,
      'created[lt]': created.to,
      ...(after === undefined ? {} : { starting_after: after }),
    });
    createListCheck('events', { created }).add(page, page.hasMore);
    if (page.objects.at(-1)?.id !== ends[index])
      throw contractError('Events were added to the list while it was read', { request_id: page.requestId });
    yield oldestFirst(page);
  }
}

function oldestFirst(page: Page): Page {
  return { ...page, objects: page.objects.toReversed() };
}
