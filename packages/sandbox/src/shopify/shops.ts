/** The two seeded shops, and the credentials under which any shop of the sandbox is read. */
import type { WorldShop } from './shop.ts';

/** Enterprise and Plus by their cost buckets, so that two years are read without long pauses. */
export const seededShops: readonly WorldShop[] = [
  {
    domain: 'floyo-us.myshopify.com',
    name: 'Floyo US',
    currency: 'USD',
    timezone: 'America/New_York',
    taxesIncluded: false,
    bucket: { maximum: 40_000, restoreRate: 2_000 },
  },
  {
    domain: 'floyo-eu.myshopify.com',
    name: 'Floyo Europe',
    currency: 'EUR',
    timezone: 'Europe/Berlin',
    taxesIncluded: true,
    bucket: { maximum: 20_000, restoreRate: 1_000 },
  },
];

export interface ShopAccess {
  /** A static Admin API token. */
  readonly token: string;
  /** For the client-credentials grant. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** What authorizing the app for expiring tokens gave first. */
  readonly refreshToken: string;
}

/** What opens a shop of the sandbox; a shop from a CSV as well. */
export function shopifyAccess(domain: string): ShopAccess {
  const name = domain.replace('.myshopify.com', '');
  return {
    token: `shpat_sandbox_${name}`,
    clientId: `sandbox-client-${name}`,
    clientSecret: `shpss_sandbox_${name}`,
    refreshToken: `shprt_sandbox_${name}`,
  };
}

/** The variables that point a reader at the seeded shops, but for the base URL. */
export const shopifyEnv: Record<string, string> = {
  SHOPIFY_SHOPS: seededShops.map((shop) => shop.domain).join(','),
  SHOPIFY_ACCESS_TOKENS: seededShops.map((shop) => shopifyAccess(shop.domain).token).join(','),
};
