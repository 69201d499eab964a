/** A bulk file is believed only when its bytes, lines and orders are what Shopify counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestIo, startTestVendor, type TestVendor } from '@floyo/shared/testing/vendor';

import { type BulkFile, fetchBulkFile } from './bulk-file.ts';
import type { BulkOperation } from './bulk-operations.ts';

const order = (id: number): string =>
  `{"__typename":"Order","id":"gid:\\/\\/shopify\\/Order\\/${id}","name":"#ä${id}"}`;
const line = (id: number, owner: number): string =>
  `{"__typename":"LineItem","id":"gid:\\/\\/shopify\\/LineItem\\/${id}","__parentId":"gid:\\/\\/shopify\\/Order\\/${owner}"}`;
const body = `${[order(1), order(2), line(1, 2), line(2, 1), line(3, 2)].join('\n')}\n`;
const whole = { objectCount: 5, rootObjectCount: 2, fileSize: Buffer.byteLength(body) };

let vendor: TestVendor;
beforeAll(async () => {
  vendor = await startTestVendor(({ path }) => (path === '/gone' ? { status: 403, body: '' } : { body }));
});
afterAll(() => vendor.close());

const io = createTestIo({ now: '2026-11-21T09:00:00Z' });

function fetchFile(counts: Partial<BulkOperation> = {}, path = '/file'): Promise<BulkFile> {
  const operation = {
    id: 'gid://shopify/BulkOperation/1',
    status: 'COMPLETED',
    errorCode: null,
    query: '',
    url: '',
  };
  return fetchBulkFile({ ...operation, ...whole, ...counts }, `${vendor.url}${path}?Signature=secret`, io);
}

it('gives orders with their children', async () => {
  const file = await fetchFile();
  const orders: [unknown, number][] = [];
  for await (const bucket of file.read())
    orders.push(
      ...bucket.orders.map((found): [unknown, number] => [found.order['name'], found.lineItems.length]),
    );
  await file.remove();
  expect(orders).toEqual([
    ['#ä1', 1],
    ['#ä2', 2],
  ]);
});

it('keeps each order with its children when there are many buckets', async () => {
  // One line is long enough for a second bucket.
  const long = `${order(3).slice(0, -1)},"note":"${'x'.repeat(9_000_000)}"}`;
  const lines = [
    ...Array.from({ length: 9 }, (_, id) => line(id, id % 3)),
    order(0),
    order(1),
    order(2),
    long,
  ];
  const text = `${lines.join('\n')}\n`;
  const large = await startTestVendor(() => ({ body: text }));
  const operation = { id: '1', status: 'COMPLETED', errorCode: null, query: '', url: '' };
  const counts = { objectCount: 13, rootObjectCount: 4, fileSize: Buffer.byteLength(text) };
  const file = await fetchBulkFile({ ...operation, ...counts }, large.url, io);
  const found: [string, number][] = [];
  let buckets = 0;
  for await (const { orders, orphans } of file.read()) {
    buckets += 1;
    expect(orphans).toEqual([]);
    found.push(
      ...orders.map((each): [string, number] => [String(each.order['name']), each.lineItems.length]),
    );
  }
  await Promise.all([file.remove(), large.close()]);
  expect(buckets).toBe(2);
  expect(new Map(found)).toEqual(
    new Map([
      ['#ä0', 3],
      ['#ä1', 3],
      ['#ä2', 3],
      ['#ä3', 0],
    ]),
  );
});

describe('is refused', () => {
  it.each([
    ['a byte more', { fileSize: whole.fileSize + 1 }],
    ['a line more', { objectCount: 6 }],
    ['a line less', { objectCount: 4 }],
    ['an order more', { rootObjectCount: 3 }],
  ])('when Shopify counted %s', async (_name, counts) => {
    await expect(fetchFile(counts)).rejects.toMatchObject({ type: 'truncated' });
  });

  it('when it can not be had, without showing the signature', async () => {
    const failure = await fetchFile({}, '/gone').catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'upstream', retryable: false });
    expect(JSON.stringify(failure)).not.toContain('secret');
  });
});
