import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';

import type { Sandbox } from '../index.ts';
import { startSandbox } from '../index.ts';
import { askMeta, readInsights, sumCents, testNow } from '../testing.ts';
import { metaAccounts } from '../world/accounts.ts';

const accountPageSchema = z.object({
  data: z.array(z.object({ account_id: z.string() })),
  paging: z.object({ next: z.string().optional() }),
});
let sandbox: Sandbox;
const account = metaAccounts[0]?.id ?? '';
const insights = `act_${account}/insights`;
const range = JSON.stringify({ since: '2026-10-25', until: '2026-11-21' });
const daily = { level: 'ad', time_increment: '1', time_range: range, fields: 'ad_id,spend,actions' };

const allStatuses = [
  {
    field: 'ad.effective_status',
    operator: 'IN',
    value: ['ACTIVE', 'PAUSED', 'DELETED', 'ARCHIVED', 'CAMPAIGN_PAUSED'],
  },
];

beforeAll(async () => {
  sandbox = await startSandbox({ now: testNow });
});
afterEach(() => {
  sandbox.faults.clear();
});
afterAll(() => sandbox.close());

test('an account tells its currency and IANA zone; the list has all of them', async () => {
  const one = await askMeta(sandbox, `act_${account}`, {
    fields: 'currency,timezone_name,timezone_offset_hours_utc',
  });
  expect(one.body).toEqual({
    id: `act_${account}`,
    currency: 'USD',
    timezone_name: 'America/Los_Angeles',
    timezone_offset_hours_utc: -8,
  });
  const listed: string[] = [];
  let next: string | undefined =
    `${sandbox.url}/meta/v26.0/me/adaccounts?fields=account_id&access_token=sandbox-meta-token`;
  while (next !== undefined) {
    const page = accountPageSchema.parse(await (await fetch(next)).json());
    listed.push(...page.data.map((row) => row.account_id));
    next = page.paging.next;
  }
  expect(listed).toEqual(metaAccounts.map(({ id }) => id));
});

test('every scalar is a text, rows come per ad and local day, a key without a value is absent', async () => {
  const fields = 'ad_id,spend,impressions,clicks,cpc,inline_link_clicks,reach,actions,action_values';
  const { rows } = await readInsights(sandbox, account, { ...daily, fields, limit: '500' });
  const scalars = rows.flatMap((row) => Object.values(row)).filter((value) => !Array.isArray(value));
  expect(scalars.every((value) => typeof value === 'string')).toBe(true);
  expect(new Set(rows.map((row) => `${row.ad_id} ${row.date_start}`)).size).toBe(rows.length);
  expect(rows.every((row) => row.date_start === row.date_stop)).toBe(true);
  expect(rows.some((row) => row.actions === undefined || row.action_values === undefined)).toBe(true);
  expect(rows.filter((row) => row['clicks'] === '0').every((row) => !('cpc' in row))).toBe(true);
});

test('only what was asked for comes, with date_start, date_stop and account_id', async () => {
  const { rows } = await readInsights(sandbox, account, { ...daily, fields: 'spend' });
  expect(Object.keys(rows[0] ?? {}).sort()).toEqual(['account_id', 'date_start', 'date_stop', 'spend']);
});

test('actions overlap, so adding them up counts sales several times', async () => {
  const { rows } = await readInsights(sandbox, account, { time_range: range, fields: 'actions' });
  const value = (type: string): number =>
    Number(rows[0]?.actions?.find((action) => action.action_type === type)?.value ?? '0');
  expect(value('purchase')).toBeGreaterThan(0);
  expect(value('omni_purchase')).toBe(value('purchase'));
  expect(value('offsite_conversion.fb_pixel_purchase')).toBeGreaterThan(value('purchase') / 2);
  expect(value('post_engagement')).toBeGreaterThan(value('link_click'));
});

test('25 rows a page unless asked otherwise; short and empty pages have a next, the end has none', async () => {
  const small = await readInsights(sandbox, account, daily);
  const large = await readInsights(sandbox, account, { ...daily, limit: '5000' });
  expect(Math.max(...small.pages)).toBe(25);
  expect(small.pages).toContain(0);
  expect(small.pages.some((size, index) => size > 0 && size < 25 && index < small.pages.length - 1)).toBe(
    true,
  );
  expect(small.rows).toEqual(large.rows);
});

test('a token in the query comes back in paging.next; a cursor of another query is refused', async () => {
  const query = new URLSearchParams({ ...daily, access_token: 'sandbox-meta-token' }).toString();
  const text = await (await fetch(`${sandbox.url}/meta/v26.0/${insights}?${query}`)).text();
  expect(text).toContain('access_token=sandbox-meta-token');
  const { body } = await askMeta(sandbox, insights, daily);
  expect(body.paging?.next).not.toContain('access_token');
  const after = body.paging?.cursors.after ?? '';
  const other = await askMeta(sandbox, insights, { ...daily, level: 'campaign', after });
  expect(other.body.error?.code).toBe(100);
});

test('level ad leaves deleted ads out unless their status is asked for; any other filtering leaves active ads alone', async () => {
  const long = { ...daily, time_range: '{"since":"2026-02-01","until":"2026-11-21"}', limit: '5000' };
  const plain = await readInsights(sandbox, account, long);
  const positive = [{ field: 'impressions', operator: 'GREATER_THAN', value: 0 }];
  const active = await readInsights(sandbox, account, { ...long, filtering: JSON.stringify(positive) });
  const all = await readInsights(sandbox, account, {
    ...long,
    filtering: JSON.stringify([...positive, ...allStatuses]),
  });
  expect(plain.rows.length).toBeLessThan(all.rows.length);
  expect(active.rows.length).toBeLessThan(plain.rows.length);
});

test("the ads' spend adds up to the account's, day by day", async () => {
  const ads = await readInsights(sandbox, account, {
    ...daily,
    limit: '500',
    filtering: JSON.stringify(allStatuses),
  });
  const totals = await readInsights(sandbox, account, {
    ...daily,
    level: 'account',
    fields: 'spend',
    limit: '500',
  });
  expect(totals.rows).toHaveLength(28);
  for (const total of totals.rows) {
    const ofDay = ads.rows.filter((row) => row.date_start === total.date_start);
    expect(sumCents(ofDay.map((row) => row.spend))).toBe(sumCents([total.spend]));
  }
});

test('without level and time_increment the answer is one row for the account', async () => {
  const { rows } = await readInsights(sandbox, account, { time_range: range });
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ date_start: '2026-10-25', date_stop: '2026-11-21' });
});

test('what is wrong is refused with the code of the vendor', async () => {
  const code = async (parameters: Record<string, string>): Promise<unknown> => {
    const { status, body } = await askMeta(sandbox, insights, parameters);
    return { status, code: body.error?.code };
  };
  expect(await code({ ...daily, fields: 'spend,adspend' })).toEqual({ status: 400, code: 100 });
  expect(await code({ ...daily, time_range: '{"since":"2023-10-01","until":"2023-10-02"}' })).toEqual({
    status: 400,
    code: 3018,
  });
  expect(await code({ ...daily, time_range: '{"since":"2026-11-02","until":"2026-11-01"}' })).toMatchObject({
    code: 100,
  });
  expect(await code({ ...daily, action_attribution_windows: '["7d_view"]' })).toMatchObject({ code: 100 });
  const unknown = await askMeta(sandbox, 'act_1/insights', daily);
  expect(unknown.body.error).toMatchObject({ code: 100, error_subcode: 33 });
  const wrong = await fetch(`${sandbox.url}/meta/v26.0/act_${account}?access_token=nonsense`);
  expect(wrong.status).toBe(400);
  expect(await wrong.json()).toMatchObject({ error: { code: 190 } });
});

test('an expired version is served as another, and only a header says so', async () => {
  const version = async (asked: string): Promise<string | null> =>
    (await askMeta(sandbox, insights, daily, asked)).headers.get('facebook-api-version');
  expect(await version('v26.0')).toBe('v26.0');
  expect(await version('v24.0')).toBe('v25.0');
  expect((await askMeta(sandbox, insights, daily, 'v27.0')).body.error?.code).toBe(2500);
});

test('faults answer as the vendor does, for the account they are meant for', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'throttle', account, value: { minutes: 3 } });
  const other = await askMeta(sandbox, `act_${metaAccounts[1]?.id ?? ''}/insights`, daily);
  expect(other.status).toBe(200);
  const throttled = await askMeta(sandbox, insights, daily);
  expect(throttled.body.error).toMatchObject({ code: 80000, error_subcode: 2446079 });
  expect(throttled.headers.get('x-business-use-case-usage')).toContain('"estimated_time_to_regain_access":3');
  sandbox.faults.add({ vendor: 'meta', kind: 'throttle', value: { code: 4, status: 403 } });
  expect(await askMeta(sandbox, insights, daily)).toMatchObject({
    status: 403,
    body: { error: { code: 4, error_subcode: 1504022 } },
  });
  sandbox.faults.add({ vendor: 'meta', kind: 'server_error' });
  expect(await askMeta(sandbox, insights, daily)).toMatchObject({
    status: 500,
    body: { error: { code: 2, is_transient: true } },
  });
  sandbox.faults.add({ vendor: 'meta', kind: 'wrong_token' });
  expect((await askMeta(sandbox, insights, daily)).body.error).toMatchObject({
    code: 190,
    error_subcode: 463,
  });
  sandbox.faults.add({ vendor: 'meta', kind: 'permission' });
  expect((await askMeta(sandbox, insights, daily)).body.error?.code).toBe(200);
  expect((await askMeta(sandbox, insights, daily)).status).toBe(200);
});

test('a request that is too large can be split by date or made smaller by limit', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { maxDays: 7 } });
  expect((await askMeta(sandbox, insights, daily)).body.error).toMatchObject({
    code: 100,
    error_subcode: 1487534,
  });
  const week = JSON.stringify({ since: '2026-11-01', until: '2026-11-07' });
  expect((await askMeta(sandbox, insights, { ...daily, time_range: week })).status).toBe(200);
  sandbox.faults.clear();
  sandbox.faults.add({ vendor: 'meta', kind: 'too_large', times: -1, value: { maxLimit: 50 } });
  expect(await askMeta(sandbox, insights, { ...daily, limit: '100' })).toMatchObject({
    status: 500,
    body: { error: { code: 1 } },
  });
  expect((await askMeta(sandbox, insights, { ...daily, limit: '50' })).status).toBe(200);
});

test('records can be spoilt and an ad can vanish', async () => {
  const page = { ...daily, time_range: '{"since":"2026-11-10","until":"2026-11-10"}', limit: '500' };
  const before = await readInsights(sandbox, account, page);
  sandbox.faults.add({ vendor: 'meta', kind: 'invalid_record', times: -1 });
  const spoilt = await readInsights(sandbox, account, page);
  expect(spoilt.rows.filter((row) => row.spend === 'abc')).toHaveLength(1);
  sandbox.faults.clear();
  sandbox.faults.add({
    vendor: 'meta',
    kind: 'invalid_record',
    times: -1,
    value: { unset: ['ad_id'], rows: 2 },
  });
  const keyless = await readInsights(sandbox, account, page);
  expect(keyless.rows.filter((row) => row.ad_id === undefined)).toHaveLength(2);
  sandbox.faults.clear();
  const adId = before.rows[0]?.ad_id ?? '';
  sandbox.faults.add({ vendor: 'meta', kind: 'vanished_ad', times: -1, value: { adId } });
  const after = await readInsights(sandbox, account, page);
  expect(after.rows).toEqual(before.rows.filter((row) => row.ad_id !== adId));
});

test('rows of ads can be none at all, those of the account stay', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'no_rows' });
  const ofAccount = await askMeta(sandbox, insights, { time_range: range, fields: 'spend' });
  expect(ofAccount.body.data).toHaveLength(1);
  expect(await askMeta(sandbox, insights, daily)).toMatchObject({ status: 200, body: { data: [] } });
  expect((await askMeta(sandbox, insights, daily)).body.data).toHaveLength(25);
});

test('the token can lack its scope', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'missing_scope', times: -1 });
  expect((await askMeta(sandbox, insights, daily)).body.error?.code).toBe(200);
  const headers = { authorization: 'Bearer sandbox-meta-token' };
  const url = `${sandbox.url}/meta/v26.0/debug_token?input_token=sandbox-meta-token`;
  expect(await (await fetch(url, { headers })).json()).toMatchObject({
    data: { is_valid: true, scopes: [] },
  });
});
