/** The stripe account that the sandbox has unless a test brings its own: some dozens of customers over two years. */
import type { VendorContext } from '../core.ts';
import { type Lives, makeLives } from './lives.ts';
import { FAMILIES } from './objects.ts';

/** Every kind of life twice. */
const CUSTOMERS = 92;
const MONTHS = { before: 24, after: 4 };

/** From two years before the clock's month on, so that the account is the same on every day of a month. */
export function makeDefaultLives(
  { clock, seed }: Pick<VendorContext, 'clock' | 'seed'>,
  customers = CUSTOMERS,
): Lives {
  const month = clock.now().toZonedDateTimeISO('UTC').toPlainDate().with({ day: 1 });
  return makeLives({
    seed,
    customers,
    from: month.subtract({ months: MONTHS.before }).toString(),
    to: month.add({ months: MONTHS.after }).toString(),
    families: FAMILIES,
  });
}
