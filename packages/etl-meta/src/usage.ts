/**
 * What Meta's headers say of used limits and of waiting. They come with every answer, errors too; all of them are JSON,
 * any key may be absent or written otherwise. https://developers.facebook.com/docs/graph-api/overview/rate-limiting
 */

const MINUTE_MS = 60_000;

/** How much of the limits an answer says is used; percentages, 100 is the wall. */
export interface Usage {
  /** Of the ad account's limits, by header. */
  readonly account: ReadonlyMap<string, number>;
  /** Of the app's limits, by header. */
  readonly app: ReadonlyMap<string, number>;
  /** What Meta calls the app's access: `development_access` has the low limits. */
  readonly tier: string | undefined;
}

/** Reads all four usage headers; what can't be read is left out. */
export function readUsage(headers: Headers, accountId: string): Usage {
  const account = new Map<string, number>();
  const app = new Map<string, number>();
  const throttle = readObject(headers, 'x-fb-ads-insights-throttle');
  note(account, 'x-fb-ads-insights-throttle', [throttle['acc_id_util_pct']]);
  note(app, 'x-fb-ads-insights-throttle', [throttle['app_id_util_pct']]);
  note(app, 'x-app-usage', callShares(readObject(headers, 'x-app-usage')));
  const ofAccount = readObject(headers, 'x-ad-account-usage');
  note(account, 'x-ad-account-usage', [ofAccount['acc_id_util_pct']]);
  const cases = useCases(headers, accountId);
  // Others of the account's use cases have limits of their own, which insights do not use up.
  const ofInsights = cases.filter((entry) => entry['type'] === 'ads_insights');
  note(
    account,
    'x-business-use-case-usage',
    (ofInsights.length > 0 ? ofInsights : cases).flatMap(callShares),
  );
  const tier = [throttle, ofAccount, ...cases].map((part) => part['ads_api_access_tier']);
  return { account, app, tier: tier.find((value) => typeof value === 'string') };
}

/** How long Meta asks to wait, in milliseconds; undefined when it does not say. */
export function throttleWaitMs(headers: Headers, accountId: string): number | undefined {
  // The longest time of the account's use cases: whichever blocks, calling before it is over is in vain.
  const minutes = useCases(headers, accountId).map(
    (entry) => toNumber(entry['estimated_time_to_regain_access']) ?? 0,
  );
  const longest = Math.max(0, ...minutes);
  if (longest > 0) return longest * MINUTE_MS;
  const usage = readObject(headers, 'x-ad-account-usage');
  const seconds = toNumber(usage['reset_time_duration']) ?? 0;
  return (toNumber(usage['acc_id_util_pct']) ?? 0) >= 100 && seconds > 0 ? seconds * 1000 : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

/** The account's entries; when it has none, those of whatever the answer is about. */
function useCases(headers: Headers, accountId: string): Fields[] {
  const usage = readObject(headers, 'x-business-use-case-usage');
  const lists = accountId in usage ? [usage[accountId]] : Object.values(usage);
  return lists.flatMap((list) => (Array.isArray(list) ? list.map(toFields) : []));
}

function callShares(part: Fields): unknown[] {
  return [part['call_count'], part['total_time'], part['total_cputime']];
}

function note(percents: Map<string, number>, header: string, values: readonly unknown[]): void {
  const known = values.flatMap((value) => toNumber(value) ?? []);
  if (known.length > 0) percents.set(header, Math.max(...known));
}

function readObject(headers: Headers, name: string): Fields {
  try {
    return toFields(JSON.parse(headers.get(name) ?? ''));
  } catch {
    return {};
  }
}

/** An object under keys in small letters; anything else has none. */
function toFields(value: unknown): Fields {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toLowerCase(), inner]));
}

function toNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
