/** Page sizes go down when refused and up when all is well. */
import { expect, it } from 'vitest';

import { PageTooLargeError } from './errors.ts';
import { createPageSize, type PageSize } from './page-size.ts';

const tooSlow = new PageTooLargeError({ type: 'upstream', message: 'slow', isPermanent: false });
const tooDear = new PageTooLargeError({ type: 'contract', message: 'dear', isPermanent: true });

function succeed(size: PageSize, times: number): number {
  for (let page = 0; page < times; page += 1) size.succeed();
  return size.first;
}

it('goes down step by step and says when there is nothing smaller', () => {
  const size = createPageSize();
  const seen = [size.first];
  while (size.canShrink && size.shrink(tooSlow)) seen.push(size.first);
  expect(seen).toEqual([100, 50, 25, 10]);
  expect(size.shrink(tooSlow)).toBe(false);
});

it('grows again after good pages', () => {
  const size = createPageSize();
  size.shrink(tooSlow);
  size.shrink(tooSlow);
  expect(succeed(size, 2)).toBe(25);
  expect(succeed(size, 1)).toBe(50);
  expect(succeed(size, 3)).toBe(100);
});

it('never goes back to a size that costs too much', () => {
  const size = createPageSize();
  size.shrink(tooDear);
  size.shrink(tooSlow);
  expect(succeed(size, 20)).toBe(50);
});
