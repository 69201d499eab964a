/** What the command line's options may say, as values. */
import { InvalidArgumentError } from 'commander';

import { ConfigError } from '@floyo/shared/errors';
import { addDays, type Day, type DayWindow, isDay } from '@floyo/shared/window';

/** The euro's first: no source has anything older, and centuries of empty days would take hours. */
const FIRST_DAY = '1999-01-01';
/** The last day whose next one is a day of four digits, as every day here. */
const LAST_DAY = '9999-12-30';

/** What is wrong with a day, if anything. */
export function dayProblem(text: string): string | undefined {
  if (!isDay(text)) return 'It must be a day that exists, YYYY-MM-DD.';
  return text < FIRST_DAY ? `The first day is ${FIRST_DAY}: there is no older rate.` : undefined;
}

/** `YYYY-MM-DD`. Throws InvalidArgumentError, as all of these do. */
export function parseDay(text: string): string {
  const problem = dayProblem(text);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return text;
}

/** `--from` and `--to`, both days included, as a half-open window. Throws ConfigError when they are the wrong way round. */
export function daysOption(from: Day, to: Day): DayWindow {
  if (from > to)
    throw new ConfigError([{ variable: '--from', message: `${from} is after --to ${to}` }], 'usage');
  return { from, to: addDays(to < LAST_DAY ? to : LAST_DAY, 1) };
}

/** Words between commas, at least one. */
export function parseList(text: string): string[] {
  const words = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (words.length === 0) throw new InvalidArgumentError('It must name at least one.');
  return words;
}

/** How many windows are read at once. */
export function parseAgents(text: string): number {
  const agents = Number(text);
  if (!Number.isInteger(agents) || agents < 1 || agents > 10)
    throw new InvalidArgumentError('It must be a number from 1 to 10.');
  return agents;
}

/** `90s`, `10m`, `1h` or plain seconds, in milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(s|m|h)?$/.exec(text);
  const factor = { s: 1_000, m: 60_000, h: 3_600_000 }[match?.[2] ?? 's'];
  if (match?.[1] === undefined || factor === undefined)
    throw new InvalidArgumentError('It must be a duration such as 90s, 10m or 1h.');
  return Number(match[1]) * factor;
}
