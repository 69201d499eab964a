import { afterEach, describe, expect, test } from 'vitest';

import { containing } from '@floyo/shared/testing/matchers';
import { collect, createTestIo, startTestVendor, type TestVendor } from '@floyo/shared/testing/vendor';

import type { MetaSession } from '../account.ts';
import { createMetaClient } from '../client.ts';
import { insightsParameters } from '../query.ts';
import { createWindowReader } from '../read-window.ts';
import { insights, insightSchema } from './insights.ts';

const config = {
  accessToken: 'token',
  accountIds: ['1010035716096012'],
  apiVersion: 'v26.0',
  conversionAction: 'purchase',
  baseUrl: 'http://127.0.0.1:1',
};
const session: MetaSession = {
  id: '1010035716096012',
  timezone: 'America/Los_Angeles',
  currency: 'USD',
  conversionAction: 'purchase',
  reader: createWindowReader(createMetaClient(config, '1010035716096012')),
};
const record = {
  account_id: '1010035716096012',
  account_currency: 'USD',
  campaign_id: '120210000000000101',
  campaign_name: 'Autumn',
  adset_id: '120210000000000202',
  adset_name: 'Lookalikes / 1',
  ad_id: '120210000000000303',
  ad_name: 'Video #3',
  spend: '41.70',
  impressions: '5021',
  clicks: '96',
  inline_link_clicks: '71',
  reach: '4100',
  actions: [
    { action_type: 'purchase', value: '3' },
    { action_type: 'omni_purchase', value: '3' },
    { action_type: 'link_click', value: '71' },
  ],
  action_values: [{ action_type: 'purchase', value: '187.5', '7d_click': '150' }],
  objective: 'OUTCOME_SALES',
  attribution_setting: '7d_click_1d_view',
  date_start: '2026-11-20',
  date_stop: '2026-11-20',
};

function map(changes: Record<string, unknown>, conversionAction = 'purchase') {
  const parsed = insightSchema.parse({ ...record, ...changes });
  const [row] =
    insights.toRows(parsed, { ...session, conversionAction }, { timezone: 'UTC', currency: 'EUR' }).spend ??
    [];
  if (row === undefined) throw new Error('no row');
  return row;
}

describe('a record becomes a row', () => {
  test('with its numbers as the vendor wrote them', () => {
    expect(map({})).toEqual({
      external_id: 'meta:120210000000000303',
      date: '2026-11-20',
      source: 'meta',
      account_id: '1010035716096012',
      account_timezone: 'America/Los_Angeles',
      campaign_id: '120210000000000101',
      campaign_name: 'Autumn',
      ad_group_id: '120210000000000202',
      ad_group_name: 'Lookalikes / 1',
      ad_id: '120210000000000303',
      ad_name: 'Video #3',
      currency: 'USD',
      spend: '41.70',
      impressions: '5021',
      clicks: '96',
      link_clicks: '71',
      reach: '4100',
      conversions: '3',
      conversion_value: '187.5',
      raw: {
        actions: [
          { action_type: 'link_click', value: '71' },
          { action_type: 'omni_purchase', value: '3' },
          { action_type: 'purchase', value: '3' },
        ],
        action_values: record.action_values,
        objective: 'OUTCOME_SALES',
        attribution_setting: '7d_click_1d_view',
      },
    });
  });

  test('what Meta leaves out is zero, and an unknown reach is none', () => {
    const absent = [
      'spend',
      'impressions',
      'clicks',
      'inline_link_clicks',
      'reach',
      'actions',
      'action_values',
      'ad_name',
    ];
    expect(map(Object.fromEntries(absent.map((name) => [name, undefined])))).toMatchObject({
      ...{ spend: '0', impressions: '0', clicks: '0', link_clicks: '0' },
      ...{ conversions: '0', conversion_value: '0', reach: null, ad_name: null },
    });
  });

  test('only the configured action counts: overlapping ones are never added up', () => {
    expect(map({}, 'link_click')).toMatchObject({ conversions: '71', conversion_value: '0' });
    expect(map({}, 'lead')).toMatchObject({ conversions: '0', conversion_value: '0' });
  });

  test('the same answer in another order is the same row', () => {
    expect(map({ actions: record.actions.toReversed() }).raw).toEqual(map({}).raw);
  });
});

describe('a record is quarantined', () => {
  test.each([
    ['spend', 'abc'],
    ['spend', 'NaN'],
    ['spend', '-1.5'],
    ['spend', '1e5'],
    ['spend', ''],
    ['impressions', '-3'],
    ['impressions', '1.5'],
    ['impressions', '99999999999999999999'],
    ['reach', '9223372036854775808'],
    ['clicks', null],
    ['reach', 'many'],
    ['ad_id', 120210000000000303],
    ['ad_id', undefined],
    ['campaign_id', ''],
    ['date_start', '2026-02-30'],
    ['date_stop', undefined],
    ['actions', [{ action_type: 'purchase', value: 'Infinity' }]],
  ])('%s = %j', (field, value) => {
    expect(insightSchema.safeParse({ ...record, [field]: value }).success).toBe(false);
  });

  test('when its conversion is there twice', () => {
    const actions = [...record.actions, { action_type: 'purchase', value: '4' }];
    expect(() => map({ actions })).toThrow('purchase is there 2 times');
  });

  test('under the key of its row, as far as it can be told', () => {
    expect(insights.identify({ ...record, spend: 'abc' })).toEqual({
      externalId: 'meta:120210000000000303',
      date: '2026-11-20',
    });
    expect(insights.identify({ ...record, ad_id: undefined })).toBeUndefined();
    expect(insights.identify('nonsense')).toBeUndefined();
  });
});

describe('a window', () => {
  const window = { from: '2026-11-14', to: '2026-11-22' };
  let vendor: TestVendor | undefined;
  afterEach(() => vendor?.close());

  async function read(changes: Record<string, unknown>): Promise<unknown[]> {
    const data = [record, { ...record, ad_id: '120210000000000304', ...changes }];
    vendor = await startTestVendor(() => ({ body: { data, paging: { cursors: { after: 'c' } } } }));
    const reader = createWindowReader(createMetaClient({ ...config, baseUrl: vendor.url }, session.id));
    return collect(
      insights.readDays({ ...session, reader }, window, createTestIo({ now: '2026-11-21T09:00:00Z' })),
    );
  }

  test('asks for its last day inclusively, for every status, and for no action breakdowns', () => {
    const parameters = insightsParameters(window);
    expect(JSON.parse(parameters['time_range'] ?? '')).toEqual({ since: '2026-11-14', until: '2026-11-21' });
    expect(parameters['filtering']).toContain('"DELETED"');
    expect(Object.keys(parameters).sort()).toEqual([
      'fields',
      'filtering',
      'level',
      'time_increment',
      'time_range',
    ]);
  });

  test('fits the first run in one request', () => {
    expect(insights.maxWindowDays).toBeGreaterThanOrEqual(29);
  });

  test.each([
    [{ date_start: '2026-11-13', date_stop: '2026-11-13' }, 'day 2026-11-13'],
    [{ date_start: '2026-11-22', date_stop: '2026-11-22' }, 'day 2026-11-22'],
    [{ date_stop: '2026-11-21' }, 'several days'],
    [{ account_id: '77' }, 'account 77'],
    [{ account_currency: 'EUR' }, 'currency EUR where the account has USD'],
  ])('refuses %j', async (changes, message) => {
    await expect(read(changes)).rejects.toMatchObject({
      type: 'contract',
      message: containing(message),
    });
  });

  test('leaves a record that can not be read to the quarantine', async () => {
    expect(await read({ date_start: 'soon', account_id: 5 })).toHaveLength(2);
  });
});
