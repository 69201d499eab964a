/** One record of a list or an event to the change that the database applies. Pure. */
import type { LoadRows } from '@floyo/shared/connector';

import type { Change } from '../mapping/change.ts';
import { mapEvent } from '../mapping/map-event.ts';
import { mapObject } from '../mapping/map-object.ts';
import { periodsOf } from './periods.ts';
import type { StripeRecord } from './record.ts';
import type { StripeSession } from './session.ts';

/** Throws when the record is nothing that Stripe sends; its message is the reason for the quarantine. */
export function toChanges(record: StripeRecord, { id: account, client }: StripeSession): LoadRows {
  const { livemode } = client;
  switch (record.kind) {
    case 'event':
      return toLoad(record.event.id, { ...mapEvent(record.event), source: 'events' });
    case 'object': {
      const { object, fetchedAt } = record;
      const change = mapObject(object, { fetchedAt, account, livemode });
      if (object.object !== 'invoice') return toLoad(object.id, change);
      return toLoad(object.id, change, { billed: { invoice: object.id, periods: periodsOf(object) } });
    }
  }
}

function toLoad(id: string, change: Change, more: object = {}): LoadRows {
  const [payment] = change.rows.payments ?? [];
  // As stripe_apply locks: what belongs to one payment has one lock.
  const lock =
    payment?.payment_intent_id ??
    payment?.charge_id ??
    `${change.object?.type ?? ''}:${change.object?.id ?? ''}`;
  return { changes: [{ externalId: `stripe:${id}`, lock, change: { ...change, ...more } }] };
}
