/** The search text of orders. */
import { expect, it } from 'vitest';

import { parseOrderSearch } from './search.ts';
import type { WorldOrder, WorldShop } from './shop.ts';

const shop: WorldShop = {
  domain: 'x.myshopify.com',
  name: 'x',
  currency: 'EUR',
  timezone: 'UTC',
  taxesIncluded: false,
  bucket: { maximum: 1, restoreRate: 1 },
};
const at = Date.parse('2026-11-10T12:00:00Z');
const order: WorldOrder = {
  id: 42,
  name: '#42',
  createdAt: at,
  processedAt: at,
  paidAt: at,
  fulfilledAt: at + 86_400_000,
  cancelledAt: null,
  isVoided: false,
  isTest: false,
  customerId: null,
  presentment: { currency: 'EUR', rate: 1 },
  sourceName: 'web',
  channel: { handle: 'web', displayName: 'Web' },
  visit: null,
  discountCode: null,
  lines: [],
  shipping: [],
  refunds: [],
  edits: [],
  attributedAt: 0,
  deletedAt: null,
};
const now = Date.parse('2026-11-20T00:00:00Z');

it.each([
  ['', true],
  ["created_at:>='2026-11-10T12:00:00Z'", true],
  ["created_at:>'2026-11-10T12:00:00Z'", false],
  ["created_at:<'2026-11-10T12:00:00Z'", false],
  ["updated_at:>='2026-11-11T12:00:00Z' AND updated_at:<'2026-11-12'", true],
  ['id:>=42 test:false', true],
  ['id:41', false],
  ['test:true', false],
  ['financial_status:paid', true],
  ['financial_status:refunded', false],
])('understands %s', (text, isFound) => {
  const search = parseOrderSearch(text, shop);
  expect(search.warnings).toEqual([]);
  expect(search.matches(order, now)).toBe(isFound);
});

it('leaves out what it does not understand and warns of it', () => {
  const search = parseOrderSearch("colour:red AND created_at:'soon' AND id:42", shop);
  expect(search.matches(order, now)).toBe(true);
  expect(search.warnings.map(({ field, code }) => [field, code])).toEqual([
    ['colour', 'invalid_field'],
    ['created_at', 'invalid_value'],
  ]);
});

it('refuses connectives that it does not serve', () => {
  expect(() => parseOrderSearch('(id:1 OR id:2)', shop)).toThrow('does not search for');
});
