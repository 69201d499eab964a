import { expect, test } from 'vitest';

import { countText } from './schemas.ts';

const MOST = '9223372036854775807';

test.each(['0', '007', 12, MOST, `000${MOST}`])('%j is a count', (value) => {
  expect(countText.safeParse(value)).toMatchObject({ success: true, data: String(value) });
});

test.each([
  ['9223372036854775808', `is more than ${MOST}`],
  ['99999999999999999999', `is more than ${MOST}`],
  ['more than nineteen letters', 'is not a count'],
  ['-1', 'is not a count'],
  [1e20, 'has lost digits'],
])('%j is none: %s', (value, reason) => {
  const { error } = countText.safeParse(value);
  expect(JSON.stringify(error?.issues)).toContain(reason);
});
