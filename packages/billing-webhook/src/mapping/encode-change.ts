/** A change as the JSON text that `public.stripe_apply` takes. */
import { encodeJson } from '@floyo/shared/copy-text';

import type { Change } from './change.ts';

/** What jsonb can't hold stands in the text with an escape. */
const ESCAPED = String.raw`\u`;

/**
 * The change as JSON. With the event's raw text its payload goes in as it came, so that it is neither written anew nor
 * are its numbers touched; where it may hold what Postgres can't store, that is taken out of it.
 */
export function encodeChange(change: Change, rawEvent?: string): string {
  const { event, ...rest } = change;
  if (event === null || rawEvent === undefined || rawEvent.includes(ESCAPED)) return encodeJson(change);
  const ledger = encodeJson({ ...event, payload: undefined });
  return `${encodeJson(rest).slice(0, -1)},"event":${ledger.slice(0, -1)},"payload":${rawEvent}}}`;
}
