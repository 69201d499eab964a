/** Stripe's API as the client reads it: pages that fit together, limits, errors, and the time an answer is of. */
import { afterEach, describe, expect, it } from 'vitest';

import { AccountPausedError, PipelineError } from '@floyo/shared/errors';
import { matching } from '@floyo/shared/testing/matchers';
import {
  createTestIo,
  startTestVendor,
  type TestVendor,
  type VendorAnswer,
  type VendorRequest,
} from '@floyo/shared/testing/vendor';

import { API_VERSION, createStripeClient, type Page, REVIEW_API_VERSION_BY } from './client.ts';
import { MissingObjectError } from './errors.ts';
import { createPacer } from './pacing.ts';
import { readEvents } from './read-events.ts';

const NOW = '2026-11-21T12:00:00Z';
const KEY = 'sk_live_client123';
const DATE = { date: 'Sat, 21 Nov 2026 12:00:07 GMT' };
const timing = { pauses: { rateLimitMs: 1, lockMs: 1 } };

let vendor: TestVendor | undefined;
afterEach(async () => vendor?.close());

async function clientFor(
  answer: (request: VendorRequest, index: number) => VendorAnswer,
  { secretKey = KEY, waitBudgetMs = 1_000 } = {},
) {
  vendor = await startTestVendor((request, index) => {
    const { headers, ...rest } = answer(request, index);
    return { ...rest, headers: { ...DATE, ...headers } };
  });
  const client = createStripeClient({ secretKey, baseUrl: vendor.url }, timing);
  return { client, io: createTestIo({ now: NOW, waitBudgetMs }), requests: vendor.requests };
}

/** Customers with falling times of creation, served as Stripe pages them. */
function listOf(count: number, pageSize: number) {
  const all = Array.from({ length: count }, (_, index) => ({
    id: `cus_${index}`,
    object: 'customer',
    created: 1_000_000 - index,
    livemode: true,
  }));
  return ({ query }: VendorRequest): VendorAnswer => {
    const after = query.get('starting_after');
    const start = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1;
    const data = all.slice(start, start + pageSize);
    return { body: { object: 'list', data, has_more: start + pageSize < count } };
  };
}

async function collectPages(pages: AsyncIterable<Page>): Promise<Page[]> {
  const all: Page[] = [];
  for await (const page of pages) all.push(page);
  return all;
}

function customer(id: string, created: number, more: object = {}) {
  return { id, object: 'customer', created, livemode: true, ...more };
}

describe('a list', () => {
  it('is read to its end, with the pinned version and a key by header alone', async () => {
    const { client, io, requests } = await clientFor(listOf(250, 100));
    const pages = await collectPages(client.list(io, 'customers'));
    expect(pages.flatMap(({ objects }) => objects).map(({ id }) => id)).toEqual(
      Array.from({ length: 250 }, (_, index) => `cus_${index}`),
    );
    expect(requests).toHaveLength(3);
    expect(requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'stripe-version': API_VERSION,
    });
    expect(requests[1]?.query.get('starting_after')).toBe('cus_99');
    expect(requests.every(({ url }) => !url.includes(KEY))).toBe(true);
  });

  it.each([
    [
      'says that there is more and brings nothing',
      () => ({ object: 'list', data: [], has_more: true }),
      /brings nothing/,
    ],
    [
      'stands still',
      () => ({ object: 'list', data: [customer('cus_1', 10)], has_more: true }),
      /an object twice/,
    ],
    [
      'is out of order',
      () => ({ object: 'list', data: [customer('cus_1', 10), customer('cus_2', 11)], has_more: false }),
      /not newest first/,
    ],
    [
      'is of the other mode',
      () => ({ object: 'list', data: [customer('cus_1', 10, { livemode: false })], has_more: false }),
      /answered a live key with a test object/,
    ],
    ['does not say whether there is more', () => ({ object: 'list', data: [] }), /expected shape/],
  ])('that %s is refused', async (_, body, message) => {
    const { client, io } = await clientFor(() => ({ body: body() }));
    await expect(collectPages(client.list(io, 'customers'))).rejects.toMatchObject({
      type: 'contract',
      message: matching(message),
    });
  });

  it('of other days than were asked for is refused: a filter that is ignored is no filter', async () => {
    const { client, io } = await clientFor(listOf(3, 100));
    const pages = client.list(io, 'charges', {}, { created: { from: 999_999, to: 1_000_000 } });
    await expect(collectPages(pages)).rejects.toThrow(/another time/);
  });

  it('that breaks off is asked for again', async () => {
    const answer = listOf(2, 100);
    const { client, io, requests } = await clientFor((request, index) =>
      index === 0 ? { body: '{"object":"list","data":[{"id":"cus' } : answer(request),
    );
    expect(await collectPages(client.list(io, 'customers'))).toHaveLength(1);
    expect(requests).toHaveLength(2);
  });
});

describe('when Stripe refuses', () => {
  const limit = { type: 'invalid_request_error', code: 'rate_limit', message: 'Too many requests' };
  const lock = { ...limit, code: 'lock_timeout', message: 'This object cannot be accessed right now' };

  it('calls that come too fast, and objects that are locked, are waited for', async () => {
    const answer = listOf(150, 100);
    const { client, io, requests } = await clientFor((request, index) => {
      if (index === 0 || index === 2) return { status: 429, body: { error: limit } };
      if (index === 1) return { status: 429, body: { error: lock } };
      return answer(request);
    });
    const pages = await collectPages(client.list(io, 'customers'));
    expect(pages.flatMap(({ objects }) => objects)).toHaveLength(150);
    expect(requests).toHaveLength(5);
    expect(io.http.counts).toMatchObject({ apiCalls: 5, retries: 0 });
    expect(io.http.counts.throttledMs).toBeGreaterThan(0);
  });

  it('for longer than a run may wait, the account is paused', async () => {
    const { client, io } = await clientFor(
      () => ({ status: 429, headers: { 'retry-after': '60' }, body: { error: limit } }),
      { waitBudgetMs: 5_000 },
    );
    await expect(collectPages(client.list(io, 'customers'))).rejects.toBeInstanceOf(AccountPausedError);
  });

  it.each([
    [401, { message: 'Invalid API Key provided: sk_live_cli****123' }, 'auth', /STRIPE_SECRET_KEY/],
    [
      403,
      { message: "Having the 'rak_charge_read' permission would allow this request" },
      'permission',
      /rak_charge_read/,
    ],
    [400, { message: 'Received unknown parameter' }, 'contract', /API may have changed/],
  ])('HTTP %d is told with what to do, without the key', async (status, error, type, advice) => {
    const { client, io, requests } = await clientFor(() => ({ status, body: { error } }));
    const thrown: unknown = await client.page(io, 'charges', {}).catch((reason: unknown) => reason);
    expect(thrown).toMatchObject({ type, advice: matching(advice) });
    expect(thrown instanceof PipelineError && thrown.message).not.toMatch(/sk_live/);
    expect(requests).toHaveLength(1);
  });

  it('a server error and a reset are tried again; what is gone is told as gone', async () => {
    const { client, io } = await clientFor(({ path }, index) => {
      if (path.endsWith('/cus_gone')) return { status: 404, body: { error: { code: 'resource_missing' } } };
      return index < 2 ? { status: 500, body: 'oops' } : { body: customer('cus_1', 1) };
    });
    expect(await client.get(io, 'customers/cus_1')).toMatchObject({ object: { id: 'cus_1' } });
    expect(io.http.counts.retries).toBe(2);
    await expect(client.get(io, 'customers/cus_gone')).rejects.toBeInstanceOf(MissingObjectError);
  });
});

it('an answer is of the second before it was begun, by the clock of Stripe', async () => {
  const { client, io } = await clientFor(() => ({ body: customer('cus_1', 1) }));
  expect(await client.get(io, 'customers/cus_1')).toMatchObject({
    fetchedAt: matching(/^2026-11-21T12:00:0[56]\.000Z$/),
  });
});

it('events come oldest first, however many pages they are and few are kept', async () => {
  const { client, io, requests } = await clientFor(listOf(45, 10));
  const pages = await collectPages(readEvents(client, io, ['charge.failed'], { from: 1, to: 2_000_000 }, 2));
  const ids = pages.flatMap(({ objects }) => objects).map(({ id }) => id);
  expect(ids).toEqual(Array.from({ length: 45 }, (_, index) => `cus_${44 - index}`));
  expect(requests).toHaveLength(5 + 3);
  expect(requests[0]?.query.getAll('types[]')).toEqual(['charge.failed']);
});

it.each([
  ['live', true, ['charges'], 25],
  ['live', true, ['charges', 'invoices', 'refunds', 'disputes', 'customers'], 75],
  ['test', false, ['charges', 'invoices'], 20],
] as const)('a %s key is kept under the limits in any second (%#)', (_mode, livemode, endpoints, most) => {
  const pacer = createPacer(livemode, () => 0);
  const times = Array.from({ length: 60 }, () =>
    endpoints.map((endpoint) => Math.max(pacer.claim(endpoint), 0)),
  )
    .flat()
    .sort((a, b) => a - b);
  const inSecond = times.map((from) => times.filter((time) => time >= from && time < from + 1000).length);
  expect(Math.max(...inSecond)).toBeLessThanOrEqual(most);
  expect(Math.max(...inSecond)).toBeGreaterThan(most * 0.9);
});

it('the pinned version has a day on which somebody looks at it again', () => {
  expect(REVIEW_API_VERSION_BY > API_VERSION.slice(0, 10)).toBe(true);
});
