/**
 * Takes secrets out of anything that is about to leave the process: the values of the configured secrets wherever they
 * stand, what looks like a credential in a URL or header, and values under telling keys at any depth.
 */

const MASK = '[redacted]';
const SECRET_KEY = /token|secret|password|authorization|api[_-]?key|access[_-]?key|signature|cookie/i;
/** Named so by us and no secret in spite of the word. */
const HARMLESS_KEY = /^(next_page_token|page_token)$/i;
const IN_TEXT: readonly [RegExp, string][] = [
  [
    /((?:access_token|appsecret_proof|client_secret|refresh_token|api_key|token|secret|password|signature|sig)=)[^&\s"'\\]+/gi,
    `$1${MASK}`,
  ],
  [
    /("(?:[\w-]*(?:token|secret|password|signature|api_?key)|authorization|cookie)"\s*:\s*")[^"]+/gi,
    `$1${MASK}`,
  ],
  [/(\b(?:[\w-]*access-token|api-key)\s*:\s*)[^\s"',]+/gi, `$1${MASK}`],
  [/(bearer\s+)[\w.~+/=-]+/gi, `$1${MASK}`],
  [/(basic\s+)[A-Za-z0-9+/]{16,}=*/gi, `$1${MASK}`],
  [/((?:postgres|postgresql|https?):\/\/[^:/?#\s"'@]*:)[^@\s"']+@/gi, `$1${MASK}@`],
  [
    /\b(?:shpat|shpca|shpss|shppa|shprt|shpua|sk_live|sk_test|rk_live|rk_test|whsec|phx|phc)_[\w-]{6,}/g,
    MASK,
  ],
];

function hasToJson(value: object): value is { toJSON: () => unknown } {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}

export interface Redactor {
  /** A text without secrets. */
  text(value: string): string;
  /** A JSON-like value without secrets, as a copy. */
  value<T>(value: T): T;
}

/** Short "secrets" are left out: masking every `a` would hide everything and protect nothing. */
const MIN_SECRET_LENGTH = 6;

/** Makes a redactor that also knows the given secret values. */
export function createRedactor(secrets: readonly string[]): Redactor {
  const known = [...new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]))]
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length);

  function text(value: string): string {
    let result = value;
    for (const secret of known) result = result.replaceAll(secret, MASK);
    for (const [pattern, replacement] of IN_TEXT) result = result.replace(pattern, replacement);
    return result;
  }

  /** `secret` when the value stands under a telling key; `above` holds what it stands in, against circles. */
  function walk(value: unknown, secret: boolean, above: readonly object[]): unknown {
    if (typeof value === 'string') return secret ? MASK : text(value);
    if (typeof value === 'bigint') return value.toString();
    if (value === null || typeof value !== 'object') return value;
    if (above.includes(value)) return '[circular]';
    const path = [...above, value];
    if (Array.isArray(value)) return value.map((inner) => walk(inner, secret, path));
    if (hasToJson(value)) return walk(value.toJSON(), secret, path);
    const own = Object.entries(value);
    if (value instanceof Error)
      own.unshift(['name', value.name], ['message', value.message], ['cause', value.cause]);
    return Object.fromEntries(
      own.map(([key, inner]: [string, unknown]) => [
        text(key),
        walk(inner, secret || (SECRET_KEY.test(key) && !HARMLESS_KEY.test(key)), path),
      ]),
    );
  }

  return { text, value: <T>(value: T) => walk(value, false, []) as T };
}
