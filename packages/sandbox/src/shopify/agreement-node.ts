/**
 * An order's sales agreements as GraphQL objects: what was agreed when it was placed, edited and refunded, with a sale
 * for every line that it touched. What goes back is negative.
 */
import { connect, type PageArguments, type PageLimits } from './connection.ts';
import {
  editsBy,
  refundsBy,
  type Units,
  type WorldLine,
  type WorldOrder,
  type WorldRefundLine,
} from './shop.ts';

type GraphObject = Record<string, unknown>;

interface Teller {
  readonly now: number;
  readonly taxesIncluded: boolean;
  readonly limits: PageLimits;
  readonly bag: (units: Units) => unknown;
  readonly line: (line: WorldLine) => unknown;
  readonly timeText: (ms: number) => string;
}

interface Agreement {
  readonly type: 'OrderAgreement' | 'OrderEditAgreement' | 'RefundAgreement';
  readonly id: number;
  readonly reason: 'ORDER' | 'ORDER_EDIT' | 'REFUND';
  readonly at: number;
  readonly sales: readonly GraphObject[];
}

export function agreementsOf(order: WorldOrder, args: PageArguments, teller: Teller): unknown {
  const goods = (line: WorldRefundLine): GraphObject => saleNode(line, -1, teller);
  const agreements: Agreement[] = [
    {
      type: 'OrderAgreement',
      id: order.id * 100,
      reason: 'ORDER',
      at: order.createdAt,
      sales: order.lines.map((line) => {
        const subtotal = line.unitPrice * line.quantity - line.discount;
        return saleNode({ id: line.id, line, quantity: line.quantity, subtotal, tax: line.tax }, 1, teller);
      }),
    },
    ...editsBy(order, teller.now).map((edit): Agreement => ({
      type: 'OrderEditAgreement',
      id: edit.id,
      reason: 'ORDER_EDIT',
      at: edit.at,
      sales: edit.lines.map(goods),
    })),
    ...refundsBy(order, teller.now).map((refund, index): Agreement => ({
      type: 'RefundAgreement',
      id: order.id * 100 + 50 + index,
      reason: 'REFUND',
      at: refund.at,
      sales: refund.lines.map(goods),
    })),
  ];
  return connect(
    agreements,
    args,
    (agreement) => ({ id: agreement.id, value: agreement.at }),
    (agreement) => ({
      __typename: agreement.type,
      id: `gid://shopify/SalesAgreement/${agreement.id}`,
      reason: agreement.reason,
      happenedAt: teller.timeText(agreement.at),
      sales: (saleArgs: PageArguments) =>
        connect(
          agreement.sales.map((sale, index) => ({ sale, index })),
          saleArgs,
          ({ index }) => ({ id: index, value: index }),
          ({ sale }) => sale,
          teller.limits,
        ),
    }),
    teller.limits,
  );
}

function saleNode(sold: WorldRefundLine, sign: 1 | -1, teller: Teller): GraphObject {
  const taxOnTop = teller.taxesIncluded ? 0 : sold.tax;
  return {
    __typename: 'ProductSale',
    id: `gid://shopify/Sale/${sold.id}`,
    actionType: sign === 1 ? 'ORDER' : 'RETURN',
    lineType: sold.line.isGiftCard ? 'GIFT_CARD' : 'PRODUCT',
    quantity: sign * sold.quantity,
    totalAmount: () => teller.bag(sign * (sold.subtotal + taxOnTop)),
    totalTaxAmount: () => teller.bag(sign * sold.tax),
    totalDiscountAmountBeforeTaxes: () => teller.bag(0),
    totalDiscountAmountAfterTaxes: () => teller.bag(0),
    lineItem: () => teller.line(sold.line),
  };
}
