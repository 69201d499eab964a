/**
 * Reads whole days: what was invoiced, paid, refunded, disputed and charged as fees in them. The first window of a run
 * reads the present state before that, since a subscription has no day of its own.
 */
import type { Io } from '@floyo/shared/connector';
import { type DayWindow, toInstants } from '@floyo/shared/window';

import { type Listed, readListed, readState, toRecords } from './read-state.ts';
import type { StripeRecord } from './record.ts';
import type { StripeSession } from './session.ts';

/** What moved the balance, with its fees: Stripe makes no events of it. */
export const FEES: Listed = { type: 'balance_transaction', path: 'balance_transactions', parameters: {} };

const DAY_LISTS: readonly Listed[] = [
  {
    type: 'invoice',
    path: 'invoices',
    parameters: { expand: ['data.discounts', 'data.lines.data.discounts'] },
  },
  // What ties a charge to its invoice.
  { type: 'invoice_payment', path: 'invoice_payments', parameters: {} },
  { type: 'charge', path: 'charges', parameters: {} },
  { type: 'refund', path: 'refunds', parameters: {} },
  { type: 'dispute', path: 'disputes', parameters: {} },
  FEES,
];

/** The records of the window, a page at a time. */
export async function* readDays(
  session: StripeSession,
  window: DayWindow,
  io: Io,
): AsyncGenerator<StripeRecord[]> {
  const { client, state } = session;
  if (state.claim()) {
    // Whoever stops consuming has failed: then nobody may rely on the state.
    let failure: unknown = new Error('the reading of the present state was broken off');
    try {
      yield* readState(client, io);
      failure = undefined;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      state.settle(failure);
    }
  } else await state.done();
  const { from, to } = toInstants(window, io.reporting.timezone);
  const created = { from: toSeconds(from), to: toSeconds(to) };
  for (const list of DAY_LISTS)
    for await (const page of readListed(client, io, list, created)) yield toRecords(page);
}

/** Epoch seconds, as Stripe stamps: a fraction of one belongs to the second that it is in. */
export function toSeconds(instant: string): number {
  return Math.floor(Date.parse(instant) / 1000);
}
