/** Charges, refunds, disputes and fees as rows of `payments`: amounts are positive, the kind says which way money went. */
import { toMajor } from './money.ts';
import {
  arrayAt,
  type Fields,
  idAt,
  integerAt,
  isFields,
  requiredInstant,
  requiredInteger,
  requiredText,
  textAt,
} from './read.ts';

export interface PaymentRow {
  readonly kind: 'charge' | 'refund' | 'dispute' | 'fee';
  readonly customer_id: string | null;
  readonly invoice_id: string | null;
  readonly charge_id: string | null;
  readonly payment_intent_id: string | null;
  readonly currency: string;
  readonly amount: string;
  readonly status: string | null;
  readonly counted: boolean;
  readonly occurred_at: string;
  /** Of a dispute: an event told when it was lost, so that the time is no guess. */
  readonly occurred_exact?: boolean;
}

export function mapCharge(from: Fields): PaymentRow {
  const currency = requiredText(from, 'currency').toUpperCase();
  const captured = from['captured'] !== false;
  const amount = integerAt(from, 'amount_captured') ?? requiredInteger(from, 'amount');
  const status = textAt(from, 'status');
  return {
    kind: 'charge',
    customer_id: idAt(from, 'customer'),
    invoice_id: idAt(from, 'invoice'),
    charge_id: requiredText(from, 'id'),
    payment_intent_id: idAt(from, 'payment_intent'),
    currency,
    amount: toMajor(captured ? amount : requiredInteger(from, 'amount'), currency),
    status,
    counted: status === 'succeeded' && captured,
    occurred_at: requiredInstant(from, 'created'),
  };
}

export function mapRefund(from: Fields): PaymentRow {
  const currency = requiredText(from, 'currency').toUpperCase();
  const status = textAt(from, 'status');
  return {
    kind: 'refund',
    customer_id: null,
    invoice_id: null,
    charge_id: idAt(from, 'charge'),
    payment_intent_id: idAt(from, 'payment_intent'),
    currency,
    amount: toMajor(requiredInteger(from, 'amount'), currency),
    status,
    // Until 2018 a refund had no status: it was made.
    counted: status !== 'failed' && status !== 'canceled',
    occurred_at: requiredInstant(from, 'created'),
  };
}

/** `closedAt`: when an event says that it was lost; without one the time of its last movement of funds has to do. */
export function mapDispute(from: Fields, closedAt: string | undefined): PaymentRow {
  const currency = requiredText(from, 'currency').toUpperCase();
  const status = requiredText(from, 'status');
  const movements = arrayAt(from, 'balance_transactions')
    .filter(isFields)
    .map((movement) => requiredInstant(movement, 'created'))
    .sort();
  const lost = status === 'lost';
  return {
    kind: 'dispute',
    customer_id: null,
    invoice_id: null,
    charge_id: idAt(from, 'charge'),
    payment_intent_id: idAt(from, 'payment_intent'),
    currency,
    amount: toMajor(requiredInteger(from, 'amount'), currency),
    status,
    counted: lost,
    occurred_at: (lost ? (closedAt ?? movements.at(-1)) : undefined) ?? requiredInstant(from, 'created'),
    occurred_exact: !lost || closedAt !== undefined,
  };
}

/** The fee of a balance transaction. Negative when Stripe gave a fee back. */
export function mapFee(from: Fields): PaymentRow {
  const currency = requiredText(from, 'currency').toUpperCase();
  const fee = requiredInteger(from, 'fee');
  const source = idAt(from, 'source');
  return {
    kind: 'fee',
    customer_id: null,
    invoice_id: null,
    charge_id: source?.startsWith('ch_') === true || source?.startsWith('py_') === true ? source : null,
    payment_intent_id: null,
    currency,
    amount: toMajor(fee, currency),
    status: textAt(from, 'status'),
    counted: fee !== 0,
    occurred_at: requiredInstant(from, 'created'),
  };
}
