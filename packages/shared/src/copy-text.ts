/** Rows as the text format of Postgres' COPY. https://www.postgresql.org/docs/17/sql-copy.html#id-1.9.3.55.9.2 */

const NULL = String.raw`\N`;
const SPECIAL = /[\\\n\r\t]/g;
/** Most texts have none of these and go as they are: one look instead of four. */
const NEEDS_CARE = /[\\\n\r\t\0\ud800-\udfff]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
/** What Postgres can store in no text or jsonb: NUL, and halves of surrogate pairs. */
const UNSTORABLE_JSON = /\\u0000|\\ud[89a-f]/i;

/** One line for the given columns, its newline included. A missing value is null; an object becomes JSON. */
export function encodeRow(columns: readonly string[], row: Readonly<Record<string, unknown>>): string {
  return `${columns.map((column) => encodeValue(row[column])).join('\t')}\n`;
}

function encodeValue(value: unknown): string {
  if (typeof value === 'string') return escape(value);
  if (value === null || value === undefined) return NULL;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return value.toString();
  return escape(encodeJson(value));
}

function escape(text: string): string {
  if (!NEEDS_CARE.test(text)) return text;
  return cleanText(text).replace(SPECIAL, (character) => ESCAPES[character] ?? character);
}

/** JSON that jsonb can store: what Postgres can't is taken out of texts and keys. */
export function encodeJson(value: unknown): string {
  const json = JSON.stringify(value);
  return json.includes('\\u') && UNSTORABLE_JSON.test(json)
    ? JSON.stringify(cleanValue(JSON.parse(json)))
    : json;
}

function cleanValue(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (Array.isArray(value)) return value.map(cleanValue);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [cleanText(key), cleanValue(inner)]));
}

/** The text without NUL and with halves of surrogate pairs replaced. */
export function cleanText(text: string): string {
  return text.includes('\0') || !text.isWellFormed() ? text.replaceAll('\0', '').toWellFormed() : text;
}
