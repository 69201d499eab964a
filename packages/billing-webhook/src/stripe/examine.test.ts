/** What doctor says of a Stripe account, and which events it has to send. */
import { readFileSync } from 'node:fs';

import { afterEach, expect, it } from 'vitest';

import type { Finding } from '@floyo/shared/connector';
import { createTestIo, type VendorRequest } from '@floyo/shared/testing/vendor';

import { createStripeClient } from './client.ts';
import { EVENT_GROUPS, EVENT_TYPES } from './event-types.ts';
import { examineStripe } from './examine.ts';
import { LIVE_KEY } from './testing/harness.ts';
import { type MiniStripe, seconds, startMiniStripe } from './testing/mini-stripe.ts';

const NOW = '2026-11-21T09:00:00Z';
const FAST = { pacer: { claim: () => 0, take: () => Promise.resolve() } };

let mini: MiniStripe | undefined;
afterEach(async () => mini?.close());

async function examine(
  prepare: (mini: MiniStripe) => void,
  secretKey = LIVE_KEY,
): Promise<readonly Finding[]> {
  mini = await startMiniStripe(NOW);
  prepare(mini);
  const client = createStripeClient({ secretKey, baseUrl: mini.url }, FAST);
  return examineStripe(client, createTestIo({ now: NOW }));
}

const endpoint = (more: Record<string, unknown>) => ({
  id: 'we_1',
  object: 'webhook_endpoint',
  created: seconds('2026-01-01T00:00:00Z'),
  livemode: true,
  url: 'https://billing.example.com/webhooks/stripe?token=secret',
  status: 'enabled',
  enabled_events: [...EVENT_TYPES],
  api_version: '2026-10-28.endive',
  ...more,
});

const levels = (findings: readonly Finding[]) =>
  Object.fromEntries(findings.map(({ check, level }) => [check, level]));

it('says that all is well when it is', async () => {
  const findings = await examine((stripe) => stripe.put(endpoint({})));
  expect(levels(findings)).toEqual({
    key: 'ok',
    'API version': 'ok',
    access: 'ok',
    'webhook endpoint': 'ok',
    deliveries: 'ok',
  });
});

it('names each list that the key may not read, and the right that is missing', async () => {
  const findings = await examine((stripe) => {
    stripe.put(endpoint({}));
    stripe.intercept = ({ path }: VendorRequest) =>
      path === '/v1/charges' || path === '/v1/disputes' || path === '/v1/webhook_endpoints'
        ? {
            status: 403,
            body: { error: { message: `The key 'rk_live_abc' needs rak_${path.slice(4)}_read` } },
          }
        : undefined;
  });
  expect(levels(findings)).toMatchObject({
    'access to charges': 'error',
    'access to disputes': 'error',
    'webhook endpoint': 'ok',
  });
  expect(findings.find(({ check }) => check === 'access to charges')?.fix).toContain('rak_charges_read');
  expect(JSON.stringify(findings)).not.toContain('rk_live_abc');
});

it('warns of a test key, a disabled or incomplete endpoint, a newer version and failed deliveries', async () => {
  const disabled = await examine(
    (stripe) => stripe.put({ ...endpoint({ status: 'disabled' }), livemode: false }),
    'sk_test_abc',
  );
  expect(levels(disabled)).toMatchObject({ key: 'warning', 'webhook endpoint': 'warning' });
  const findings = await examine((stripe) => {
    stripe.put(
      endpoint({
        enabled_events: EVENT_TYPES.filter((type) => type !== 'coupon.deleted'),
        api_version: '2027-03-31.future',
      }),
    );
    stripe.intercept = ({ query }) =>
      query.get('delivery_success') === 'false'
        ? {
            body: {
              object: 'list',
              data: [{ id: 'evt_1', object: 'event', created: seconds(NOW), livemode: true }],
              has_more: false,
            },
          }
        : undefined;
  });
  expect(levels(findings)).toMatchObject({
    'webhook endpoint': 'warning',
    'webhook endpoint version': 'warning',
    deliveries: 'warning',
  });
  expect(findings.find(({ check }) => check === 'webhook endpoint')?.message).toContain('coupon.deleted');
  expect(JSON.stringify(findings)).not.toContain('token=secret');
});

it('a key that does not work is all there is to say', async () => {
  const findings = await examine((stripe) => {
    stripe.intercept = () => ({
      status: 401,
      body: { error: { message: 'Invalid API Key provided: sk_live_ha****1' } },
    });
  });
  expect(levels(findings)).toEqual({ key: 'error', 'API version': 'ok' });
});

it('asks for at most 20 types of event at once', () => {
  expect(Math.max(...EVENT_GROUPS.map((group) => group.length))).toBeLessThanOrEqual(20);
  expect(new Set(EVENT_TYPES).size).toBe(EVENT_TYPES.length);
});

it('asks for the events that the README tells people to send', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, told = ''] =
    /event types of `src\/stripe\/event-types\.ts`:(.*?)Others do no harm/s.exec(readme) ?? [];
  // `customer.created/updated` stands for both.
  const types = [...told.matchAll(/`([\w.]+)\.([\w/]+)`/g)].flatMap(([, family = '', endings = '']) =>
    endings.split('/').map((ending) => `${family}.${ending}`),
  );
  expect(types.toSorted()).toEqual(EVENT_TYPES.toSorted());
});

it('hears of every turn in the life of a charge', () => {
  expect(EVENT_TYPES).toEqual(
    expect.arrayContaining(
      ['pending', 'succeeded', 'failed', 'captured', 'expired', 'refunded', 'updated'].map(
        (turn) => `charge.${turn}`,
      ),
    ),
  );
});
