/**
 * One day that is too much at once, in parts: halves of its campaigns, then of a campaign's ad sets, of an ad set's ads,
 * and an ad's fields in groups. Splitting by id always passes every status, or Meta would leave out what is not active.
 */
import { z } from 'zod';

import { PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import { addDays, type DayWindow } from '@floyo/shared/window';

import { FIELDS, IDENTITY_FIELDS, insightsParameters, type Level, LEVELS, type Within } from './query.ts';
import type { ReadQuery } from './read-window.ts';

/** Pages of the day's records. Throws `truncated` when there is something that Meta gives in no way. */
export async function* readDayInParts(
  window: DayWindow,
  read: ReadQuery,
): AsyncGenerator<readonly unknown[]> {
  yield* readWithin(undefined, 'campaign');

  /** Everything in `parent` (the account when undefined), one `level` at a time. */
  async function* readWithin(parent: Within | undefined, level: Level): AsyncGenerator<readonly unknown[]> {
    const ids = await listIds(parent, level);
    // All of it was too much: with a single one, asking for that would be the same question.
    if (ids.length === 1) yield* readSmaller(level, ids);
    else for (const half of halves(ids)) yield* readObjects(level, half);
  }

  async function* readObjects(level: Level, ids: readonly string[]): AsyncGenerator<readonly unknown[]> {
    const within = { level, ids };
    const isSingleAd = level === 'ad' && ids.length === 1;
    const missing = new Set(ids);
    try {
      for await (const page of read(insightsParameters(window, { within }), !isSingleAd)) {
        for (const record of page) missing.delete(textOf(record, `${level}_id`) ?? '');
        yield page;
      }
    } catch (error) {
      if (!(error instanceof WindowTooLargeError)) throw error;
      yield* ids.length > 1 ? readHalves(level, ids) : readSmaller(level, ids);
      return;
    }
    const [first] = missing;
    if (first !== undefined) throw unreadable(window, `${level} ${first} has figures and its ads have none`);
  }

  async function* readHalves(level: Level, ids: readonly string[]): AsyncGenerator<readonly unknown[]> {
    for (const half of halves(ids)) yield* readObjects(level, half);
  }

  /** A single object that is too much: what is in it, or in the end its fields in groups. */
  function readSmaller(level: Level, ids: readonly string[]): AsyncGenerator<readonly unknown[]> {
    const next = LEVELS[LEVELS.indexOf(level) + 1];
    return next === undefined ? readFields({ level, ids }) : readWithin({ level, ids }, next);
  }

  /** The ids of all objects of a level that have figures on the day; hardly anything is asked of each. */
  async function listIds(parent: Within | undefined, level: Level): Promise<string[]> {
    const ids = new Set<string>();
    const parameters = insightsParameters(window, { level, fields: [`${level}_id`], within: parent });
    for await (const page of orUnreadable(read(parameters, false), `the list of ${level}s`))
      for (const record of page) {
        const id = textOf(record, `${level}_id`);
        if (id === undefined) throw unreadable(window, `a ${level} has no id`);
        ids.add(id);
      }
    if (ids.size === 0) throw unreadable(window, `there is too much of it, and yet no ${level}`);
    return [...ids].sort();
  }

  /** One ad, its fields in groups that are joined by ad and day. */
  async function* readFields(ad: Within): AsyncGenerator<readonly unknown[]> {
    const lists = ['actions', 'action_values'];
    const plain = FIELDS.filter((field) => !lists.includes(field) && !isIdentity(field));
    const records = new Map<string, Record<string, unknown>>();
    for (const group of [plain, ...lists.map((field) => [field])]) await addFields(ad, group, records);
    yield [...records.values()];
  }

  async function addFields(
    ad: Within,
    group: readonly string[],
    records: Map<string, Record<string, unknown>>,
  ): Promise<void> {
    const fields = [...IDENTITY_FIELDS, ...group];
    const parameters = insightsParameters(window, { fields, within: ad });
    const found: Record<string, unknown>[] = [];
    try {
      for await (const page of read(parameters, group.length > 1))
        found.push(...page.map((record) => z.record(z.string(), z.unknown()).parse(record)));
    } catch (error) {
      if (!(error instanceof WindowTooLargeError)) throw error;
      if (group.length === 1)
        throw unreadable(window, `the field ${group.join()} of ad ${ad.ids.join()}`, error);
      for (const half of halves(group)) await addFields(ad, half, records);
      return;
    }
    const isFirst = records.size === 0;
    for (const record of found) {
      const key = `${textOf(record, 'ad_id') ?? ''} ${textOf(record, 'date_start') ?? ''}`;
      records.set(key, { ...records.get(key), ...record });
    }
    if (found.length === 0 || (!isFirst && found.length !== records.size))
      throw unreadable(window, `ad ${ad.ids.join()} comes with ${group[0] ?? ''} and without other fields`);
  }

  async function* orUnreadable(
    pages: AsyncGenerator<readonly unknown[]>,
    what: string,
  ): AsyncGenerator<readonly unknown[]> {
    try {
      yield* pages;
    } catch (error) {
      throw error instanceof WindowTooLargeError ? unreadable(window, what, error) : error;
    }
  }
}

function isIdentity(field: string): boolean {
  return IDENTITY_FIELDS.some((known) => known === field);
}

function halves<T>(list: readonly T[]): [T[], T[]] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}

const recordSchema = z.record(z.string(), z.unknown());

function textOf(record: unknown, field: string): string | undefined {
  const value = recordSchema.safeParse(record).data?.[field];
  return typeof value === 'string' ? value : undefined;
}

/** Incomplete is failed: the day is not loaded, and what stands there stays. */
function unreadable({ from }: DayWindow, what: string, cause?: unknown): PipelineError {
  return new PipelineError({
    type: 'truncated',
    message: `Meta gives ${from} in no way completely: ${what}`,
    advice: `Nothing of ${from} was loaded. Ask Meta; meanwhile read the days before it with a backfill (--to ${addDays(from, -1)}).`,
    context: { day: from, what },
    cause,
  });
}
