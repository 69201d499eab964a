/** The shape that an order must have to be loaded. */
import { z } from 'zod';

const gid = (type: string): z.ZodString => z.string().regex(new RegExp(`^gid://shopify/${type}/\\d+$`));
const instant = z.iso.datetime({ offset: true });
const moneyBag = z.object({
  shopMoney: z.object({
    amount: z.string().regex(/^-?\d+(\.\d+)?$/, 'is no decimal number'),
    currencyCode: z.string().length(3),
  }),
});
export type MoneyBag = z.infer<typeof moneyBag>;

const visit = z.object({
  landingPage: z.string().nullable(),
  utmParameters: z
    .object({ source: z.string().nullable(), medium: z.string().nullable(), campaign: z.string().nullable() })
    .nullable(),
});

const lineSchema = z.object({
  id: gid('LineItem'),
  sku: z.string().nullable(),
  title: z.string(),
  quantity: z.int32().nonnegative(),
  currentQuantity: z.number().int().nonnegative(),
  isGiftCard: z.boolean(),
  product: z.object({ id: gid('Product') }).nullish(),
  variant: z.object({ id: gid('ProductVariant') }).nullish(),
  originalTotalSet: moneyBag,
  discountAllocations: z.array(z.object({ allocatedAmountSet: moneyBag })),
  taxLines: z.array(z.object({ rate: z.number().nullable(), priceSet: moneyBag })),
});
export type LineRecord = z.infer<typeof lineSchema>;

const refundSchema = z.object({
  id: gid('Refund'),
  createdAt: instant.nullable(),
  processedAt: instant.nullable(),
  totalRefundedSet: moneyBag,
  refundLineItems: z.array(
    z.object({
      quantity: z.number().int().nonnegative(),
      lineItem: z.object({ id: gid('LineItem'), isGiftCard: z.boolean() }),
      subtotalSet: moneyBag,
      totalTaxSet: moneyBag,
    }),
  ),
  refundShippingLines: z.array(z.object({ subtotalAmountSet: moneyBag, taxAmountSet: moneyBag })),
});
export type RefundRecord = z.infer<typeof refundSchema>;

/** What an agreement did to one line; what goes back is negative. */
const saleSchema = z.object({
  id: z.string(),
  actionType: z.string(),
  lineType: z.string(),
  quantity: z.number().int().nullable(),
  totalAmount: moneyBag,
  totalTaxAmount: moneyBag,
  lineItem: z.object({ id: gid('LineItem') }).nullish(),
});
export type SaleRecord = z.infer<typeof saleSchema>;

const agreementSchema = z.object({
  id: z.string().regex(/^gid:\/\/shopify\/\w+\/\d+$/),
  happenedAt: instant,
  sales: z.array(saleSchema),
});

export const orderRecordSchema = z.object({
  id: gid('Order'),
  name: z.string(),
  createdAt: instant,
  processedAt: instant,
  updatedAt: instant,
  cancelledAt: instant.nullable(),
  test: z.boolean(),
  edited: z.boolean(),
  displayFinancialStatus: z.string().nullable(),
  currencyCode: z.string().length(3),
  taxesIncluded: z.boolean(),
  sourceName: z.string().nullable(),
  attribution: z.object({ handle: z.string() }).nullable(),
  customer: z.object({ id: gid('Customer') }).nullable(),
  customerJourneySummary: z
    .object({ ready: z.boolean(), firstVisit: visit.nullable(), lastVisit: visit.nullable() })
    .nullable(),
  /** Written by the reader, not by Shopify: nobody waits for the attribution any longer. */
  attributionGivenUp: z.boolean(),
  totalPriceSet: moneyBag,
  totalTaxSet: moneyBag.nullable(),
  totalRefundedSet: moneyBag,
  shippingLines: z.array(
    z.object({ discountedPriceSet: moneyBag, taxLines: z.array(z.object({ priceSet: moneyBag })) }),
  ),
  lineItems: z
    .array(lineSchema)
    .refine(
      (lines) => z.int32().safeParse(lines.reduce((units, line) => units + line.quantity, 0)).success,
      'are more units than a count holds',
    ),
  refunds: z.array(refundSchema),
  /** The agreements on edits, oldest first; asked for when the order was edited. */
  edits: z.array(agreementSchema),
});
export type OrderRecord = z.infer<typeof orderRecordSchema>;
