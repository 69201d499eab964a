/** Asynchronous reports, usage headers, error bodies and the token, as Meta has them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import type { FaultKind } from '../core.ts';
import type { Sandbox } from '../index.ts';
import { startSandbox } from '../index.ts';
import { askMeta, testNow } from '../testing.ts';
import { metaAccounts } from '../world/accounts.ts';
import { knownErrors } from './error-bodies.ts';

let sandbox: Sandbox;
const account = metaAccounts[0]?.id ?? '';
const daily = {
  ...{ level: 'ad', time_increment: '1', fields: 'ad_id,spend,actions', limit: '500' },
  time_range: JSON.stringify({ since: '2026-11-10', until: '2026-11-10' }),
};

beforeAll(async () => {
  sandbox = await startSandbox({ now: testNow });
});
afterEach(() => sandbox.faults.clear());
afterAll(() => sandbox.close());

function order(kind: FaultKind, value?: unknown, times = 1): void {
  sandbox.faults.add({ vendor: 'meta', kind, times, value });
}

/** Starts a report; its id as text, because it is a number that no double holds. */
async function submit(parameters: Record<string, string> = daily): Promise<string> {
  const response = await fetch(`${sandbox.url}/meta/v26.0/act_${account}/insights`, {
    method: 'POST',
    headers: { authorization: 'Bearer sandbox-meta-token' },
    body: new URLSearchParams(parameters),
  });
  const id = /"report_run_id":(\d+)\}/.exec(await response.text())?.[1] ?? '';
  expect(Number.isSafeInteger(Number(id))).toBe(false);
  return id;
}

const stateSchema = z.looseObject({
  async_status: z.string().optional(),
  async_percent_completion: z.number().optional(),
});

async function look(id: string): Promise<unknown[]> {
  const { body } = await askMeta(sandbox, id, { fields: 'async_status,async_percent_completion' });
  const state = stateSchema.parse(body);
  return body.error
    ? [body.error.code, body.error.error_subcode]
    : [state.async_status, state.async_percent_completion];
}

const results = async (id: string) => (await askMeta(sandbox, `${id}/insights`, { limit: '500' })).body;

test('a report runs, completes, and has what the call would have had; read too early it has a part of it', async () => {
  const id = await submit();
  expect(await look(id)).toEqual(['Job Running', 40]);
  const early = (await results(id)).data ?? [];
  expect(await look(id)).toEqual(['Job Completed', 100]);
  const call = (await askMeta(sandbox, `act_${account}/insights`, daily)).body.data ?? [];
  expect((await results(id)).data).toEqual(call);
  expect(early.length).toBeLessThan(call.length);
  expect(await look('60101003571609601299999')).toEqual([100, 33]);
});

test('what is wrong with a report is said when it is started, or when a field of it is asked for', async () => {
  const response = await fetch(`${sandbox.url}/meta/v26.0/act_${account}/insights`, {
    method: 'POST',
    headers: { authorization: 'Bearer sandbox-meta-token' },
    body: new URLSearchParams({ ...daily, fields: 'adspend' }),
  });
  expect(await response.json()).toMatchObject({ error: { code: 100 } });
  expect((await askMeta(sandbox, await submit(), { fields: 'progress' })).body.error?.code).toBe(100);
});

describe('races', () => {
  test('not there yet, running at 100 %, completed below it', async () => {
    const id = await submit();
    order('report_not_found');
    expect(await look(id)).toEqual([100, 33]);
    order('report_running_100');
    expect(await look(id)).toEqual(['Job Running', 100]);
    order('report_completed_early');
    expect(await look(id)).toEqual(['Job Completed', 80]);
    expect(await look(id)).toEqual(['Job Running', 40]);
    expect(await look(id)).toEqual(['Job Completed', 100]);
  });

  test('results that are not ready, or not known, for a moment; and gone for good', async () => {
    const id = await submit();
    await look(id);
    await look(id);
    order('report_not_ready');
    expect((await results(id)).error).toMatchObject({
      code: 2637,
      error_subcode: 1815107,
      is_transient: true,
    });
    order('report_summary_bug');
    expect((await results(id)).error?.message).toMatch(/^\(#100\) Cannot include .* in summary param/);
    expect((await results(id)).data?.length).toBeGreaterThan(0);
    order('report_expired');
    expect((await results(id)).error).toMatchObject({ code: 100, error_subcode: 33 });
    expect(await look(id)).toEqual([100, 33]);
  });

  test('skipped, stuck, failed with its reason, too large', async () => {
    const end = async (): Promise<unknown> => {
      const id = await submit();
      await look(id);
      const fields = 'async_status,error_code,error_subcode,error_message';
      return (await askMeta(sandbox, id, { fields })).body;
    };
    order('report_skipped');
    expect(await end()).toMatchObject({ async_status: 'Job Skipped' });
    order('report_stuck');
    expect(await end()).toMatchObject({ async_status: 'Job Running' });
    order('report_failed', { code: -2, subcode: 2490547 });
    expect(await end()).toMatchObject({
      ...{ async_status: 'Job Failed', error_code: -2, error_subcode: 2490547 },
      error_message: 'The report failed',
    });
    order('too_large', { maxAds: 2, reports: true });
    expect(await end()).toMatchObject({ async_status: 'Job Failed', error_code: -3, error_subcode: 1504045 });
    order('too_large', { maxAds: 2 });
    expect(await end()).toMatchObject({ async_status: 'Job Completed' });
  });
});

test('a day can be too much by its ads, and an ad by a field among others', async () => {
  const code = async (parameters: Record<string, string>): Promise<unknown> =>
    (await askMeta(sandbox, `act_${account}/insights`, { ...daily, ...parameters })).body.error
      ?.error_subcode;
  order('too_large', { maxAds: 2 }, -1);
  expect([await code({}), await code({ level: 'campaign', fields: 'spend' })]).toEqual([1487534, undefined]);
  sandbox.faults.clear();
  order('too_large', { heavy: { field: 'actions', maxFields: 1 } }, -1);
  expect([await code({}), await code({ fields: 'spend' }), await code({ fields: 'actions' })]).toEqual([
    1487534,
    undefined,
    undefined,
  ]);
});

test('every error body can be ordered', async () => {
  expect(knownErrors.length).toBeGreaterThan(45);
  for (const known of knownErrors) {
    const [code = 0, subcode] = known.split('/').map(Number);
    order('error', { code, ...(subcode === undefined ? {} : { subcode }) });
    const { status, body } = await askMeta(sandbox, `act_${account}/insights`, daily);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body.error).toMatchObject({ code, ...(subcode === undefined ? {} : { error_subcode: subcode }) });
    expect(body.error?.message).not.toContain('An error of the sandbox');
  }
  order('error', { code: 4, status: 200 });
  expect((await askMeta(sandbox, `act_${account}`)).status).toBe(200);
});

test('usage headers tell the percentages that were ordered, on errors too', async () => {
  const headers = async (): Promise<unknown[]> => {
    const answer = await askMeta(sandbox, `act_${account}/insights`, daily);
    return [answer.status, answer.headers.get('x-fb-ads-insights-throttle')];
  };
  expect((await headers())[1]).toBe(
    '{"app_id_util_pct":0,"acc_id_util_pct":0,"ads_api_access_tier":"standard_access"}',
  );
  const ordered = '{"app_id_util_pct":12,"acc_id_util_pct":93,"ads_api_access_tier":"development_access"}';
  order('usage', { app: 12, account: 93, tier: 'development_access' }, -1);
  expect(await headers()).toEqual([200, ordered]);
  order('permission');
  expect(await headers()).toEqual([403, ordered]);
});

test('the token and the account can be what a doctor has to find', async () => {
  const ask = async (path: string, parameters: Record<string, string>): Promise<unknown> => {
    const url = `${sandbox.url}/meta/v26.0/${path}?${new URLSearchParams(parameters).toString()}`;
    return (await fetch(url, { headers: { authorization: 'Bearer sandbox-meta-token' } })).json();
  };
  const token = { input_token: 'sandbox-meta-token' };
  const now = sandbox.clock.now().epochMilliseconds / 1000;
  order('token', { expiresInDays: 5, scopes: [] });
  expect(await ask('debug_token', token)).toMatchObject({
    data: { is_valid: true, expires_at: now + 5 * 86_400, scopes: [] },
  });
  order('token', { valid: false });
  expect(await ask('debug_token', token)).toMatchObject({ data: { is_valid: false } });
  order('ad_account', { account_status: 3 });
  expect(await ask(`act_${account}`, { fields: 'account_status' })).toMatchObject({ account_status: 3 });
});
