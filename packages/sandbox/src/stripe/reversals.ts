/** Money that goes back: refunds and disputes, with their events. */
import type { Book } from './book.ts';
import { balance } from './charges.ts';
import { DAY } from './objects.ts';

/** Gives back so much of the invoice's charge. */
export function refund(book: Book, invoice: string, at: number, share: number): void {
  const charge = String(book.current('invoice', invoice)['_charge']);
  const paid = book.current('charge', charge);
  const amount = Math.round(Number(paid['amount']) * share);
  const id = book.nextId('re');
  const total = Number(paid['amount_refunded']) + amount;
  const made = {
    id,
    object: 'refund',
    amount,
    balance_transaction: balance(book, at, id, -amount, 0, 'refund', String(paid['currency'])),
    charge,
    created: at,
    currency: paid['currency'],
    metadata: {},
    payment_intent: paid['payment_intent'],
    reason: 'requested_by_customer',
    status: 'pending',
  };
  book.put('refund', at, made, ['refund.created']);
  book.change('charge', charge, at, { amount_refunded: total, refunded: total === paid['amount'] }, [
    'charge.refunded',
  ]);
  book.change('refund', id, at + 2, { status: 'succeeded' }, ['refund.updated']);
}

/** The customer's bank takes the charge back; three weeks later it is decided. */
export function dispute(book: Book, invoice: string, at: number, outcome: 'won' | 'lost'): void {
  const charge = String(book.current('invoice', invoice)['_charge']);
  const { amount, currency, payment_intent: intent } = book.current('charge', charge);
  const id = book.nextId('dp');
  const taken = balance(book, at, id, -Number(amount), 1500, 'adjustment', String(currency));
  const closed = at + 21 * DAY;
  book.put(
    'dispute',
    at,
    {
      id,
      object: 'dispute',
      amount,
      balance_transactions: [book.current('balance_transaction', taken)],
      charge,
      created: at,
      currency,
      is_charge_refundable: false,
      livemode: true,
      metadata: {},
      payment_intent: intent,
      reason: 'fraudulent',
      status: 'needs_response',
    },
    ['charge.dispute.created'],
  );
  book.change('charge', charge, at, { disputed: true }, ['charge.updated']);
  book.change('dispute', id, at + 2 * DAY, { status: 'under_review' }, ['charge.dispute.updated']);
  book.change('dispute', id, closed, { status: outcome }, ['charge.dispute.closed']);
  if (outcome === 'won') {
    const back = balance(book, closed, id, Number(amount), 0, 'adjustment', String(currency));
    const both = [book.current('balance_transaction', taken), book.current('balance_transaction', back)];
    book.change('dispute', id, closed, { balance_transactions: both }, ['charge.dispute.funds_reinstated']);
  }
}
