import { expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';

import { tiktokConfig } from './config.ts';

const SET = {
  TIKTOK_ACCESS_TOKEN: 'token-1',
  TIKTOK_ADVERTISER_IDS: '7012345678901234561, 7098765432109876503',
};

test('defaults are filled in', () => {
  expect(tiktokConfig.read(SET)).toEqual({
    config: {
      accessToken: 'token-1',
      advertiserIds: ['7012345678901234561', '7098765432109876503'],
      conversionMetric: 'complete_payment',
      valueMetric: 'total_complete_payment_rate',
      baseUrl: 'https://business-api.tiktok.com',
    },
    problems: [],
  });
});

test('without any variable the source is not configured; half set it is wrong', () => {
  expect(tiktokConfig.read({})).toEqual({ config: undefined, problems: [] });
  expect(tiktokConfig.read({ TIKTOK_ADVERTISER_IDS: '7' }).problems).toEqual([
    { variable: 'TIKTOK_ACCESS_TOKEN', message: containing('is not set') },
  ]);
});

test.each([
  ['TIKTOK_ADVERTISER_IDS', '7,7', '7: named twice'],
  ['TIKTOK_ADVERTISER_IDS', '7,act_8', 'act_8: an advertiser id is a number'],
  ['TIKTOK_ACCESS_TOKEN', 'Bearer token-1', 'without "Bearer"'],
  ['TIKTOK_CONVERSION_METRIC', 'complete_payment,purchase', 'must be the name of one metric'],
  ['TIKTOK_VALUE_METRIC', 'Total', 'must be the name of one metric'],
  ['TIKTOK_BASE_URL', 'business-api.tiktok.com', 'must be a URL'],
])('%s=%j is refused', (variable, value, message) => {
  const { problems } = tiktokConfig.read({ ...SET, [variable]: value });
  expect(problems).toEqual([{ variable, message: containing(message) }]);
});
