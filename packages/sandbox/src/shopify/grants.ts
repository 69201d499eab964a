/** Access tokens: the static one of each shop, and those that the client-credentials grant hands out for a day. */
import { shopifyAccess } from './shops.ts';

const grantSeconds = 86_399;

export interface Grants {
  isValid(shop: string, token: string): boolean;
  /** A fresh token, or undefined when the client is not known at the shop. */
  grant(
    shop: string,
    clientId: string,
    clientSecret: string,
  ): { token: string; expiresIn: number } | undefined;
}

export function createGrants(): Grants {
  const granted = new Map<string, string>();
  return {
    isValid: (shop, token) => shopifyAccess(shop).token === token || granted.get(token) === shop,
    grant(shop, clientId, clientSecret) {
      const access = shopifyAccess(shop);
      if (access.clientId !== clientId || access.clientSecret !== clientSecret) return undefined;
      const token = `shpca_sandbox_${granted.size + 1}`;
      granted.set(token, shop);
      return { token, expiresIn: grantSeconds };
    },
  };
}
