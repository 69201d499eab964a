import { describe, expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';
import { collect, createTestIo, startTestVendor } from '@floyo/shared/testing/vendor';

import { createTikTokClient } from '../client.ts';
import { report, reportParameters, reportSchema, type TikTokSession } from './report.ts';

const config = {
  accessToken: 'token',
  advertiserIds: ['7012345678901234561'],
  conversionMetric: 'complete_payment',
  valueMetric: 'total_complete_payment_rate',
  baseUrl: 'http://127.0.0.1:1',
};
const session: TikTokSession = {
  id: '7012345678901234561',
  timezone: 'America/Los_Angeles',
  offsetTimezone: 'Etc/GMT+8',
  status: 'STATUS_ENABLE',
  currency: 'USD',
  conversionMetric: config.conversionMetric,
  valueMetric: config.valueMetric,
  client: createTikTokClient(config),
};
const dimensions = { ad_id_v2: '1801000000000000303', stat_time_day: '2026-11-20 00:00:00' };
const metrics = {
  spend: '23.40',
  impressions: '4711',
  clicks: '58',
  reach: '4003',
  campaign_id: '1801000000000000101',
  campaign_name: 'Autumn',
  adgroup_id: '1801000000000000202',
  adgroup_name: 'Lookalikes / 1',
  ad_name: 'Video #3',
  complete_payment: '2',
  total_complete_payment_rate: '119.90',
  conversion: '2',
  real_time_conversion: '3',
  objective_type: 'Website conversions',
  campaign_automation_type: 'UPGRADED_SMART_PLUS',
};

function map(changes: Record<string, unknown> = {}, options: Partial<TikTokSession> = {}) {
  const parsed = reportSchema.parse({ dimensions, metrics: { ...metrics, ...changes } });
  const [row] =
    report.toRows(parsed, { ...session, ...options }, { timezone: 'UTC', currency: 'EUR' }).spend ?? [];
  if (row === undefined) throw new Error('no row');
  return row;
}

describe('a record becomes a row', () => {
  test('with its numbers as the vendor wrote them and its day without a time', () => {
    expect(map()).toEqual({
      external_id: 'tiktok:1801000000000000303',
      date: '2026-11-20',
      source: 'tiktok',
      account_id: '7012345678901234561',
      account_timezone: 'America/Los_Angeles',
      campaign_id: '1801000000000000101',
      campaign_name: 'Autumn',
      ad_group_id: '1801000000000000202',
      ad_group_name: 'Lookalikes / 1',
      ad_id: '1801000000000000303',
      ad_name: 'Video #3',
      currency: 'USD',
      spend: '23.40',
      impressions: '4711',
      clicks: '58',
      link_clicks: null,
      reach: '4003',
      conversions: '2',
      conversion_value: '119.90',
      raw: {
        ...{ conversion: '2', cost_per_conversion: null, real_time_conversion: '3', result: null },
        ...{ complete_payment: '2', total_complete_payment_rate: '119.90', total_purchase: null },
        ...{ total_purchase_value: null, onsite_shopping: null, total_onsite_shopping_value: null },
        ...{ objective_type: 'Website conversions', campaign_automation_type: 'UPGRADED_SMART_PLUS' },
      },
    });
  });

  test('"-", null and a missing metric are no value, not zero', () => {
    expect(
      map({ reach: '-', complete_payment: '-', total_complete_payment_rate: null, ad_name: undefined }),
    ).toMatchObject({
      ...{ reach: null, conversions: null, conversion_value: null, ad_name: null },
    });
    expect(map({ result: '-', real_time_conversion: '3' }).raw).toMatchObject({
      result: null,
      real_time_conversion: '3',
    });
  });

  test('numbers that are no texts are taken, too', () => {
    expect(map({ spend: 23.4, impressions: 4711 })).toMatchObject({ spend: '23.4', impressions: '4711' });
  });

  test('conversions and value are the configured metrics, asked for and kept', () => {
    const options = { conversionMetric: 'on_web_order', valueMetric: 'total_on_web_order_value' };
    expect(map({ on_web_order: '7', total_on_web_order_value: '70.5' }, options)).toMatchObject({
      ...{ conversions: '7', conversion_value: '70.5' },
      raw: { on_web_order: '7', total_on_web_order_value: '70.5' },
    });
    const { metrics: asked } = reportParameters(
      { ...session, ...options },
      { from: '2026-11-20', to: '2026-11-21' },
    );
    expect(report.settings?.({ ...session, ...options })).toEqual({
      TIKTOK_CONVERSION_METRIC: 'on_web_order',
      TIKTOK_VALUE_METRIC: 'total_on_web_order_value',
    });
    expect(asked).toEqual([...new Set(asked)]);
    expect(asked).toEqual(expect.arrayContaining(['on_web_order', 'total_on_web_order_value', 'spend']));
  });
});

describe('a record is quarantined', () => {
  test.each([
    ['spend', 'abc'],
    ['spend', '-'],
    ['spend', 'NaN'],
    ['spend', '-1'],
    ['spend', undefined],
    ['impressions', '-3'],
    ['impressions', '1.5'],
    ['impressions', '9223372036854775808'],
    ['clicks', 'x'],
    ['campaign_id', 1801000000000000101],
  ])('%s = %j', (field, value) => {
    expect(reportSchema.safeParse({ dimensions, metrics: { ...metrics, [field]: value } }).success).toBe(
      false,
    );
  });

  test('when its conversion is no number', () => {
    expect(() => map({ complete_payment: 'two' })).toThrow(
      'metrics.complete_payment: is not a decimal number',
    );
  });

  test('under the key of its row, as far as it can be told', () => {
    expect(report.identify({ dimensions })).toEqual({
      externalId: 'tiktok:1801000000000000303',
      date: '2026-11-20',
    });
    expect(
      report.identify({ dimensions: { ...dimensions, stat_time_day: '2026-11-20 01:00:00' } }),
    ).toBeUndefined();
    expect(report.identify(null)).toBeUndefined();
  });
});

test.each(['2026-11-14', '2026-11-22'])('a day that was not asked for (%s) fails the window', async (day) => {
  const list = [
    { dimensions, metrics },
    { dimensions: { ...dimensions, stat_time_day: `${day} 00:00:00` }, metrics },
  ];
  const page_info = { page: 1, total_page: 1, total_number: 2 };
  const vendor = await startTestVendor(() => ({
    body: { code: 0, message: 'OK', data: { list, page_info } },
  }));
  const client = createTikTokClient({ ...config, baseUrl: vendor.url });
  const window = { from: '2026-11-15', to: '2026-11-22' };
  const io = createTestIo({ now: '2026-11-21T09:00:00Z' });
  await expect(collect(report.readDays({ ...session, client }, window, io))).rejects.toMatchObject({
    type: 'contract',
    message: containing(day),
  });
  await vendor.close();
});

test('a window never has more than the 30 days that TikTok gives, and the first run fits in one', () => {
  expect(report.maxWindowDays).toBe(30);
  expect(report.firstRun).toEqual({ daysBack: 28 });
});
