/**
 * What PostHog holds at the clock: the world's events that have arrived, what was sent besides (late, changed, twice), and
 * without what was erased. Keeps a few days in memory, whatever the size of the world.
 */
import { randomUUID } from 'node:crypto';

import type { SandboxClock } from '../core.ts';
import { eventsOfDay, type PostHogWorldOptions, type StoredEvent } from './world.ts';

export interface SentEvent {
  readonly event: string;
  readonly distinct_id: string;
  /** An ISO instant. */
  readonly timestamp: string;
  /** A new one unless told. The same uuid, event, distinct_id and UTC day take the place of what was there. */
  readonly uuid?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export interface EventStore {
  /** Events arrive now. With `unmerged`, versions stand beside each other, as before PostHog has merged them. */
  readonly send: (events: readonly SentEvent[], options?: { readonly unmerged?: boolean }) => void;
  /** All events of a person go. */
  readonly erase: (distinctId: string) => void;
  /** The events of a UTC day that have arrived. */
  readonly ofDay: (day: number) => readonly StoredEvent[];
  /** Changes whenever what `ofDay` says may be another. */
  readonly version: string;
}

const DAY_US = 86_400_000_000;
/** Days kept: a business day lies on two, and a page may end on the third. */
const KEPT_DAYS = 3;

export function createEventStore(world: PostHogWorldOptions, clock: SandboxClock): EventStore {
  const sent = new Map<number, { readonly event: StoredEvent; readonly unmerged: boolean }[]>();
  const erased = new Set<string>();
  const days = new Map<number, { readonly version: string; readonly events: readonly StoredEvent[] }>();
  let changes = 0;

  const versionNow = () => `${changes}:${clock.now().epochMilliseconds}`;

  return {
    get version() {
      return versionNow();
    },
    send(events, { unmerged = false } = {}) {
      changes += 1;
      for (const { event, distinct_id, timestamp, uuid, properties } of events) {
        const at = toMicroseconds(timestamp);
        const stored: StoredEvent = {
          uuid: uuid ?? randomUUID(),
          event,
          distinct_id,
          timestamp: at,
          // Within the last second, each later than the one before.
          created_at: clock.now().epochMilliseconds * 1000 - 1_000_000 + (changes % 1_000_000),
          properties: properties ?? {},
        };
        const day = Math.floor(at / DAY_US);
        sent.set(day, [...(sent.get(day) ?? []), { event: stored, unmerged }]);
      }
    },
    erase(distinctId) {
      changes += 1;
      erased.add(distinctId);
    },
    ofDay(day) {
      const version = versionNow();
      const known = days.get(day);
      if (known?.version === version) return known.events;
      const now = clock.now().epochMilliseconds * 1000;
      const merged = mergeVersions(eventsOfDay(world, day), sent.get(day) ?? []);
      const events = merged.filter(
        ({ timestamp, created_at: arrived, distinct_id: person }) =>
          timestamp <= now && arrived <= now && !erased.has(person),
      );
      days.delete(day);
      days.set(day, { version, events });
      for (const oldest of days.keys()) if (days.size > KEPT_DAYS) days.delete(oldest);
      return events;
    },
  };
}

/** PostHog keeps one event of each uuid, event, distinct_id and UTC day: the last that came. */
function mergeVersions(
  made: StoredEvent[],
  sent: readonly { readonly event: StoredEvent; readonly unmerged: boolean }[],
): StoredEvent[] {
  if (sent.length === 0) return made;
  const keyOf = ({ uuid, event, distinct_id: person }: StoredEvent) => `${uuid} ${event} ${person}`;
  const replaced = new Map<string, StoredEvent>();
  const beside: StoredEvent[] = [];
  for (const { event, unmerged } of sent)
    if (unmerged) beside.push(event);
    else replaced.set(keyOf(event), event);
  return [...made.filter((event) => !replaced.has(keyOf(event))), ...replaced.values(), ...beside];
}

function toMicroseconds(iso: string): number {
  const micros = /\.\d{3}(\d{1,3})/.exec(iso)?.[1]?.padEnd(3, '0') ?? '0';
  return Date.parse(iso) * 1000 + Number(micros);
}
