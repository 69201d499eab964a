/** Payment intents, charges and the balance transactions of both, with their events. */
import type { Book } from './book.ts';
import { DAY, type Fields } from './objects.ts';

/** Charges an open invoice's customer; returns the charge's id. */
export function makeCharge(book: Book, invoice: string, at: number): string {
  const intent = intentOf(book, invoice, at);
  const made = chargeOf(book, invoice, at, intent, 'succeeded');
  const id = String(made['id']);
  const fee = Math.round(Number(made['amount']) * 0.029) + 30;
  const transaction = balance(book, at, id, Number(made['amount']), fee, 'charge', String(made['currency']));
  book.put('charge', at, { ...made, balance_transaction: transaction }, ['charge.succeeded']);
  book.change('payment_intent', intent, at, { status: 'succeeded', latest_charge: id }, [
    'payment_intent.succeeded',
  ]);
  return id;
}

/** The invoice's payment intent; the first try makes it. */
export function intentOf(book: Book, invoice: string, at: number): string {
  const { _payment_intent: known, amount_due, currency, customer } = book.current('invoice', invoice);
  if (typeof known === 'string') return known;
  const id = book.nextId('pi');
  book.put(
    'payment_intent',
    at,
    {
      id,
      object: 'payment_intent',
      amount: amount_due,
      capture_method: 'automatic',
      created: at,
      currency,
      customer,
      latest_charge: null,
      livemode: true,
      metadata: {},
      status: 'requires_confirmation',
      _invoice: invoice,
    },
    ['payment_intent.created'],
  );
  const payment = book.nextId('inpay');
  book.put('invoice_payment', at, {
    id: payment,
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: amount_due,
    created: at,
    currency,
    invoice,
    is_default: true,
    livemode: true,
    payment: { payment_intent: id, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  });
  book.change('invoice', invoice, at, { _payment_intent: id, _invoice_payment: payment });
  return id;
}

/** A charge that is not in the book yet. */
export function chargeOf(
  book: Book,
  invoice: string,
  at: number,
  intent: string,
  status: 'succeeded' | 'failed',
): Fields {
  const { amount_due: amount, currency, customer } = book.current('invoice', invoice);
  return {
    id: book.nextId('ch'),
    object: 'charge',
    amount,
    amount_captured: status === 'succeeded' ? amount : 0,
    amount_refunded: 0,
    balance_transaction: null,
    captured: status === 'succeeded',
    created: at,
    currency,
    customer,
    disputed: false,
    failure_code: status === 'failed' ? 'card_declined' : null,
    livemode: true,
    metadata: {},
    paid: status === 'succeeded',
    payment_intent: intent,
    refunded: false,
    status,
    _invoice: invoice,
  };
}

/** A movement of the account's balance; returns its id. */
export function balance(
  book: Book,
  at: number,
  source: string,
  amount: number,
  fee: number,
  type: string,
  currency: string,
): string {
  const id = book.nextId('txn');
  book.put('balance_transaction', at, {
    id,
    object: 'balance_transaction',
    amount,
    available_on: at + 2 * DAY,
    created: at,
    currency,
    fee,
    fee_details: fee === 0 ? [] : [{ amount: fee, currency, type: 'stripe_fee' }],
    net: amount - fee,
    reporting_category: type,
    source,
    status: 'available',
    type,
  });
  return id;
}
