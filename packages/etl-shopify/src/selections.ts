/**
 * What is asked of orders, lines and refunds, whatever the way they are read. No personal data: no name, address, e-mail,
 * phone; of the customer the id alone. Only shop money is read.
 */

export const money = '{ shopMoney { amount currencyCode } }';
const visit = '{ landingPage utmParameters { source medium campaign } }';

/** What an order tells of itself; its lists come beside. */
export const orderFields = `id name createdAt processedAt updatedAt cancelledAt test edited displayFinancialStatus
      currencyCode taxesIncluded sourceName subtotalLineItemsQuantity
      attribution { handle }
      customer { id }
      customerJourneySummary { ready firstVisit ${visit} lastVisit ${visit} }
      totalPriceSet ${money} totalTaxSet ${money} totalRefundedSet ${money}`;

/** @param products the fields that need the scope read_products, as the document may ask for them */
export const lineFields = (
  products: string,
): string => `id sku title quantity currentQuantity isGiftCard ${products}
      originalTotalSet ${money}
      discountAllocations { allocatedAmountSet ${money} }
      taxLines { rate priceSet ${money} }`;

export const shippingLineFields = `id discountedPriceSet ${money} taxLines { priceSet ${money} }`;
export const refundLineFields = `id quantity lineItem { id isGiftCard } subtotalSet ${money} totalTaxSet ${money}`;
export const refundShippingFields = `id subtotalAmountSet ${money} taxAmountSet ${money}`;
export const saleFields = `id actionType lineType quantity totalAmount ${money} totalTaxAmount ${money}
      ... on ProductSale { lineItem { id } }`;
