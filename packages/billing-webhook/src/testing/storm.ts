/**
 * Storms: the events of many made-up customer lives, in any order of arrival, and what the state then has to be. For the
 * test, the full proof and the benchmark.
 */
import { renderEvent, renderObject } from '@floyo/sandbox/stripe/families';
import { type Lives, makeLives } from '@floyo/sandbox/stripe/lives';
import { FAMILIES, type Version } from '@floyo/sandbox/stripe/objects';

import { isFields, listAt, textAt } from '../mapping/read.ts';
import type { Json } from './events.ts';
import type { TestWebhook } from './webhook.ts';

const TO = '2026-11-01T00:00:00Z';
/** When doubts are settled by readings: after everything. */
const LATER = Date.parse('2026-11-02T00:00:00Z') / 1000;
const NEWEST = '2026-10-28.endive';

export interface Storm {
  /** Rendered in the API versions that the account had one after the other, in the order in which they happened. */
  readonly events: readonly Json[];
  readonly lives: Lives;
}

export function makeStorm({
  days,
  ...options
}: {
  readonly seed: number;
  readonly customers: number;
  /** How long the lives are; the customers come in the first part of it. */
  readonly days: number;
}): Storm {
  const from = new Date(Date.parse(TO) - days * 86_400_000).toISOString();
  const lives = makeLives({ ...options, from, to: TO, families: FAMILIES });
  const events = lives.happenings.map((happening) =>
    renderEvent(happening, lives.familyOf(happening), lives.references),
  );
  return { events, lives };
}

/** A number from 0 to 1 for each call, the same ones for a seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

export function shuffle<T>(list: readonly T[], seed: number): T[] {
  const random = randomOf(seed);
  return list
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

/** The orders in which a storm may arrive. */
export function ordersOf(events: readonly Json[]): readonly (readonly [string, readonly Json[]])[] {
  return [
    ['in order', events],
    ['twice', events.flatMap((event) => [event, event])],
    ['shuffled', shuffle(events, 7)],
    ['reversed', events.toReversed()],
    ['in order, then all again', [...events, ...shuffle(events, 11)]],
  ];
}

/** Does the work on every value, so many at once. */
export async function inParallel<T>(
  list: readonly T[],
  concurrency: number,
  work: (value: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < list.length) {
        const value = list[next++];
        if (value !== undefined) await work(value);
      }
    }),
  );
}

/** What the connector does about doubts: prices and coupons whole, then the marked objects one by one. How many there were. */
export async function settleDoubts(webhook: TestWebhook, { lives }: Storm): Promise<number> {
  for (const versions of lives.versions.values()) {
    const last = versions.at(-1);
    if (last?.type === 'price' || last?.type === 'coupon') await webhook.reading(read(lives, last), LATER);
  }
  const dirty = await webhook.rows<{ type: string; object_id: string }>(
    'select type, object_id from billing_objects where dirty_since is not null',
  );
  for (const { type, object_id } of dirty) {
    const last = lives.versions.get(`${type}/${object_id}`)?.at(-1);
    if (last !== undefined) await webhook.reading(read(lives, last), LATER);
  }
  return dirty.length;
}

function read(lives: Lives, version: Version): Json {
  const expand = { tiers: true, appliesTo: true, discounts: lives.references.discount };
  return { ...renderObject(version, NEWEST, lives.references, expand) };
}

export interface Verdict {
  readonly objects: number;
  /** Objects whose stored version is not the last one, with no word that it is in doubt. */
  readonly stale: readonly string[];
  /** Subscriptions whose current row has another status or other items than the truth. */
  readonly wrong: readonly string[];
  /** Days at whose end a subscription was something else than its row says. */
  readonly wrongDays: readonly string[];
  readonly failed: number;
}

/** Compares the state with the truth of the lives. */
export async function judge(webhook: TestWebhook, { lives }: Storm): Promise<Verdict> {
  const stored = await webhook.rows<{
    type: string;
    object_id: string;
    seq: string | null;
    deleted: boolean;
    source: string;
  }>(`
    select o.type, o.object_id, o.deleted, o.source, e.payload #>> '{data,object,metadata,seq}' as seq
    from billing_objects o left join billing_events e on e.external_id = o.event_id`);
  const byKey = new Map(stored.map((row) => [`${row.type}/${row.object_id}`, row]));
  const told = new Set(lives.happenings.map(({ version }) => `${version.type}/${version.id}`));
  const stale: string[] = [];
  let objects = 0;
  for (const [key, versions] of lives.versions) {
    const last = versions.at(-1);
    if (last === undefined || !told.has(key) || inTestClock(last)) continue;
    objects++;
    const row = byKey.get(key);
    const latest = lives.happenings.findLast(({ version }) => version === last);
    // A reading is of the last version by its nature; versions that no event tells of are the reading's to find.
    const expected = latest === undefined ? undefined : textOf(last.object, 'metadata', 'seq');
    const same =
      row !== undefined &&
      row.deleted === last.deleted &&
      (row.source === 'api' || expected === undefined || row.seq === expected);
    if (!same) stale.push(`${key}: ${JSON.stringify(row)} instead of ${String(expected)}`);
  }
  const days = await webhook.rows<{ id: string; day: string; status: string; items: unknown }>(`
    select substr(external_id, 8) as id, date::text as day, status,
      (select jsonb_agg(jsonb_build_array(i ->> 'id', i -> 'quantity', i #>> '{price,id}') order by i ->> 'id') from jsonb_array_elements(items) i) as items
    from subscriptions where date < '${TO.slice(0, 10)}' order by 1, 2`);
  const found = new Set(
    days.map(({ id, day, status, items }) => `${id} ${day} ${status} ${JSON.stringify(items)}`),
  );
  const expectedDays = expectDays(lives);
  const failed = await webhook.rows(`select 1 from billing_events where status = 'failed'`);
  return {
    objects,
    stale,
    wrong: await wrongNow(webhook, lives),
    wrongDays: [
      ...[...expectedDays].filter((day) => !found.has(day)).map((day) => `missing: ${day}`),
      ...[...found].filter((day) => !expectedDays.has(day)).map((day) => `not so: ${day}`),
    ],
    failed: failed.length,
  };
}

/** `<id> <day> <status> <items>` of every day on which a subscription changed, as it was at the day's end. */
function expectDays(lives: Lives): Set<string> {
  const days = new Map<string, string>();
  const told = new Set(lives.happenings.map(({ version }) => version));
  for (const versions of lives.versions.values())
    for (const version of versions) {
      if (version.type !== 'subscription' || inTestClock(version) || !told.has(version)) continue;
      const day = new Date(version.at * 1000).toISOString().slice(0, 10);
      days.set(`${version.id} ${day}`, describe(version));
    }
  return new Set([...days].map(([key, text]) => `${key} ${text}`));
}

async function wrongNow(webhook: TestWebhook, lives: Lives): Promise<string[]> {
  const rows = await webhook.rows<{ id: string; status: string; items: unknown }>(`
    select substr(external_id, 8) as id, status,
      (select jsonb_agg(jsonb_build_array(i ->> 'id', i -> 'quantity', i #>> '{price,id}') order by i ->> 'id') from jsonb_array_elements(items) i) as items
    from subscriptions_current`);
  const byId = new Map(rows.map(({ id, status, items }) => [id, `${status} ${JSON.stringify(items)}`]));
  return [...lives.versions.values()].flatMap((versions) => {
    const last = versions.at(-1);
    if (last?.type !== 'subscription' || inTestClock(last) || byId.get(last.id) === describe(last)) return [];
    return [`${last.id}: ${String(byId.get(last.id))} instead of ${describe(last)}`];
  });
}

function describe({ object }: Version): string {
  const items = listAt(object, 'items')
    .map((item) => [item['id'], item['quantity'], isFields(item['price']) ? item['price']['id'] : null])
    .sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
  return `${String(textAt(object, 'status'))} ${JSON.stringify(items)}`;
}

function inTestClock({ object }: Version): boolean {
  return (object['test_clock'] ?? null) !== null;
}

function textOf(object: Version['object'], outer: string, inner: string): string | undefined {
  const found = object[outer];
  return isFields(found) ? (textAt(found, inner) ?? undefined) : undefined;
}

/**
 * What the state is, without when and by whom it was written: the same after every order. Of discounts the ids: whether
 * a row also holds what is behind them depends on which reading came when.
 */
export async function stateOf(webhook: TestWebhook): Promise<readonly string[]> {
  const lines = await webhook.rows<{ x: string }>(`
    select x from (
      select (to_jsonb(s) - array['synced_at', 'run_id', 'stripe_event_id', 'stripe_event_created', 'source', 'rank', 'date', 'items', 'discounts'])::text
        || ops.item_skeleton(items) || ops.discount_ids(discounts) as x from subscriptions_current s
      union all select external_id || date || status || items::text from subscriptions where date < '${TO.slice(0, 10)}'
      union all select (to_jsonb(i) - array['synced_at', 'run_id'])::text from invoices i
      union all select (to_jsonb(p) - array['synced_at', 'run_id'])::text from payments p
      union all select concat_ws(' ', type, object_id, deleted, dirty_since is not null, data::text) from billing_objects
    ) q order by x`);
  return lines.map(({ x }) => x);
}
