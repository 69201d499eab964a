/** `--from` and `--to`, as people write ranges of days. */
import { ConfigError } from '@floyo/shared/errors';
import { addDays, type Day, type DayWindow } from '@floyo/shared/window';

/** Both days included, as a half-open window. */
export function daysOption(from: Day, to: Day): DayWindow {
  if (from > to)
    throw new ConfigError([{ variable: '--from', message: `${from} is after --to ${to}` }], 'usage');
  return { from, to: addDays(to, 1) };
}
