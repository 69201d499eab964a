/**
 * The stream of events, for scheduled runs: what the webhook missed since the last run. Stripe tells events for 30 days;
 * when they were not read for longer, the lists are read again instead. Afterwards it re-reads what is in doubt, and once a
 * day compares everything with Stripe.
 */
import { defineStream, type Io, type Stream } from '@floyo/shared/connector';
import type { InstantWindow } from '@floyo/shared/window';

import { EVENT_GROUPS } from '../event-types.ts';
import { FEES, toSeconds } from '../read-days.ts';
import { readEvents } from '../read-events.ts';
import { readListed, toRecords } from '../read-state.ts';
import type { StripeRecord } from '../record.ts';
import type { StripeSession } from '../session.ts';
import { tendBilling } from '../tend.ts';
import { common } from './define.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const events: Stream<StripeSession, StripeRecord> = defineStream<StripeSession, StripeRecord>({
  ...common,
  name: 'events',
  only: 'scheduled',
  changes: {
    read: readChanges,
    // Two events can share a second, and one may be listed late: they are told apart by their ids.
    overlapMs: HOUR_MS,
    lagMs: 0,
    // All that Stripe keeps: of a long window only so many pages are in memory.
    maxWindowMs: 30 * DAY_MS,
    // An hour less than Stripe keeps, for the overlap.
    reachMs: 30 * DAY_MS - 2 * HOUR_MS,
  },
  tend: tendBilling,
});

async function* readChanges(
  session: StripeSession,
  { from, to }: InstantWindow,
  io: Io,
): AsyncGenerator<StripeRecord[]> {
  // Events of the second that is just passing may still come: it is read with the next window's overlap.
  const created = { from: toSeconds(from), to: toSeconds(to) + 1 };
  for (const types of EVENT_GROUPS)
    for await (const { objects } of readEvents(session.client, io, types, created))
      yield objects.map((event) => ({ kind: 'event', event: { ...event, object: String(event['object']) } }));
  // Fees have no events: what moved the balance in that time is listed.
  for await (const page of readListed(session.client, io, FEES, created)) yield toRecords(page);
}
