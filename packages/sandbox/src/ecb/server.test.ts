import { strFromU8, unzipSync } from 'fflate';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import type { Sandbox } from '../index.ts';
import { startSandbox } from '../index.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({ now: '2026-11-20T15:30:00Z' });
});
afterEach(() => {
  sandbox.faults.clear();
  sandbox.clock.set('2026-11-20T15:30:00Z');
});
afterAll(() => sandbox.close());

const readCsv = async (): Promise<string> => (await fetch(`${sandbox.url}/ecb/eurofxref-hist.csv`)).text();

test('the zip holds the CSV: newest first, a trailing empty column, N/A for what has ended', async () => {
  const bytes = new Uint8Array(await (await fetch(`${sandbox.url}/ecb/eurofxref-hist.zip`)).arrayBuffer());
  const csv = strFromU8(unzipSync(bytes)['eurofxref-hist.csv'] ?? new Uint8Array());
  expect(csv).toBe(await readCsv());
  const lines = csv.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^Date,USD,JPY,.*,$/);
  expect(lines[1]).toMatch(/^2026-11-20,.*,N\/A,.*,$/);
  expect(lines.at(-2)).toMatch(/^2009-01-02,/);
  expect(lines.at(-1)).toMatch(/^1999-01-04,(N\/A,)+$/);
});

test('a day appears at 16:00 in Frankfurt, and what was published never changes', async () => {
  sandbox.clock.set('2026-11-20T14:59:00Z');
  const before = await readCsv();
  expect(before).not.toContain('2026-11-20');
  sandbox.clock.set('2026-11-20T15:00:00Z');
  const after = await readCsv();
  expect(after).toContain('2026-11-20');
  expect(after.endsWith(before.slice(before.indexOf('\n2026-11-19')))).toBe(true);
  sandbox.clock.set('2026-11-22T15:00:00Z');
  expect(await readCsv()).toBe(after);
});

test('a broken file can be ordered', async () => {
  sandbox.faults.add({ vendor: 'ecb', kind: 'truncated' });
  const cut = new Uint8Array(await (await fetch(`${sandbox.url}/ecb/eurofxref-hist.zip`)).arrayBuffer());
  expect(() => unzipSync(cut)).toThrow();
  sandbox.faults.add({ vendor: 'ecb', kind: 'server_error' });
  expect((await fetch(`${sandbox.url}/ecb/eurofxref-hist.zip`)).status).toBe(503);
});
