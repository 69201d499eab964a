/**
 * The three ways into a shop: a static access token, the client-credentials grant (apps of one's own organisation), or an
 * expiring token that is refreshed (the only one for new public apps). One way for all shops, lists in their order.
 */
import type { ConfigProblem } from '@floyo/shared/errors';

/** How one shop lets us in. */
export type ShopAuth =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'client'; readonly clientId: string; readonly clientSecret: string }
  | {
      readonly kind: 'refresh';
      readonly clientId: string;
      readonly clientSecret: string;
      /** The one that authorizing the app gave. Shopify replaces it with every use. */
      readonly refreshToken: string;
      /** 32 bytes as hexadecimal digits. */
      readonly tokenKey: string;
    };

export interface AuthLists {
  readonly tokens: readonly string[];
  readonly clientIds: readonly string[];
  readonly clientSecrets: readonly string[];
  readonly refreshTokens: readonly string[];
  readonly tokenKey: string | undefined;
}

interface Auths {
  readonly auths: readonly ShopAuth[];
  readonly problems: readonly ConfigProblem[];
}

/** The way into each shop, or everything that is wrong with the lists. */
export function readAuth(shops: readonly string[], lists: AuthLists): Auths {
  const { tokens, clientIds, clientSecrets, refreshTokens, tokenKey } = lists;
  const hasClients = clientIds.length > 0 || clientSecrets.length > 0;
  const hasRefresh = refreshTokens.length > 0 || tokenKey !== undefined;
  if (tokens.length > 0 && (hasClients || hasRefresh))
    return refuse({
      variable: 'SHOPIFY_ACCESS_TOKENS',
      message:
        'is set beside SHOPIFY_CLIENT_IDS, SHOPIFY_CLIENT_SECRETS or SHOPIFY_REFRESH_TOKENS: keep one of the ways in',
    });
  if (tokens.length === 0 && !hasClients && !hasRefresh)
    return refuse({
      variable: 'SHOPIFY_ACCESS_TOKENS',
      message: 'is not set (a token for each shop; or set SHOPIFY_CLIENT_IDS and SHOPIFY_CLIENT_SECRETS)',
    });
  if (tokens.length > 0)
    return pair(shops, { SHOPIFY_ACCESS_TOKENS: tokens }, (index) => ({
      kind: 'token',
      token: tokens[index] ?? '',
    }));
  const clients = { SHOPIFY_CLIENT_IDS: clientIds, SHOPIFY_CLIENT_SECRETS: clientSecrets };
  const client = (index: number): { clientId: string; clientSecret: string } => ({
    clientId: clientIds[index] ?? '',
    clientSecret: clientSecrets[index] ?? '',
  });
  if (!hasRefresh) return pair(shops, clients, (index) => ({ kind: 'client', ...client(index) }));
  const paired = pair(shops, { ...clients, SHOPIFY_REFRESH_TOKENS: refreshTokens }, (index) => ({
    kind: 'refresh',
    ...client(index),
    refreshToken: refreshTokens[index] ?? '',
    tokenKey: tokenKey ?? '',
  }));
  if (tokenKey !== undefined) return paired;
  return refuse(...paired.problems, {
    variable: 'SHOPIFY_TOKEN_KEY',
    message: 'is not set: the refresh tokens that Shopify gives in exchange are stored under this key',
  });
}

function pair(
  shops: readonly string[],
  lists: Readonly<Record<string, readonly string[]>>,
  authOf: (index: number) => ShopAuth,
): Auths {
  const problems = Object.entries(lists)
    .filter(([, entries]) => entries.length !== shops.length)
    .map(([variable, entries]) => ({
      variable,
      message: `has ${entries.length} where SHOPIFY_SHOPS has ${shops.length}: it needs one for each shop, in the same order`,
    }));
  return problems.length > 0
    ? refuse(...problems)
    : { auths: shops.map((_, index) => authOf(index)), problems: [] };
}

function refuse(...problems: ConfigProblem[]): Auths {
  return { auths: [], problems };
}
