/**
 * What an invoice tells of a subscription's past: the periods that it bills, each with its item, price, quantity and
 * discounts, and after a change in the middle of one what was given back and what was billed for the rest of it. Pure.
 */
import { z } from 'zod';

import { mapDiscounts } from '../mapping/prices.ts';

/** Ids come alone, or with the object that they are of. */
const reference = z
  .union([z.string(), z.looseObject({ id: z.string() }).transform(({ id }) => id)])
  .nullish();

const lineSchema = z.looseObject({
  id: z.string(),
  amount: z.number(),
  quantity: z.number().nullish(),
  period: z.object({ start: z.number(), end: z.number() }),
  discounts: z.array(z.unknown()).nullish(),
  discount_amounts: z.array(z.looseObject({ amount: z.number(), discount: reference })).nullish(),
  // Since 2025-03-31.basil.
  parent: z
    .looseObject({
      type: z.string(),
      subscription_item_details: z
        .looseObject({
          subscription: reference,
          subscription_item: reference,
          proration: z.boolean().nullish(),
        })
        .nullish(),
    })
    .nullish(),
  pricing: z.looseObject({ price_details: z.looseObject({ price: reference }).nullish() }).nullish(),
  // Before it.
  type: z.string().nullish(),
  subscription: reference,
  subscription_item: reference,
  proration: z.boolean().nullish(),
  price: reference,
  plan: reference,
});

const invoiceSchema = z.looseObject({
  id: z.string(),
  status: z.string().nullish(),
  currency: z.string(),
  customer: reference,
  attempt_count: z.number().nullish(),
  billing_reason: z.string().nullish(),
  test_clock: z.unknown().optional(),
  discounts: z.array(z.unknown()).nullish(),
  lines: z.looseObject({ data: z.array(lineSchema) }),
});

/** One billed period of one subscription item. Amounts are decimal text in minor units, instants ISO. */
export interface BilledPeriod {
  readonly invoice: string;
  readonly line: string;
  readonly subscription: string;
  readonly customer: string | null;
  readonly item: string;
  readonly price: string | null;
  readonly quantity: number | null;
  readonly amount: string;
  readonly proration: boolean;
  readonly currency: string;
  readonly status: 'active' | 'past_due' | 'incomplete';
  readonly starts_at: string;
  readonly ends_at: string;
  /** As in `subscriptions.items`: of the item, and of the whole subscription. */
  readonly item_discounts: readonly unknown[];
  readonly discounts: readonly unknown[];
  /** What each discount took off the line, in minor units by its id. */
  readonly taken: Readonly<Record<string, string>>;
}

/**
 * The periods that an invoice bills; none when it is a draft, void, or of no subscription. An invoice that was never paid
 * was still owed: the subscription was past due. Throws when it has another shape than any that is known.
 */
export function periodsOf(invoice: unknown): BilledPeriod[] {
  const { data, error } = invoiceSchema.safeParse(invoice);
  if (data === undefined)
    throw new Error(
      error.issues.map(({ path, message }) => `invoice ${path.join('.')}: ${message}`).join('; '),
    );
  if ((data.test_clock ?? null) !== null) return [];
  const status = statusOf(data);
  if (status === undefined) return [];
  return data.lines.data.flatMap((line): BilledPeriod[] => {
    const details = line.parent?.subscription_item_details;
    const proration = (details?.proration ?? line.proration) === true;
    // Until 2025-03-31 a proration was an invoice item that named its subscription.
    const isSubscriptions =
      details != null || line.type === 'subscription' || (proration && line.type === 'invoiceitem');
    const subscription = details?.subscription ?? line.subscription;
    if (!isSubscriptions || subscription == null) return [];
    if (line.period.end <= line.period.start) return [];
    const price = line.pricing?.price_details?.price ?? line.price ?? line.plan ?? null;
    return [
      {
        invoice: data.id,
        line: line.id,
        subscription,
        customer: data.customer ?? null,
        item: details?.subscription_item ?? line.subscription_item ?? price ?? line.id,
        price,
        quantity: line.quantity ?? null,
        amount: String(line.amount),
        proration,
        currency: data.currency.toUpperCase(),
        status,
        starts_at: toInstant(line.period.start),
        ends_at: toInstant(line.period.end),
        item_discounts: mapDiscounts({ discounts: line.discounts ?? [] }),
        discounts: mapDiscounts({ discounts: data.discounts ?? [] }),
        taken: Object.fromEntries(
          (line.discount_amounts ?? []).flatMap(({ amount, discount }) =>
            discount == null || amount <= 0 ? [] : [[discount, String(amount)]],
          ),
        ),
      },
    ];
  });
}

/** What the invoice says of the subscription's state; undefined when it says nothing. */
function statusOf(invoice: z.infer<typeof invoiceSchema>): BilledPeriod['status'] | undefined {
  if (invoice.status === 'paid') return 'active';
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') return undefined;
  // One that nobody has tried to collect is not due yet.
  if (invoice.status === 'open' && invoice.attempt_count === 0) return 'active';
  // A subscription begins with its first payment.
  return invoice.billing_reason === 'subscription_create' ? 'incomplete' : 'past_due';
}

function toInstant(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
