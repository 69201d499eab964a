import { afterEach, expect, test } from 'vitest';

import {
  collect,
  createTestIo,
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
} from '@floyo/shared/testing/vendor';

import { createMetaClient } from './client.ts';
import { createWindowReader } from './read-window.ts';
import { FAST } from './testing/harness.ts';

let vendor: TestVendor | undefined;
afterEach(() => vendor?.close());

const record = (ad: string) => ({ ad_id: ad, date_start: '2026-11-20' });
const page = (ads: readonly string[], after?: string): VendorAnswer => ({
  body: {
    data: ads.map(record),
    paging: { cursors: { after: after ?? 'end' }, ...(after ? { next: 'x' } : {}) },
  },
});
const tooSlow: VendorAnswer = { status: 400, body: { error: { code: 100, error_subcode: 1504018 } } };

async function read(answers: Readonly<Record<string, readonly VendorAnswer[]>>): Promise<unknown[]> {
  const left = Object.fromEntries(Object.entries(answers).map(([path, list]) => [path, [...list]]));
  vendor = await startTestVendor(
    ({ path }) => left[path.replace('/v26.0/', '')]?.shift() ?? { status: 404, body: {} },
  );
  const config = {
    ...{ accessToken: 'token', accountIds: ['1'], apiVersion: 'v26.0', conversionAction: 'purchase' },
    baseUrl: vendor.url,
  };
  const reader = createWindowReader(createMetaClient(config, '1', FAST));
  return collect(
    reader.read(createTestIo({ now: '2026-11-21T09:00:00Z' }), { from: '2026-11-20', to: '2026-11-21' }),
  );
}

test('what was read before the call got too slow does not come again with the report', async () => {
  const records = await read({
    'act_1/insights': [page(['1', '2'], 'c1'), tooSlow, { body: { report_run_id: '60000001' } }],
    '60000001': [{ body: { async_status: 'Job Completed', async_percent_completion: 100 } }],
    '60000001/insights': [page(['1', '2', '3'])],
  });
  expect(records).toEqual(['1', '2', '3'].map(record));
});

test('a report that is started without saying which, or that tells no status, is a changed API', async () => {
  await expect(read({ 'act_1/insights': [tooSlow, { body: { ok: true } }] })).rejects.toMatchObject({
    type: 'contract',
  });
  await expect(
    read({
      'act_1/insights': [tooSlow, { body: '{"report_run_id":6023920149050123456789}' }],
      '6023920149050123456789': [{ body: { state: 'fine' } }],
    }),
  ).rejects.toMatchObject({ type: 'contract' });
});
