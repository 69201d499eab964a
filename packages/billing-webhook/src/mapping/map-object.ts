/** One object, as the API answers with it, to a change: a version of the time at which it was read. */
import type { Change } from './change.ts';
import { hasTestClock } from './map-event.ts';
import { kindOf, mapVersion } from './objects.ts';
import { isFields, MappingError } from './read.ts';

export interface Reading {
  /** The answer's `Date`, floored to the second and one second earlier: what it surely shows. An ISO instant. */
  readonly fetchedAt: string;
  readonly account: string;
  readonly livemode: boolean;
}

/**
 * A reading of an object to a change; `{id, object, deleted: true}` is its deletion. Objects of test clocks change nothing.
 * @throws MappingError when it is no object that has a state here
 */
export function mapObject(object: unknown, { fetchedAt, account, livemode }: Reading): Change {
  const kind = isFields(object) ? kindOf(object) : undefined;
  if (!isFields(object) || kind === undefined)
    throw new MappingError(
      `No object that is kept: ${isFields(object) ? String(object['object']) : typeof object}`,
    );
  const base = { account, livemode, source: 'api', event: null } as const;
  if (hasTestClock(object)) return { ...base, object: null, rows: {}, embedded: [], references: [] };
  return { ...base, ...mapVersion(kind, object, { versionAt: fetchedAt, eventType: undefined }) };
}
