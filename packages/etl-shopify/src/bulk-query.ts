/**
 * The query of a bulk operation. It asks for what paging asks for, but for the lists inside of lists that bulk
 * operations refuse: of refunds the ids alone. Its first line is a comment by which we know our operations again.
 * https://shopify.dev/docs/api/usage/bulk-operations/queries
 */
import type { DayWindow } from '@floyo/shared/window';

import { lineFields, orderFields, shippingLineFields } from './selections.ts';

const TAG = '# floyo-pipeline orders';

/** @param startedAt of the backfill, an instant: what tells its operations from an earlier one's */
export function bulkQuery(
  window: DayWindow,
  options: { readonly search: string; readonly withProducts: boolean; readonly startedAt: string },
): string {
  const products = options.withProducts ? 'product { id } variant { id }' : '';
  return `${TAG} ${window.from}/${window.to} of ${options.startedAt}
{
  orders(query: ${JSON.stringify(options.search)}) {
    edges { node {
      __typename ${orderFields}
      refunds { id }
      shippingLines { edges { node { __typename ${shippingLineFields} } } }
      lineItems { edges { node { __typename ${lineFields(products)} } } }
    } }
  }
}`;
}

/** Whether an operation of the app is one of ours; other processes share its slots. */
export function isOurs(query: string): boolean {
  return query.startsWith(TAG);
}
