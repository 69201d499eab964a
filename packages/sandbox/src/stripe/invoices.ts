/** Invoices from draft to paid or written off, with the events that Stripe makes of it. */
import type { Book } from './book.ts';
import { chargeOf, intentOf, makeCharge } from './charges.ts';
import { DAY, type Fields } from './objects.ts';

/** What an invoice bills for one item; `amount` is before discounts. */
export interface Line {
  readonly item: string;
  readonly price: Fields;
  readonly quantity: number;
  readonly amount: number;
  readonly off: readonly { readonly discount: string; readonly amount: number }[];
  readonly from: number;
  readonly to: number;
  readonly proration?: boolean;
}

export interface Bill {
  readonly customer: string;
  readonly subscription: string;
  readonly currency: string;
  readonly reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update';
  readonly collection: 'charge_automatically' | 'send_invoice';
  readonly discounts: readonly string[];
  readonly lines: readonly Line[];
  readonly testClock: string | null;
}

/** Draws up an invoice and finalizes it so many seconds later; returns its id. */
export function issue(book: Book, at: number, bill: Bill, finalizeAfter: number): string {
  const id = book.nextId('in');
  const subtotal = bill.lines.reduce((sum, { amount }) => sum + amount, 0);
  const off = bill.lines.flatMap((line) => line.off).reduce((sum, { amount }) => sum + amount, 0);
  const total = subtotal - off;
  const due = Math.max(total, 0);
  book.put(
    'invoice',
    at,
    {
      id,
      object: 'invoice',
      account_country: 'US',
      amount_due: due,
      amount_paid: 0,
      amount_remaining: due,
      attempt_count: 0,
      attempted: false,
      auto_advance: true,
      billing_reason: bill.reason,
      collection_method: bill.collection,
      created: at,
      currency: bill.currency,
      customer: bill.customer,
      discounts: bill.discounts,
      due_date: bill.collection === 'send_invoice' ? at + 30 * DAY : null,
      ending_balance: null,
      lines: {
        object: 'list',
        data: bill.lines.map((line) => lineOf(book, id, bill, line)),
        has_more: false,
        total_count: bill.lines.length,
        url: `/v1/invoices/${id}/lines`,
      },
      livemode: true,
      metadata: {},
      next_payment_attempt: null,
      number: null,
      parent: {
        quote_details: null,
        subscription_details: { metadata: {}, subscription: bill.subscription },
        type: 'subscription_details',
      },
      period_end: at,
      period_start: at,
      starting_balance: 0,
      status: 'draft',
      status_transitions: {
        finalized_at: null,
        marked_uncollectible_at: null,
        paid_at: null,
        voided_at: null,
      },
      subtotal,
      test_clock: bill.testClock,
      total,
      total_discount_amounts: bill.lines.flatMap((line) => line.off),
      total_taxes: [],
      _charge: null,
      _payment_intent: null,
      _invoice_payment: null,
    },
    ['invoice.created'],
  );
  const finalizedAt = at + finalizeAfter;
  book.change(
    'invoice',
    id,
    finalizedAt,
    {
      status: 'open',
      number: `FLOYO-${id.slice(-5).toUpperCase()}`,
      ending_balance: 0,
      status_transitions: {
        finalized_at: finalizedAt,
        marked_uncollectible_at: null,
        paid_at: null,
        voided_at: null,
      },
    },
    ['invoice.finalized'],
  );
  return id;
}

function lineOf(book: Book, invoice: string, bill: Bill, line: Line): Fields {
  return {
    id: book.nextId('il'),
    object: 'line_item',
    amount: line.amount,
    currency: bill.currency,
    description: null,
    discount_amounts: line.off.map(({ amount, discount }) => ({ amount, discount })),
    discountable: line.proration !== true,
    discounts: [],
    invoice,
    livemode: true,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: line.proration === true ? book.nextId('ii') : null,
        proration: line.proration === true,
        proration_details: { credited_items: null },
        subscription: bill.subscription,
        subscription_item: line.item,
      },
      type: 'subscription_item_details',
    },
    period: { end: line.to, start: line.from },
    pricing: {
      price_details: { price: line.price['id'], product: line.price['product'] },
      type: 'price_details',
      unit_amount_decimal: line.price['unit_amount_decimal'],
    },
    quantity: line.quantity,
    taxes: [],
    _price: line.price,
  };
}

/** Collects an open invoice at `at`; one of nothing is paid without a charge. */
export function pay(book: Book, invoice: string, at: number): void {
  const { amount_due: due } = book.current('invoice', invoice);
  const charge = due === 0 ? undefined : makeCharge(book, invoice, at);
  const before = book.current('invoice', invoice);
  book.change(
    'invoice',
    invoice,
    at,
    {
      status: 'paid',
      amount_paid: due,
      amount_remaining: 0,
      attempted: true,
      attempt_count: Number(before['attempt_count']) + 1,
      next_payment_attempt: null,
      status_transitions: { ...fieldsOf(before['status_transitions']), paid_at: at },
      _charge: charge ?? null,
    },
    ['invoice.updated', 'invoice.paid', 'invoice.payment_succeeded'],
  );
  if (charge !== undefined) settleInvoicePayment(book, invoice, at);
}

/** A try to collect that fails; the next one is three days later. */
export function failToPay(book: Book, invoice: string, at: number): void {
  const { attempt_count: attempts } = book.current('invoice', invoice);
  const intent = intentOf(book, invoice, at);
  const failed = chargeOf(book, invoice, at, intent, 'failed');
  book.put('charge', at, failed, ['charge.failed']);
  book.change('payment_intent', intent, at, { status: 'requires_payment_method' }, [
    'payment_intent.payment_failed',
  ]);
  book.change(
    'invoice',
    invoice,
    at,
    { attempted: true, attempt_count: Number(attempts) + 1, next_payment_attempt: at + 3 * DAY },
    ['invoice.updated', 'invoice.payment_failed'],
  );
}

/** Nobody tries any more. */
export function writeOff(book: Book, invoice: string, at: number, how: 'void' | 'uncollectible'): void {
  const { status_transitions: transitions } = book.current('invoice', invoice);
  const mark = how === 'void' ? 'voided_at' : 'marked_uncollectible_at';
  book.change(
    'invoice',
    invoice,
    at,
    { status: how, next_payment_attempt: null, status_transitions: { ...fieldsOf(transitions), [mark]: at } },
    ['invoice.updated', how === 'void' ? 'invoice.voided' : 'invoice.marked_uncollectible'],
  );
}

function settleInvoicePayment(book: Book, invoice: string, at: number): void {
  const id = String(book.current('invoice', invoice)['_invoice_payment']);
  const { amount_requested: amount } = book.current('invoice_payment', id);
  const settled = {
    amount_paid: amount,
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: at },
  };
  book.change('invoice_payment', id, at, settled, ['invoice_payment.paid']);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
