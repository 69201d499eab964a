import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Sandbox } from './index.ts';
import { startSandbox } from './index.ts';
import { metaAccounts } from './world/accounts.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: '2026-11-21T12:00:00Z' });
});
afterAll(() => sandbox.close());

const control = (method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${sandbox.url}/_sandbox/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const account = metaAccounts[0]?.id ?? '';
const askAccount = (): Promise<Response> =>
  fetch(`${sandbox.env['META_BASE_URL'] ?? ''}/v26.0/act_${account}?fields=name,currency,timezone_name`, {
    headers: { authorization: `Bearer ${sandbox.env['META_ACCESS_TOKEN'] ?? ''}` },
  });

test('the environment points every source at the sandbox', () => {
  expect(sandbox.env).toMatchObject({
    FLOYO_NOW: '2026-11-21T12:00:00Z',
    META_AD_ACCOUNT_IDS: metaAccounts.map(({ id }) => id).join(','),
    TIKTOK_BASE_URL: `${sandbox.url}/tiktok`,
    SHOPIFY_BASE_URL: `${sandbox.url}/shopify`,
    ECB_BASE_URL: `${sandbox.url}/ecb`,
  });
});

test('another process can move the clock; a wrong instant is refused', async () => {
  expect((await control('POST', 'clock', { now: '2026-12-01T00:00:00Z' })).status).toBe(200);
  expect(sandbox.clock.now().toString()).toBe('2026-12-01T00:00:00Z');
  expect((await control('POST', 'clock', { now: 'tomorrow' })).status).toBe(400);
});

test('another process can order faults and clear them', async () => {
  expect((await control('POST', 'faults', { vendor: 'meta', kind: 'server_error', times: -1 })).status).toBe(
    201,
  );
  expect((await askAccount()).status).toBe(500);
  expect((await control('DELETE', 'faults')).status).toBe(204);
  expect((await askAccount()).status).toBe(200);
  expect((await control('POST', 'faults', { vendor: 'meta', kind: 'flood' })).status).toBe(400);
});

test('requests are counted with vendor, account and status', async () => {
  await control('DELETE', 'requests');
  await askAccount();
  expect(await (await control('GET', 'requests')).json()).toEqual([
    {
      vendor: 'meta',
      method: 'GET',
      path: `/meta/v26.0/act_${account}`,
      account,
      status: 200,
      at: sandbox.clock.now().toString(),
    },
  ]);
  expect(sandbox.log.count('meta')).toBe(1);
  expect(sandbox.log.count('tiktok')).toBe(0);
});

test('a connection can break in the middle of an answer', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'reset' });
  const response = await askAccount();
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  expect((await askAccount()).status).toBe(200);
});

test('an answer can be no JSON at all, or late', async () => {
  sandbox.faults.add({ vendor: 'meta', kind: 'not_json' });
  const page = await askAccount();
  expect(page.status).toBe(502);
  expect(await page.text()).toContain('Bad Gateway');
  sandbox.faults.add({ vendor: 'meta', kind: 'latency', value: { ms: 30 } });
  const begin = performance.now();
  await askAccount();
  expect(performance.now() - begin).toBeGreaterThan(25);
});

test('the command prints exports that a shell can evaluate', async () => {
  const script = `
    node "${import.meta.dirname}/main.ts" --port 0 --now 2026-11-21T12:00:00Z >"$1" & pid=$!
    while ! grep -q requests "$1"; do :; done
    . "$1"; kill -INT $pid; wait $pid; echo "$FLOYO_NOW $META_ACCESS_TOKEN $?"`;
  const { stdout } = await promisify(execFile)(
    'bash',
    ['-c', `f=$(mktemp); set -- "$f"; ${script}; rm "$f"`],
    {
      env: {
        ...process.env,
        PATH: `${process.execPath.replace(/\/node$/, '')}:${process.env['PATH'] ?? ''}`,
      },
    },
  );
  expect(stdout.trim()).toBe('2026-11-21T12:00:00Z sandbox-meta-token 0');
});
