/** What `demo --keep` prints for another terminal. */
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';

import { formatExports, startDemoVendors } from './demo-vendors.ts';

test('another terminal stands where the demo ended, not where it began', async () => {
  const yesterday = Temporal.Instant.from('2026-11-20T12:00:00Z');
  await using vendors = await startDemoVendors(yesterday, { FLOYO_HOME: '/somewhere/demo' });
  const now = yesterday.add({ hours: 24 });
  vendors.moveTo(now);
  const lines = formatExports(vendors.env()).split('\n');
  expect(lines.filter((line) => line.startsWith('export FLOYO_'))).toEqual([
    'export FLOYO_NOW=2026-11-21T12:00:00Z',
    'export FLOYO_HOME=/somewhere/demo',
  ]);
  expect(lines).toContainEqual(
    expect.stringMatching(/^export META_BASE_URL=http:\/\/127\.0\.0\.1:\d+\/meta$/),
  );
});
