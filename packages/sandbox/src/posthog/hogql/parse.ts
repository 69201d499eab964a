/** The part of HogQL that a reader of events needs, as a tree: one select over `events`. Anything else is a syntax error. */
import { badQuery } from '../errors.ts';
import { type Token, tokenize } from './tokens.ts';

export type Expression =
  | { readonly kind: 'constant'; readonly value: string | number | readonly string[] }
  | { readonly kind: 'column'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'tuple' | 'array'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Expression;
      readonly right: Expression;
    };

export interface SelectItem {
  readonly expression: Expression;
  /** The alias, or how the expression is written. */
  readonly name: string;
}

export interface Select {
  readonly items: readonly SelectItem[];
  readonly fromEvents: boolean;
  readonly where: Expression | undefined;
  readonly groupBy: readonly Expression[];
  readonly orderBy: readonly { readonly expression: Expression; readonly descending: boolean }[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
}

export type Values = Readonly<Record<string, string | number | readonly string[]>>;

/** Parses a query; `{name}` stands for a value. Throws what PostHog answers to a query that it can't read. */
export function parseSelect(text: string, values: Values): Select {
  const tokens = tokenize(text);
  let at = 0;

  const peek = (): Token => tokens[at] ?? { kind: 'end', text: '' };
  const isWord = (word: string): boolean => peek().kind === 'name' && peek().text.toUpperCase() === word;
  const isMark = (mark: string): boolean => peek().kind === 'mark' && peek().text === mark;
  const fail = (): never => {
    throw badQuery(`Syntax error at ${peek().text || 'the end of the query'}`);
  };
  const takeWord = (word: string): boolean => (isWord(word) ? ((at += 1), true) : false);
  const takeMark = (mark: string): boolean => (isMark(mark) ? ((at += 1), true) : false);
  const expectMark = (mark: string): void => {
    if (!takeMark(mark)) fail();
  };
  const expectWord = (word: string): void => {
    if (!takeWord(word)) fail();
  };

  function list<T>(one: () => T, end?: string): T[] {
    const items: T[] = [];
    if (end !== undefined && isMark(end)) return items;
    do items.push(one());
    while (takeMark(','));
    return items;
  }

  function parseOr(): Expression {
    let left = parseAnd();
    while (takeWord('OR')) left = { kind: 'binary', operator: 'OR', left, right: parseAnd() };
    return left;
  }

  function parseAnd(): Expression {
    let left = parseComparison();
    while (takeWord('AND')) left = { kind: 'binary', operator: 'AND', left, right: parseComparison() };
    return left;
  }

  function parseComparison(): Expression {
    const left = parsePrimary();
    for (const operator of ['=', '!=', '<=', '>=', '<', '>'])
      if (takeMark(operator)) return { kind: 'binary', operator, left, right: parsePrimary() };
    for (const operator of ['IN', 'LIKE'])
      if (takeWord(operator)) return { kind: 'binary', operator, left, right: parsePrimary() };
    return left;
  }

  function parsePrimary(): Expression {
    const token = peek();
    at += 1;
    switch (token.kind) {
      case 'number':
        return { kind: 'constant', value: Number(token.text) };
      case 'text':
        return { kind: 'constant', value: token.text };
      case 'placeholder': {
        const value = values[token.text];
        if (value === undefined)
          throw badQuery(`Placeholder {${token.text}} is not available in this context`);
        return { kind: 'constant', value };
      }
      case 'name':
        if (!takeMark('(')) return { kind: 'column', name: token.text };
        return { kind: 'call', name: token.text, args: closed(')') };
      case 'mark':
        if (token.text === '[') return { kind: 'array', items: closed(']') };
        if (token.text === '(') {
          const items = closed(')');
          const [only] = items;
          return items.length === 1 && only !== undefined ? only : { kind: 'tuple', items };
        }
        at -= 1;
        return fail();
      case 'end':
        at -= 1;
        return fail();
    }
  }

  function closed(end: string): Expression[] {
    const items = list(parseOr, end);
    expectMark(end);
    return items;
  }

  function parseItem(): SelectItem {
    const begin = at;
    const expression = parseOr();
    const written = tokens
      .slice(begin, at)
      .map((token) => token.text)
      .join('');
    if (!takeWord('AS')) return { expression, name: written };
    const alias = peek();
    if (alias.kind !== 'name') fail();
    at += 1;
    return { expression, name: alias.text };
  }

  function parseNumber(): number {
    const token = peek();
    if (token.kind !== 'number') fail();
    at += 1;
    return Number(token.text);
  }

  expectWord('SELECT');
  const items = list(parseItem);
  const fromEvents = takeWord('FROM');
  if (fromEvents && !takeWord('EVENTS')) throw badQuery(`Unknown table \`${peek().text}\`.`);
  const where = takeWord('WHERE') ? parseOr() : undefined;
  const by = (word: string): boolean => (takeWord(word) ? (expectWord('BY'), true) : false);
  const groupBy = by('GROUP') ? list(parseOr) : [];
  const orderBy = by('ORDER')
    ? list(() => {
        const expression = parseOr();
        const descending = takeWord('DESC');
        if (!descending) takeWord('ASC');
        return { expression, descending };
      })
    : [];
  const limit = takeWord('LIMIT') ? parseNumber() : undefined;
  const offset = takeWord('OFFSET') ? parseNumber() : undefined;
  if (peek().kind !== 'end') fail();
  return { items, fromEvents, where, groupBy, orderBy, limit, offset };
}
