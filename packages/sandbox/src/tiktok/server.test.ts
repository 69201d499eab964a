import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { Sandbox } from '../index.ts';
import { startSandbox } from '../index.ts';
import { askTikTok, sumCents, testNow } from '../testing.ts';
import { tiktokAccounts } from '../world/accounts.ts';

let sandbox: Sandbox;
const advertiser = tiktokAccounts[0]?.id ?? '';
const yenAdvertiser = tiktokAccounts[1]?.id ?? '';
const dates = { start_date: '2026-10-23', end_date: '2026-11-21' };
const month = { advertiser_id: advertiser, ...dates };

beforeAll(async () => {
  sandbox = await startSandbox({ now: testNow });
});
afterEach(() => {
  sandbox.faults.clear();
});
afterAll(() => sandbox.close());

const get = (path: string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${sandbox.url}/tiktok/open_api/v1.3/${path}`, { headers });
const token = { 'access-token': 'sandbox-tiktok-token' };
const spendOf = (list: readonly { metrics: Record<string, string> }[] | undefined): number =>
  sumCents((list ?? []).map((row) => row.metrics['spend']));

test('advertiser info names both zones; arrays have to be JSON', async () => {
  const info = await get(
    `advertiser/info/?advertiser_ids=${encodeURIComponent(JSON.stringify([advertiser]))}`,
    token,
  );
  expect(await info.json()).toMatchObject({
    code: 0,
    data: {
      list: [
        {
          advertiser_id: advertiser,
          timezone: 'Etc/GMT+8',
          display_timezone: 'America/Los_Angeles',
          currency: 'USD',
        },
      ],
    },
  });
  const plain = await get(`advertiser/info/?advertiser_ids=${advertiser}`, token);
  expect(await plain.json()).toMatchObject({ code: 40002 });
});

test('the trailing slash and the header decide', async () => {
  expect((await get('report/integrated/get', token)).status).toBe(404);
  expect(await (await get('report/integrated/get/', {})).json()).toMatchObject({ code: 40104, data: {} });
  const bearer = await get('report/integrated/get/', { authorization: 'Bearer sandbox-tiktok-token' });
  expect(bearer.status).toBe(200);
  expect(await bearer.json()).toMatchObject({ code: 40105 });
  const prefixed = await get('report/integrated/get/', { 'access-token': 'Bearer sandbox-tiktok-token' });
  expect(await prefixed.json()).toMatchObject({ code: 40105 });
});

test('ten rows a page unless asked otherwise, at most 1000', async () => {
  const first = await askTikTok(sandbox, { ...month, page_size: '10' });
  const { list, page_info: info } = first.body.data;
  expect(list).toHaveLength(10);
  const total = info?.total_number ?? 0;
  expect(info).toMatchObject({ page: 1, page_size: 10, total_page: Math.ceil(total / 10) });
  const rows = [...(list ?? [])];
  for (let page = 2; page <= (info?.total_page ?? 0); page += 1) {
    rows.push(
      ...((await askTikTok(sandbox, { ...month, page_size: '10', page: String(page) })).body.data.list ?? []),
    );
  }
  expect(new Set(rows.map((row) => JSON.stringify(row.dimensions))).size).toBe(total);
  expect((await askTikTok(sandbox, { ...month, page_size: '1001' })).body.code).toBe(40002);
});

test('deleted ads are missing unless every status is asked for; the advertiser total has them', async () => {
  const all = await askTikTok(sandbox, month);
  const standard = await askTikTok(sandbox, { ...month, filtering: '[]' });
  const total = await askTikTok(sandbox, {
    ...month,
    data_level: 'AUCTION_ADVERTISER',
    dimensions: '["advertiser_id","stat_time_day"]',
    filtering: '[]',
  });
  expect(total.body.data.list).toHaveLength(30);
  expect(spendOf(all.body.data.list)).toBe(spendOf(total.body.data.list));
  expect(spendOf(standard.body.data.list)).toBeLessThan(spendOf(all.body.data.list));
});

test('metrics are texts, an empty one is a dash, yen have no decimals', async () => {
  const metrics =
    '["spend","reach","complete_payment","total_complete_payment_rate","secondary_goal_result","ad_name"]';
  const { body } = await askTikTok(sandbox, {
    advertiser_id: yenAdvertiser,
    ...dates,
    end_date: '2026-11-20',
    metrics,
  });
  const rows = body.data.list ?? [];
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.every((row) => row.metrics['secondary_goal_result'] === '-')).toBe(true);
  expect(rows.every((row) => /^\d+$/.test(row.metrics['spend'] ?? ''))).toBe(true);
  expect(rows.every((row) => / 00:00:00$/.test(row.dimensions['stat_time_day'] ?? ''))).toBe(true);
});

test('ad_id splits Upgraded Smart+ ads by creative, ad_id_v2 does not, and both add up to the same', async () => {
  const metrics = '["spend","impressions","complete_payment","ad_id_v2","campaign_automation_type"]';
  const byCreative = (await askTikTok(sandbox, { ...month, metrics })).body.data.list ?? [];
  const byAd =
    (await askTikTok(sandbox, { ...month, metrics, dimensions: '["ad_id_v2","stat_time_day"]' })).body.data
      .list ?? [];
  expect(byCreative.length).toBeGreaterThan(byAd.length);
  for (const metric of ['spend', 'impressions', 'complete_payment']) {
    const sum = (rows: typeof byAd): number => sumCents(rows.map((row) => row.metrics[metric]));
    expect(sum(byCreative)).toBe(sum(byAd));
  }
  const kinds = new Set([...byCreative, ...byAd].map((row) => row.metrics['campaign_automation_type']));
  expect(kinds).toEqual(new Set(['MANUAL', 'UPGRADED_SMART_PLUS', 'UPGRADED_SMART_PLUS_CREATIVE']));
  const manual = byCreative.filter((row) => row.metrics['campaign_automation_type'] === 'MANUAL');
  expect(manual.every((row) => row.metrics['ad_id_v2'] === row.dimensions['ad_id'])).toBe(true);
});

test('what is wrong is a parameter error under HTTP 200', async () => {
  const wrong: Record<string, string>[] = [
    { start_date: '2026-10-22' },
    { metrics: '["spend","roas_total"]' },
    { metrics: 'spend,impressions' },
    { dimensions: '["campaign_id","stat_time_day"]' },
    {
      data_level: 'AUCTION_CAMPAIGN',
      dimensions: '["campaign_id"]',
      metrics: '["ad_name"]',
      filtering: '[]',
    },
    {
      filtering: '[{"field_name":"campaign_status","filter_type":"IN","filter_value":"[\\"STATUS_ALL\\"]"}]',
    },
    { filtering: '[{"field_name":"ad_status","filter_type":"IN","filter_value":["STATUS_ALL"]}]' },
    { report_type: '' },
  ];
  for (const parameters of wrong) {
    const { status, body } = await askTikTok(sandbox, { ...month, ...parameters });
    expect({ parameters, status, code: body.code }).toEqual({ parameters, status: 200, code: 40002 });
  }
  const stranger = await askTikTok(sandbox, { ...month, advertiser_id: '7000000000000000009' });
  expect(stranger.body.code).toBe(40001);
});

test('several advertisers in one call lose the decimal point', async () => {
  const query = { ...dates, advertiser_ids: JSON.stringify([advertiser]) };
  const many = await askTikTok(sandbox, { ...query, metrics: '["spend","currency"]' });
  const one = await askTikTok(sandbox, month);
  expect(many.body.data.list?.every((row) => !row.metrics['spend']?.includes('.'))).toBe(true);
  expect(spendOf(many.body.data.list)).toBe(100 * spendOf(one.body.data.list));
});

test('the cap on ads shows in a header alone', async () => {
  const whole = await askTikTok(sandbox, month);
  expect(whole.headers.get('x-tt-ads-throttle')).toBeNull();
  sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated' });
  const cut = await askTikTok(sandbox, month);
  expect(cut.body.code).toBe(0);
  expect(cut.headers.get('x-tt-ads-throttle')).toContain('20k');
  expect(cut.body.data.list?.length ?? 0).toBeLessThan(whole.body.data.list?.length ?? 0);
});

test('rows of ads can be none at all, those of the advertiser stay', async () => {
  sandbox.faults.add({ vendor: 'tiktok', kind: 'no_rows' });
  const total = await askTikTok(sandbox, {
    ...month,
    data_level: 'AUCTION_ADVERTISER',
    dimensions: '["advertiser_id","stat_time_day"]',
    filtering: '[]',
  });
  expect(total.body.data.list).toHaveLength(30);
  expect((await askTikTok(sandbox, month)).body).toMatchObject({ code: 0, data: { list: [] } });
  expect((await askTikTok(sandbox, month)).body.data.list).not.toEqual([]);
});

test('faults answer with the codes of the vendor', async () => {
  const codes = async (): Promise<number> => (await askTikTok(sandbox, month)).body.code;
  sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', account: advertiser });
  expect(await codes()).toBe(40100);
  sandbox.faults.add({ vendor: 'tiktok', kind: 'throttle', value: { code: 40133 } });
  expect(await codes()).toBe(40133);
  sandbox.faults.add({ vendor: 'tiktok', kind: 'server_error' });
  expect(await codes()).toBe(50000);
  sandbox.faults.add({ vendor: 'tiktok', kind: 'permission' });
  expect(await codes()).toBe(40001);
  sandbox.faults.add({ vendor: 'tiktok', kind: 'wrong_token' });
  expect(await codes()).toBe(40105);
  sandbox.faults.add({ vendor: 'tiktok', kind: 'too_large', times: -1 });
  expect(await codes()).toBe(40067);
  const week = await askTikTok(sandbox, { ...month, start_date: '2026-11-15' });
  expect(week.body.code).toBe(0);
  sandbox.faults.clear();
  sandbox.faults.add({ vendor: 'tiktok', kind: 'invalid_record', value: { unset: ['ad_id'] } });
  const { body } = await askTikTok(sandbox, month);
  expect(body.data.list?.filter((row) => row.dimensions['ad_id'] === undefined)).toHaveLength(1);
});
