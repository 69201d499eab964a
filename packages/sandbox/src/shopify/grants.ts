/**
 * Access tokens: the static one of each shop, those that the client-credentials grant hands out for a day, and expiring
 * ones with a refresh token that is good for one use.
 */
import { shopifyAccess } from './shops.ts';

const clientSeconds = 86_399;
const expiringSeconds = 3_600;
const refreshSeconds = 90 * 86_400;

export interface Granted {
  readonly token: string;
  readonly expiresIn: number;
  readonly refreshToken?: string;
  readonly refreshExpiresIn?: number;
}

export interface Grants {
  isValid(shop: string, token: string): boolean;
  /** A fresh token, or undefined when the client is not known at the shop, or its refresh token is spent. */
  grant(
    shop: string,
    client: { readonly id: string; readonly secret: string; readonly refreshToken?: string | undefined },
  ): Granted | undefined;
  /** What authorizing the app gives: a token with its refresh token. */
  issue(shop: string): Granted & { readonly refreshToken: string };
}

export function createGrants(): Grants {
  const granted = new Map<string, string>();
  const refreshable = new Map<string, string>();
  const spent = new Set<string>();

  function issue(shop: string): Granted & { readonly refreshToken: string } {
    const token = `shpat_expiring_${granted.size + 1}`;
    const refreshToken = `shprt_sandbox_${refreshable.size + 1}`;
    granted.set(token, shop);
    refreshable.set(refreshToken, shop);
    return { token, expiresIn: expiringSeconds, refreshToken, refreshExpiresIn: refreshSeconds };
  }

  return {
    isValid: (shop, token) => shopifyAccess(shop).token === token || granted.get(token) === shop,
    grant(shop, client) {
      const access = shopifyAccess(shop);
      if (access.clientId !== client.id || access.clientSecret !== client.secret) return undefined;
      const { refreshToken } = client;
      if (refreshToken === undefined) {
        const token = `shpca_sandbox_${granted.size + 1}`;
        granted.set(token, shop);
        return { token, expiresIn: clientSeconds };
      }
      const isKnown = refreshToken === access.refreshToken || refreshable.get(refreshToken) === shop;
      if (!isKnown || spent.has(refreshToken)) return undefined;
      spent.add(refreshToken);
      return issue(shop);
    },
    issue,
  };
}
