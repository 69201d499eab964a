/** What one request may see: the shop, the clock's now and the app's access scopes. */
import { GraphQLError } from 'graphql';

import type { BulkContext, BulkDesk } from './bulk.ts';
import type { SearchWarning } from './search.ts';
import type { ShopWorld } from './shop.ts';

export interface RequestScope {
  readonly world: ShopWorld;
  readonly now: number;
  readonly scopes: readonly string[];
  /** The fault that a filter is not understood. */
  readonly isFilterIgnored: boolean;
  /** The fault that an order is deleted between a page and the call for the rest of it. */
  readonly isGone: boolean;
  /** Whether a bulk operation asks: its connections have no pages. */
  readonly isBulk: boolean;
  /** The fault that pages hold no more nodes than this, whatever was asked for. */
  readonly mostNodes: number;
  readonly bulk: BulkDesk;
  readonly bulkContext: BulkContext;
  /** What `extensions.search` tells about the searches of this request. */
  readonly searches: { path: readonly string[]; query: string; warnings: readonly SearchWarning[] }[];
}

/** Refuses a field whose access scope the app was not given, as Shopify does. */
export function requireScope(scope: RequestScope, handle: string, field: string): void {
  if (scope.scopes.includes(handle)) return;
  const requiredAccess = `\`${handle}\` access scope.`;
  throw new GraphQLError(`Access denied for ${field} field. Required access: ${requiredAccess}`, {
    extensions: {
      code: 'ACCESS_DENIED',
      documentation: 'https://shopify.dev/api/usage/access-scopes',
      requiredAccess,
    },
  });
}
