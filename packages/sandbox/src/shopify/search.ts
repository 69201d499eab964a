/**
 * Shopify's search text as far as orders are looked for: `field:op'value'` terms joined by AND or a blank.
 * A field or value that is not understood is left out with a warning, as Shopify does: the search then finds too much.
 */
import { GraphQLError } from 'graphql';

import { financialStatus, type OrderRange, updatedAt, type WorldOrder, type WorldShop } from './shop.ts';

export interface SearchWarning {
  readonly field: string;
  readonly message: string;
  readonly code: 'invalid_field' | 'invalid_value';
}

export interface OrderSearch {
  readonly matches: (order: WorldOrder, now: number) => boolean;
  readonly ranges: readonly OrderRange[];
  readonly warnings: readonly SearchWarning[];
}

interface Term {
  readonly field: string;
  readonly operator: string;
  readonly value: string;
}

type Condition = (order: WorldOrder, now: number) => boolean;

const termPattern = /(\w+):(>=|<=|>|<)?(?:'([^']*)'|"([^"]*)"|([^\s'"]+))/y;
const dateFields = ['created_at', 'processed_at', 'updated_at'] as const;

export function parseOrderSearch(text: string, shop: WorldShop): OrderSearch {
  const conditions: Condition[] = [];
  const ranges: OrderRange[] = [];
  const warnings: SearchWarning[] = [];
  for (const term of termsOf(text)) {
    const condition = conditionOf(term, shop, ranges);
    if (typeof condition === 'function') conditions.push(condition);
    else warnings.push(condition);
  }
  return {
    matches: (order, now) => conditions.every((condition) => condition(order, now)),
    ranges,
    warnings,
  };
}

function termsOf(text: string): Term[] {
  const terms: Term[] = [];
  let rest = text.trim();
  while (rest !== '') {
    termPattern.lastIndex = 0;
    const match = termPattern.exec(rest);
    if (match === null)
      throw new GraphQLError(`The sandbox does not search for: ${rest}`, {
        extensions: { code: 'BAD_REQUEST' },
      });
    const value = match[3] ?? match[4] ?? match[5] ?? '';
    terms.push({ field: match[1] ?? '', operator: match[2] ?? '=', value });
    rest = rest.slice(match[0].length).replace(/^\s+AND\s+|^\s+/, '');
  }
  return terms;
}

function conditionOf(term: Term, shop: WorldShop, ranges: OrderRange[]): Condition | SearchWarning {
  const { field, operator, value } = term;
  const dateField = dateFields.find((candidate) => candidate === field);
  if (dateField !== undefined) {
    const bound = Date.parse(value);
    if (Number.isNaN(bound)) return invalidValue(term);
    if (operator.startsWith('>')) ranges.push({ field: dateField, from: bound, to: undefined });
    if (operator.startsWith('<')) ranges.push({ field: dateField, from: undefined, to: bound });
    return (order, now) => compare(instantOf(order, dateField, now), operator, bound);
  }
  switch (field) {
    case 'id': {
      const id = Number(value);
      return Number.isInteger(id) ? (order) => compare(order.id, operator, id) : invalidValue(term);
    }
    case 'test':
      return /^(true|false)$/.test(value)
        ? (order) => order.isTest === (value === 'true')
        : invalidValue(term);
    case 'financial_status':
      return (order, now) => financialStatus(order, shop, now) === value.toUpperCase();
    default:
      return { field, message: 'Invalid search field for this query.', code: 'invalid_field' };
  }
}

function instantOf(order: WorldOrder, field: OrderRange['field'], now: number): number {
  if (field === 'updated_at') return updatedAt(order, now);
  return field === 'created_at' ? order.createdAt : order.processedAt;
}

function compare(value: number, operator: string, bound: number): boolean {
  switch (operator) {
    case '>=':
      return value >= bound;
    case '<=':
      return value <= bound;
    case '>':
      return value > bound;
    case '<':
      return value < bound;
    default:
      return value === bound;
  }
}

function invalidValue(term: Term): SearchWarning {
  return {
    field: term.field,
    message: `Input \`${term.value}\` is not an accepted value.`,
    code: 'invalid_value',
  };
}
