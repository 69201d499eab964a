/** Shops and credentials come in pairs, and everything that is wrong is told at once. */
import { describe, expect, it } from 'vitest';

import { readConfig } from '@floyo/shared/config';
import { ConfigError } from '@floyo/shared/errors';

import { API_VERSION, API_VERSION_SUPPORTED_UNTIL, config } from './config.ts';

const shops = { SHOPIFY_SHOPS: 'one.myshopify.com, Two.myshopify.com' };

function problemsOf(env: Record<string, string>): string[] {
  try {
    readConfig(config, env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ variable, message }) => `${variable}: ${message}`);
  }
}

describe('Shopify configuration', () => {
  it('is absent when nothing is set', () => {
    expect(readConfig(config, { SHOPIFY_SHOPS: '' })).toBeUndefined();
  });

  it('pairs shops with tokens in their order', () => {
    const env = {
      ...shops,
      SHOPIFY_ACCESS_TOKENS: 'a, b',
      SHOPIFY_BASE_URL: 'http://127.0.0.1:8080/shopify/',
    };
    expect(readConfig(config, env)).toEqual({
      shops: [
        { shop: 'one.myshopify.com', auth: { kind: 'token', token: 'a' } },
        { shop: 'two.myshopify.com', auth: { kind: 'token', token: 'b' } },
      ],
      apiVersion: API_VERSION,
      baseUrl: 'http://127.0.0.1:8080/shopify',
    });
  });

  it('pairs shops with clients', () => {
    const env = {
      ...shops,
      SHOPIFY_CLIENT_IDS: 'i,j',
      SHOPIFY_CLIENT_SECRETS: 's,t',
      SHOPIFY_API_VERSION: '2026-07',
    };
    expect(readConfig(config, env)).toMatchObject({
      apiVersion: '2026-07',
      shops: [
        { auth: { kind: 'client', clientId: 'i', clientSecret: 's' } },
        { auth: { kind: 'client', clientId: 'j', clientSecret: 't' } },
      ],
    });
  });

  it('pairs shops with refresh tokens, under one key', () => {
    const tokenKey = 'ab'.repeat(32);
    const env = {
      ...shops,
      SHOPIFY_CLIENT_IDS: 'i,j',
      SHOPIFY_CLIENT_SECRETS: 's,t',
      SHOPIFY_REFRESH_TOKENS: 'q,r',
      SHOPIFY_TOKEN_KEY: tokenKey,
    };
    expect(readConfig(config, env)?.shops[1]).toEqual({
      shop: 'two.myshopify.com',
      auth: { kind: 'refresh', clientId: 'j', clientSecret: 't', refreshToken: 'r', tokenKey },
    });
  });

  it.each([
    [
      'refresh tokens without a key',
      {
        ...shops,
        SHOPIFY_CLIENT_IDS: 'i,j',
        SHOPIFY_CLIENT_SECRETS: 's,t',
        SHOPIFY_REFRESH_TOKENS: 'q',
      },
      ['SHOPIFY_REFRESH_TOKENS: has 1', 'SHOPIFY_TOKEN_KEY: is not set'],
    ],
    [
      'refresh tokens beside static ones',
      { ...shops, SHOPIFY_ACCESS_TOKENS: 'a,b', SHOPIFY_REFRESH_TOKENS: 'q,r' },
      ['SHOPIFY_ACCESS_TOKENS: is set beside'],
    ],
    [
      'a key that is none',
      { ...shops, SHOPIFY_ACCESS_TOKENS: 'a,b', SHOPIFY_TOKEN_KEY: 'short' },
      ['SHOPIFY_TOKEN_KEY: is no key'],
    ],
    ['no way in', shops, ['SHOPIFY_ACCESS_TOKENS: is not set']],
    ['no shops', { SHOPIFY_ACCESS_TOKENS: 'a' }, ['SHOPIFY_SHOPS: is not set']],
    [
      'both ways in',
      { ...shops, SHOPIFY_ACCESS_TOKENS: 'a,b', SHOPIFY_CLIENT_IDS: 'c,d' },
      ['SHOPIFY_ACCESS_TOKENS: is set beside'],
    ],
    [
      'too few tokens',
      { ...shops, SHOPIFY_ACCESS_TOKENS: 'a' },
      ['SHOPIFY_ACCESS_TOKENS: has 1 where SHOPIFY_SHOPS has 2'],
    ],
    [
      'too many secrets, and no second id',
      { ...shops, SHOPIFY_CLIENT_IDS: 'c', SHOPIFY_CLIENT_SECRETS: 'd,e,f' },
      ['SHOPIFY_CLIENT_IDS: has 1', 'SHOPIFY_CLIENT_SECRETS: has 3'],
    ],
    [
      'bad names and a shop twice, told at once',
      {
        SHOPIFY_SHOPS: 'https://a.myshopify.com,shop.example.com,b.myshopify.com,b.myshopify.com',
        SHOPIFY_ACCESS_TOKENS: 'a,b,c,d',
      },
      [
        "SHOPIFY_SHOPS: 'https://a.myshopify.com' is no shop",
        "SHOPIFY_SHOPS: 'shop.example.com' is no shop",
        'SHOPIFY_SHOPS: b.myshopify.com is there more than once',
      ],
    ],
    [
      'a version and an address that are none',
      { ...shops, SHOPIFY_ACCESS_TOKENS: 'a,b', SHOPIFY_API_VERSION: '2026-11', SHOPIFY_BASE_URL: 'ftp://x' },
      ['SHOPIFY_API_VERSION: is no Admin API version', 'SHOPIFY_BASE_URL: is no http(s) address'],
    ],
  ])('refuses %s', (_name, env, expected) => {
    const problems = problemsOf(env);
    expect(problems).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(problems[index]).toContain(text);
  });

  it('never shows a credential in a problem', () => {
    expect(problemsOf({ ...shops, SHOPIFY_ACCESS_TOKENS: 'shpat_secret' }).join()).not.toContain(
      'shpat_secret',
    );
  });

  it('pins an API version that Shopify still supports', () => {
    // Fails when the version has run out: move queries.ts to a newer one and set both constants.
    expect(new Date().toISOString() < API_VERSION_SUPPORTED_UNTIL).toBe(true);
  });
});
