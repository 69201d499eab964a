/** An invoice of every API version as a row of `invoices`. What was refunded of it comes from its payments, in the database. */
import { toMajor } from './money.ts';
import {
  type Fields,
  idAt,
  instantAt,
  listAt,
  objectAt,
  requiredInstant,
  requiredInteger,
  requiredText,
  textAt,
} from './read.ts';

export interface InvoiceRow {
  readonly customer_id: string | null;
  readonly subscription_id: string | null;
  readonly currency: string;
  readonly status: string | null;
  readonly billing_reason: string | null;
  readonly amount_due: string;
  readonly amount_paid: string;
  readonly created_at: string;
  readonly paid_at: string | null;
}

export function mapInvoice(from: Fields): InvoiceRow {
  const currency = requiredText(from, 'currency').toUpperCase();
  const transitions = objectAt(from, 'status_transitions');
  return {
    customer_id: idAt(from, 'customer'),
    subscription_id: subscriptionOf(from),
    currency,
    status: textAt(from, 'status'),
    billing_reason: textAt(from, 'billing_reason'),
    amount_due: toMajor(requiredInteger(from, 'amount_due'), currency),
    amount_paid: toMajor(requiredInteger(from, 'amount_paid'), currency),
    created_at: requiredInstant(from, 'created'),
    paid_at: transitions === undefined ? null : instantAt(transitions, 'paid_at'),
  };
}

/** `subscription` until 2025-03-31, then under `parent`; a line tells it too, in both. */
function subscriptionOf(from: Fields): string | null {
  const parent = objectAt(from, 'parent');
  const details = parent === undefined ? undefined : objectAt(parent, 'subscription_details');
  const own = idAt(from, 'subscription') ?? (details === undefined ? null : idAt(details, 'subscription'));
  if (own !== null) return own;
  for (const line of listAt(from, 'lines')) {
    const inParent = objectAt(objectAt(line, 'parent') ?? {}, 'subscription_item_details');
    const found =
      idAt(line, 'subscription') ?? (inParent === undefined ? null : idAt(inParent, 'subscription'));
    if (found !== null) return found;
  }
  return null;
}

/** What ties an invoice to its payment since charges no longer name their invoice. */
export interface InvoicePaymentData {
  readonly invoice: string | null;
  readonly payment_intent: string | null;
  readonly charge: string | null;
}

export function mapInvoicePayment(from: Fields): InvoicePaymentData {
  const payment = objectAt(from, 'payment') ?? {};
  return {
    invoice: idAt(from, 'invoice'),
    payment_intent: idAt(payment, 'payment_intent'),
    charge: idAt(payment, 'charge'),
  };
}
