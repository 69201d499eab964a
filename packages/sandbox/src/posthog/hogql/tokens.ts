/** HogQL text as tokens. */
import { badQuery } from '../errors.ts';

export interface Token {
  readonly kind: 'name' | 'number' | 'text' | 'placeholder' | 'mark' | 'end';
  readonly text: string;
}

const PATTERN =
  /\s+|(?<name>[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)?)|(?<number>\d+)|'(?<text>(?:[^'\\]|\\.|'')*)'|\{(?<placeholder>\w+)\}|(?<mark><=|>=|!=|[=<>(),[\]])/gy;

export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of query.matchAll(PATTERN)) {
    end = match.index + match[0].length;
    const { name, number, text, placeholder, mark } = match.groups ?? {};
    if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (text !== undefined)
      tokens.push({ kind: 'text', text: text.replaceAll("''", "'").replaceAll(/\\(.)/g, '$1') });
    else if (placeholder !== undefined) tokens.push({ kind: 'placeholder', text: placeholder });
    else if (mark !== undefined) tokens.push({ kind: 'mark', text: mark });
  }
  if (end !== query.length) throw badQuery(`Syntax error at position ${end}: ${query.slice(end, end + 20)}`);
  return tokens;
}
