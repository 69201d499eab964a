/** The API versions that the sandbox knows. Shopify serves a retired one as the oldest supported, silently. */
export const supportedVersions = ['2026-01', '2026-04', '2026-07', '2026-10'] as const;

/** The version that an address is served as, or undefined when it names none. */
export function servedVersion(asked: string): string | undefined {
  if (!/^\d{4}-(01|04|07|10)$/.test(asked)) return undefined;
  if (asked > supportedVersions[3]) return undefined;
  return supportedVersions.find((version) => version === asked) ?? supportedVersions[0];
}
