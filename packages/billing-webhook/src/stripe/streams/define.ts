/** What both streams of billing have in common: their records, and how whole days are read. */
import type { Stream } from '@floyo/shared/connector';

import { readDays } from '../read-days.ts';
import { type StripeRecord, stripeRecordSchema } from '../record.ts';
import type { StripeSession } from '../session.ts';
import { toChanges } from '../to-changes.ts';

type Common = Pick<
  Stream<StripeSession, StripeRecord>,
  | 'coversAs'
  | 'parent'
  | 'children'
  | 'calendar'
  | 'firstRun'
  | 'restatementDays'
  | 'maxWindowDays'
  | 'schema'
  | 'identify'
  | 'readDays'
  | 'toRows'
>;

export const common: Common = {
  // One ledger of days: whether events or lists told them, they are known.
  coversAs: 'events',
  parent: {
    table: 'billing_events',
    key: ['external_id'],
    scope: () => ({}),
    applyWith: 'ops.stripe_load',
  },
  children: [],
  calendar: 'reporting',
  // Sixty days with today: the last invoice of every monthly subscription, and the one before.
  firstRun: { daysBack: 59 },
  restatementDays: 0,
  // Lists are paged and pages commit by themselves: a window is what an interrupted backfill does again.
  maxWindowDays: 31,
  schema: stripeRecordSchema,
  identify(record) {
    const { data } = stripeRecordSchema.safeParse(record);
    if (data === undefined) return undefined;
    return { externalId: `stripe:${(data.kind === 'event' ? data.event : data.object).id}` };
  },
  readDays,
  toRows: toChanges,
};
