import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { Sandbox } from '../index.ts';
import { startSandbox } from '../index.ts';
import { askTikTok, statusAll, testNow } from '../testing.ts';
import { tiktokAccounts } from '../world/accounts.ts';

let sandbox: Sandbox;
const advertiser = tiktokAccounts[0]?.id ?? '';
const token = { 'access-token': 'sandbox-tiktok-token' };

beforeAll(async () => {
  sandbox = await startSandbox({ now: testNow });
});
afterEach(() => sandbox.faults.clear());
afterAll(() => sandbox.close());

const bodySchema = z.object({
  code: z.number(),
  message: z.string(),
  data: z.record(z.string(), z.string()),
});
type Body = z.infer<typeof bodySchema>;

async function post(path: string, body: object): Promise<Body> {
  const url = `${sandbox.url}/tiktok/open_api/v1.3/report/task/${path}/`;
  const headers = { ...token, 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return bodySchema.parse(await response.json());
}

const get = (path: string, taskId: string): Promise<Response> =>
  fetch(
    `${sandbox.url}/tiktok/open_api/v1.3/report/task/${path}/?advertiser_id=${advertiser}&task_id=${taskId}`,
    { headers: token },
  );
const check = async (taskId: string): Promise<Body> =>
  bodySchema.parse(await (await get('check', taskId)).json());

async function create(changes: object = {}): Promise<string> {
  const filtering = z.array(z.unknown()).parse(JSON.parse(statusAll));
  const created = await post('create', {
    ...{ advertiser_id: advertiser, report_type: 'BASIC', data_level: 'AUCTION_AD' },
    ...{ dimensions: ['ad_id', 'stat_time_day'], metrics: ['spend', 'ad_name'], filtering },
    ...{ start_date: '2026-10-23', end_date: '2026-11-21', enable_report_title_translation: false },
    ...changes,
  });
  expect(created).toMatchObject({ code: 0 });
  return created.data['task_id'] ?? '';
}

test('a task gives the rows of the synchronous report, in a file with the keys as titles', async () => {
  const taskId = await create();
  expect(await check(taskId)).toMatchObject({ code: 0, data: { status: 'SUCCESS' } });
  const file = await get('download', taskId);
  expect(file.headers.get('content-type')).toContain('text/csv');
  const lines = (await file.text()).trimEnd().split('\n');
  expect(lines[0]).toBe('ad_id,stat_time_day,spend,ad_name');
  const sync = await askTikTok(sandbox, {
    advertiser_id: advertiser,
    start_date: '2026-10-23',
    end_date: '2026-11-21',
  });
  expect(lines).toHaveLength(1 + (sync.body.data.list?.length ?? 0));
});

test('titles are words unless told otherwise', async () => {
  const taskId = await create({ enable_report_title_translation: undefined });
  expect(await (await get('download', taskId)).text()).toMatch(/^Ad ID,By Day,Cost,Ad Name\n/);
});

test('a task has no limit of days and shows more ads than a synchronous report', async () => {
  sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated', times: -1 });
  const taskId = await create({ start_date: '2026-01-01' });
  expect((await (await get('download', taskId)).text()).split('\n').length).toBeGreaterThan(3000);
});

test('a task can be waited for, fail, be cancelled', async () => {
  sandbox.faults.add({
    vendor: 'tiktok',
    kind: 'report_task',
    value: { pending: 2, status: 'FAILED', message: 'no' },
  });
  const taskId = await create();
  const early = await get('download', taskId);
  expect(await early.json()).toMatchObject({ code: 40201 });
  const statuses = [await check(taskId), await check(taskId), await check(taskId)];
  expect(statuses.map(({ data }) => data['status'])).toEqual(['QUEUING', 'PROCESSING', 'FAILED']);
  expect(statuses[2]?.data['message']).toBe('no');
  const cancelled = await create();
  await post('cancel', { advertiser_id: advertiser, task_id: cancelled });
  expect((await check(cancelled)).data['status']).toBe('CANCELED');
});

test('a link is a link, and may have expired', async () => {
  sandbox.faults.add({ vendor: 'tiktok', kind: 'report_task', value: { expiredLinks: 1 } });
  const taskId = await create({ output_format: 'CSV_DOWNLOAD' });
  const link = async (): Promise<string> =>
    bodySchema.parse(await (await get('download', taskId)).json()).data['download_url'] ?? '';
  expect((await fetch(await link())).status).toBe(403);
  const fresh = await link();
  expect((await fetch(fresh)).status).toBe(200);
  expect((await fetch(fresh, { headers: token })).status).toBe(400);
});

test('a wrong body, a stranger, an unknown task', async () => {
  expect(await post('create', { advertiser_id: advertiser })).toMatchObject({ code: 40002 });
  const dimensions = '["ad_id"]';
  const body = { advertiser_id: advertiser, report_type: 'BASIC', data_level: 'AUCTION_AD', dimensions };
  expect(await post('create', body)).toMatchObject({ code: 40002, message: 'dimensions: must be an array.' });
  expect(await check('1')).toMatchObject({ code: 40002 });
});

describe('faults of calls', () => {
  const week = { advertiser_id: advertiser, start_date: '2026-11-15', end_date: '2026-11-21' };

  test('every code can be had, with the message that TikTok shows', async () => {
    for (const code of [20001, 40016, 40118, 40132, 40133, 40200, 40201, 40300, 40700, 51305, 60001]) {
      sandbox.faults.add({ vendor: 'tiktok', kind: 'error', value: { code } });
      const { status, body, headers } = await askTikTok(sandbox, week);
      expect({ status, code: body.code }).toEqual({ status: 200, code });
      expect(headers.get('x-tt-logid')).toBe(`${body.request_id}A1`);
    }
    sandbox.faults.add({
      vendor: 'tiktok',
      kind: 'error',
      account: advertiser,
      value: { code: 40002, message: 'Hm.' },
    });
    expect((await askTikTok(sandbox, week)).body).toMatchObject({ code: 40002, message: 'Hm.' });
  });

  test('calls are counted by the second and by the day', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'call_limit', times: -1, value: { perSecond: 3 } });
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => askTikTok(sandbox, week)));
    expect(answers.map(({ body }) => body.code).sort()).toEqual([0, 0, 0, 40100, 40100]);
    sandbox.faults.clear();
    sandbox.faults.add({ vendor: 'tiktok', kind: 'call_limit', times: -1, value: { perDay: 1 } });
    await askTikTok(sandbox, week);
    const over = await askTikTok(sandbox, week);
    expect(over.body).toMatchObject({
      code: 40100,
      message: "App's QPD (2) reaches QPD limit 1 for current path, request is temporarily restricted.",
    });
    sandbox.clock.set('2026-11-22T00:00:00Z');
    expect((await askTikTok(sandbox, week)).body.code).toBe(0);
    sandbox.clock.set(testNow);
  });

  test.each([
    ['grown', 1],
    ['shifted', 0],
  ])('rows move between pages: %s', async (mode, more) => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'small_pages', times: -1, value: { size: 40 } });
    const [first, calm] = [await askTikTok(sandbox, week), await askTikTok(sandbox, { ...week, page: '2' })];
    expect(first.body.data.list).toHaveLength(40);
    sandbox.faults.add({ vendor: 'tiktok', kind: 'page_drift', value: { mode } });
    const moved = await askTikTok(sandbox, { ...week, page: '2' });
    expect(moved.body.data.list).not.toEqual(calm.body.data.list);
    expect(moved.body.data.page_info?.total_number).toBe(
      (first.body.data.page_info?.total_number ?? 0) + more,
    );
  });

  test('the cap counts ads: fewer than it allows are shown whole', async () => {
    sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated', times: -1, value: { keep: 5 } });
    const cut = await askTikTok(sandbox, week);
    expect(
      new Set(cut.body.data.list?.map(({ dimensions }) => dimensions['ad_id'])).size,
    ).toBeLessThanOrEqual(7);
    expect(cut.headers.get('x-tt-ads-throttle')).toContain('20k');
    sandbox.faults.clear();
    sandbox.faults.add({ vendor: 'tiktok', kind: 'truncated', times: -1, value: { keep: 50 } });
    expect((await askTikTok(sandbox, week)).headers.get('x-tt-ads-throttle')).toBeNull();
  });
});
