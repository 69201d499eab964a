/** How many orders a page asks for: fewer when Shopify finds them too much, more again when it copes. */
import type { PageTooLargeError } from './errors.ts';

export interface PageSize {
  readonly first: number;
  readonly canShrink: boolean;
  /** After a refusal. False when there is nothing smaller. */
  shrink(error: PageTooLargeError): boolean;
  /** After a good page. */
  succeed(): void;
}

const SIZES = [100, 50, 25, 10];
const PAGES_BEFORE_GROWING = 3;

export function createPageSize(): PageSize {
  let place = 0;
  /** Sizes before it cost too much, whatever the load. */
  let largest = 0;
  let good = 0;
  return {
    get first() {
      return SIZES[place] ?? 10;
    },
    get canShrink() {
      return place < SIZES.length - 1;
    },
    shrink(error) {
      good = 0;
      if (place === SIZES.length - 1) return false;
      place += 1;
      if (error.isPermanent) largest = place;
      return true;
    },
    succeed() {
      good += 1;
      if (good < PAGES_BEFORE_GROWING || place <= largest) return;
      place -= 1;
      good = 0;
    },
  };
}
