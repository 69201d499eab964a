/**
 * The table of Meta's error codes: what each means for us. Only code and subcode decide, never the HTTP status:
 * throttles come as 400 and 403, and errors also with 200.
 * https://developers.facebook.com/docs/marketing-api/error-reference
 */

/** What is to be done about an error. */
export type Action =
  | 'retry'
  | 'not_ready'
  | 'throttle'
  | 'app_throttle'
  | 'page'
  | 'timeout'
  | 'split'
  | 'retry_then_split'
  | 'auth'
  | 'invisible'
  | 'permission'
  | 'policy'
  | 'config';

export interface Meaning {
  readonly action: Action;
  readonly reason: string;
}

// Keys: `code/subcode`, `*/subcode` whatever the code, or the code alone; the first that fits counts.
const MEANINGS: Readonly<Record<string, Meaning>> = {
  '1': { action: 'retry', reason: 'Meta had an unknown error' },
  '2': { action: 'retry', reason: "Meta's service is not available for a moment" },
  '2/1504043': { action: 'retry_then_split', reason: "Meta's report failed for a moment" },
  '2/1504044': { action: 'retry_then_split', reason: "Meta's report failed for an unknown reason" },
  '-2/2490547': { action: 'retry_then_split', reason: "Meta's report failed" },
  '2637': { action: 'not_ready', reason: "Meta's report is not ready yet" },
  '*/1815107': { action: 'not_ready', reason: "Meta's report is not ready yet" },
  '100/1487534': { action: 'split', reason: 'one call asks for more data than Meta gives' },
  '100/1504018': { action: 'timeout', reason: "Meta's answer took too long" },
  '2/1504038': { action: 'timeout', reason: "Meta's answer took too long" },
  '-3/1504045': { action: 'split', reason: 'the report is too large for Meta' },
  '4': { action: 'app_throttle', reason: "the app's limit of calls is reached" },
  '4/1504022': { action: 'app_throttle', reason: "the app's limit of insights calls is reached" },
  '4/1504039': { action: 'app_throttle', reason: 'Meta limits all insights calls for now' },
  '17': { action: 'throttle', reason: "the user's limit of calls is reached" },
  '32': { action: 'throttle', reason: "the page's limit of calls is reached" },
  '341': { action: 'throttle', reason: "the app's limit is reached for now" },
  '613': { action: 'throttle', reason: 'calls come faster than Meta allows' },
  '613/1996': { action: 'throttle', reason: 'the number of calls jumps about too much for Meta' },
  '102': { action: 'auth', reason: 'the session of the access token has ended' },
  '104': { action: 'auth', reason: 'Meta got no access token' },
  '190': { action: 'auth', reason: 'the access token is not valid' },
  '190/458': { action: 'auth', reason: 'the app was removed by the user of the access token' },
  '190/459': { action: 'auth', reason: 'the user of the access token has to log in at facebook.com first' },
  '190/460': { action: 'auth', reason: 'the user of the access token has changed the password' },
  '190/463': { action: 'auth', reason: 'the access token has expired' },
  '190/464': { action: 'auth', reason: 'the user of the access token is not confirmed' },
  '190/467': { action: 'auth', reason: 'the access token was ended by a logout or a changed password' },
  '3': { action: 'permission', reason: 'the app may not make this call' },
  '10': { action: 'permission', reason: 'the app does not have the permission ads_read' },
  '100/33': { action: 'invisible', reason: 'the ad account does not exist or the token may not see it' },
  '100/3191001': { action: 'permission', reason: 'the token may not read this ad account' },
  '368': { action: 'policy', reason: 'Meta has blocked the action for breaking its policies' },
  '2/1504041': { action: 'config', reason: 'the breakdowns asked for do not fit together' },
  '2/1504042': { action: 'config', reason: 'a metric asked for is not valid' },
  '100': { action: 'config', reason: 'Meta refuses a parameter' },
  '105': { action: 'config', reason: 'too many parameters' },
  '2500': { action: 'config', reason: 'Meta does not understand the address or query' },
  '3001': { action: 'config', reason: 'Meta refuses the query' },
  '3018': {
    action: 'config',
    reason: 'the days asked for begin more than 37 months ago, which Meta does not keep',
  },
};

const ACCOUNT_LIMIT: Meaning = { action: 'throttle', reason: "the ad account's limit of calls is reached" };
const PERMISSION: Meaning = { action: 'permission', reason: 'the ad account has not granted the permission' };

/** Meta gives these no subcode of their own: its text is the only sign. */
const BY_TEXT: readonly (readonly [code: number, text: RegExp, meaning: Meaning])[] = [
  [
    1,
    /reduce the amount of data/i,
    { action: 'page', reason: 'one page asks for more data than Meta gives' },
  ],
  [
    100,
    /after cursor.*exceeds the max limit/i,
    { action: 'split', reason: 'the result has more pages than Meta gives' },
  ],
  // A defect of Meta's, seen on the results of reports: the same request succeeds a little later.
  [
    100,
    /cannot include .* in summary param/i,
    { action: 'not_ready', reason: "Meta's report does not know its own columns yet" },
  ],
];

/** What Meta answers with in place of data. */
export interface MetaError {
  readonly message: string;
  readonly code: number;
  readonly error_subcode?: number | undefined;
}

/** The meaning of an error, or undefined for a code that nobody knows. */
export function meaningOf({ code, error_subcode: subcode, message }: MetaError): Meaning | undefined {
  const byText = BY_TEXT.find(([known, text]) => known === code && text.test(message));
  if (byText !== undefined) return byText[2];
  const exact =
    subcode === undefined ? undefined : (MEANINGS[`${code}/${subcode}`] ?? MEANINGS[`*/${subcode}`]);
  const found = exact ?? MEANINGS[`${code}`];
  if (found !== undefined) return found;
  if (code >= 80_000 && code <= 80_014) return ACCOUNT_LIMIT;
  return code >= 200 && code <= 299 ? PERMISSION : undefined;
}
