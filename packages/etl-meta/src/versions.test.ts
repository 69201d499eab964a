import { expect, test } from 'vitest';

import { PipelineError } from '@floyo/shared/errors';

import { DEFAULT_API_VERSION, ENDS_ON, refuseExpiredVersion, REVIEW_DEFAULT_VERSION_BY } from './versions.ts';

test('the default version has not ended, and its end was looked up not long ago', () => {
  const today = new Date().toISOString().slice(0, 10);
  expect(() => refuseExpiredVersion(DEFAULT_API_VERSION, today)).not.toThrow();
  expect(
    today < REVIEW_DEFAULT_VERSION_BY,
    "read Meta's changelog of the Marketing API, update ENDS_ON and DEFAULT_API_VERSION, then move the review date",
  ).toBe(true);
});

test('a version is refused from the day on which it ends', () => {
  const endsOn = ENDS_ON['v24.0'] ?? '';
  expect(() => refuseExpiredVersion('v24.0', '2026-10-05')).not.toThrow();
  expect(() => refuseExpiredVersion('v24.0', endsOn)).toThrow(PipelineError);
  expect(() => refuseExpiredVersion('v24.0', '2027-01-01')).toThrow('v24.0 ended on 2026-10-06');
});

test('versions older than all known ones are refused, newer ones are left to the answers', () => {
  expect(() => refuseExpiredVersion('v19.0', '2026-11-21')).toThrow(/v19\.0 ended/);
  expect(() => refuseExpiredVersion('v27.0', '2026-11-21')).not.toThrow();
});
