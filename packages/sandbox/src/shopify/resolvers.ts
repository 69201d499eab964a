/** The root of the Admin API: shop, app installation, orders, one order, one refund, nodes. */
import { GraphQLError } from 'graphql';

import { connect, type PageArguments } from './connection.ts';
import { orderNode, refundNode } from './order-node.ts';
import { salesReport } from './sales-report.ts';
import { type RequestScope, requireScope } from './scope.ts';
import { parseOrderSearch } from './search.ts';
import { financialStatus, type ShopWorld, totalsOf, updatedAt, type WorldOrder } from './shop.ts';
import { supportedVersions } from './versions.ts';

/** Without the scope read_all_orders an app sees the orders of so many days, and is not told. */
const visibleDays = 60;
const dayMs = 86_400_000;

interface CountArguments {
  readonly query?: string | null;
  readonly limit?: number | null;
}

interface OrdersArguments extends PageArguments {
  readonly query?: string | null;
  readonly sortKey?: string | null;
}

/** The root value of one request; what the sandbox does not serve is refused by name. */
export function rootOf(scope: RequestScope): Record<string, unknown> {
  const { world } = scope;
  const order = (id: string): Record<string, unknown> | null => {
    const found = world.order(numberOf(id, 'Order'));
    return found === undefined || scope.isGone || !isVisible(found, scope) ? null : orderNode(found, scope);
  };
  const refuse = (name: string) => (): never => {
    throw new GraphQLError(`The sandbox does not serve ${name}.`, { extensions: { code: 'NOT_SERVED' } });
  };
  return {
    shop: shopNode(world),
    currentAppInstallation: {
      id: 'gid://shopify/AppInstallation/1',
      launchUrl: `https://${world.shop.domain}/admin/apps/floyo`,
      uninstallUrl: null,
      accessScopes: scope.scopes.map((handle) => ({ handle, description: handle.replaceAll('_', ' ') })),
    },
    publicApiVersions: supportedVersions.map((handle) => ({ handle, displayName: handle, supported: true })),
    orders: (args: OrdersArguments) => findOrders(args, scope),
    order: ({ id }: { id: string }) => {
      requireScope(scope, 'read_orders', 'order');
      return order(id);
    },
    refund: ({ id }: { id: string }) => {
      requireScope(scope, 'read_orders', 'refund');
      const found = world.refund(numberOf(id, 'Refund'));
      if (
        found === undefined ||
        scope.isGone ||
        found.refund.at > scope.now ||
        !isVisible(found.order, scope)
      )
        return null;
      return refundNode(found.order, found.refund, scope);
    },
    ordersCount: (args: CountArguments) => countOrders(args, scope),
    shopifyqlQuery: ({ query }: { query: string }) => salesReport(query, scope),
    nodes: ({ ids }: { ids: readonly string[] }) => {
      requireScope(scope, 'read_orders', 'nodes');
      return ids.map((id) => (id.startsWith('gid://shopify/Order/') ? order(id) : null));
    },
    bulkOperation: ({ id }: { id: string }) => scope.bulk.one(id, scope.bulkContext),
    bulkOperations: (args: PageArguments & { query?: string | null }) => {
      if (args.query != null) return refuse('searches for bulk operations')();
      return scope.bulk.list(args, scope.bulkContext, scope);
    },
    bulkOperationRunQuery: ({ query, groupObjects }: { query: string; groupObjects: boolean }) =>
      scope.bulk.start(query, groupObjects, scope.bulkContext),
    bulkOperationCancel: ({ id }: { id: string }) => scope.bulk.cancel(id, scope.bulkContext),
    events: refuse('events'),
  };
}

/** No more than the limit is counted, 10,000 unless told; null counts them all. */
function countOrders({ query, limit = 10_000 }: CountArguments, scope: RequestScope): unknown {
  requireScope(scope, 'read_orders', 'ordersCount');
  const count = matchingOrders('ordersCount', query ?? '', scope).length;
  return limit !== null && count > limit
    ? { count: limit, precision: 'AT_LEAST' }
    : { count, precision: 'EXACT' };
}

function matchingOrders(field: string, text: string, scope: RequestScope): readonly WorldOrder[] {
  const { world, now } = scope;
  const query = scope.isFilterIgnored ? text.replaceAll(/(\w+_at):/g, 'x$1:') : text;
  const search = parseOrderSearch(query, world.shop);
  if (search.warnings.length > 0)
    scope.searches.push({ path: [field], query: text, warnings: search.warnings });
  return world
    .candidates(search.ranges, now)
    .filter((order) => isVisible(order, scope) && search.matches(order, now));
}

function findOrders(args: OrdersArguments, scope: RequestScope): unknown {
  requireScope(scope, 'read_orders', 'orders');
  const found = matchingOrders('orders', args.query ?? '', scope);
  const valueOf = sortValue(args.sortKey ?? 'PROCESSED_AT', scope);
  return connect(
    found,
    args,
    (order) => ({ id: order.id, value: valueOf(order) }),
    (order) => orderNode(order, scope),
    scope,
  );
}

function sortValue(sortKey: string, { world, now }: RequestScope): (order: WorldOrder) => number {
  switch (sortKey) {
    case 'PROCESSED_AT':
      return (order) => order.processedAt;
    case 'CREATED_AT':
      return (order) => order.createdAt;
    case 'UPDATED_AT':
      return (order) => updatedAt(order, now);
    case 'TOTAL_PRICE':
      return (order) => totalsOf(order, world.shop, now).total;
    case 'FINANCIAL_STATUS':
      return (order) => financialStatus(order, world.shop, now).charCodeAt(0);
    case 'ID':
    case 'ORDER_NUMBER':
      return (order) => order.id;
    default:
      throw new GraphQLError(`The sandbox does not sort by ${sortKey}.`, {
        extensions: { code: 'NOT_SERVED' },
      });
  }
}

function isVisible(order: WorldOrder, { now, scopes }: RequestScope): boolean {
  if (order.createdAt > now || (order.deletedAt !== null && order.deletedAt <= now)) return false;
  return scopes.includes('read_all_orders') || order.createdAt >= now - visibleDays * dayMs;
}

function shopNode({ shop }: ShopWorld): Record<string, unknown> {
  return {
    id: 'gid://shopify/Shop/1',
    name: shop.name,
    myshopifyDomain: shop.domain,
    ianaTimezone: shop.timezone,
    currencyCode: shop.currency,
    enabledPresentmentCurrencies: [shop.currency],
    taxesIncluded: shop.taxesIncluded,
    taxShipping: shop.taxesIncluded,
    plan: {
      displayName: 'Sandbox',
      publicDisplayName: 'Sandbox',
      partnerDevelopment: true,
      shopifyPlus: false,
    },
  };
}

function numberOf(gid: string, type: string): number {
  const match = new RegExp(`^gid://shopify/${type}/(\\d+)$`).exec(gid);
  if (match === null)
    throw new GraphQLError(`Invalid id: ${gid}`, { extensions: { code: 'RESOURCE_NOT_FOUND' } });
  return Number(match[1]);
}
