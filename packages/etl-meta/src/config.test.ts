import { expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';

import { metaConfig } from './config.ts';

const SET = { META_ACCESS_TOKEN: 'EAAtoken', META_AD_ACCOUNT_IDS: 'act_123, 456' };

test('defaults are filled in and act_ is taken off', () => {
  expect(metaConfig.read(SET)).toEqual({
    config: {
      accessToken: 'EAAtoken',
      accountIds: ['123', '456'],
      apiVersion: 'v26.0',
      conversionAction: 'purchase',
      baseUrl: 'https://graph.facebook.com',
    },
    problems: [],
  });
});

test('without any variable the source is not configured', () => {
  expect(metaConfig.read({ META_ACCESS_TOKEN: '' })).toEqual({ config: undefined, problems: [] });
});

test('half set is a problem that says what is missing', () => {
  expect(metaConfig.read({ META_ACCESS_TOKEN: 'EAAtoken' }).problems).toEqual([
    { variable: 'META_AD_ACCOUNT_IDS', message: containing('is not set') },
  ]);
});

test.each([
  ['META_AD_ACCOUNT_IDS', 'act_123,123', '123: named twice'],
  ['META_AD_ACCOUNT_IDS', 'act_123,shop', 'shop: an ad account is a number'],
  ['META_AD_ACCOUNT_IDS', ',', 'names no ad account'],
  ['META_ACCESS_TOKEN', 'Bearer EAAtoken', 'without "Bearer"'],
  ['META_API_VERSION', '26', 'must look like v26.0'],
  ['META_CONVERSION_ACTION', 'purchase,lead', 'must be one action type'],
  ['META_BASE_URL', 'graph.facebook.com', 'must be a URL'],
])('%s=%j is refused', (variable, value, message) => {
  const { problems } = metaConfig.read({ ...SET, [variable]: value });
  expect(problems).toEqual([{ variable, message: containing(message) }]);
});

test('all problems are told at once', () => {
  const { problems } = metaConfig.read({ META_API_VERSION: 'x', META_BASE_URL: 'y' });
  expect(problems.map(({ variable }) => variable).sort()).toEqual([
    'META_ACCESS_TOKEN',
    'META_AD_ACCOUNT_IDS',
    'META_API_VERSION',
    'META_BASE_URL',
  ]);
});
