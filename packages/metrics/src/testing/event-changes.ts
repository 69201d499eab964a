/** Statements that change events in every way there is, the same ones for the same seed. */
import { createRandom } from './random.ts';

/** `insert` gives events, `change` anything. Days are `first` plus one of `offsets`. */
export function createEventChanges(
  seed: number,
  { first, offsets }: { readonly first: string; readonly offsets: readonly [number, ...number[]] },
) {
  const { next, pick } = createRandom(seed);
  let serial = 0;
  const day = () => `date '${first}' + ${pick(offsets)}`;
  const user = () => pick(["'ann'", "'bob'", "'cid'", "'dee'", "'eve'", 'null']);
  const some = (table: string) =>
    `(external_id, date) in (select external_id, date from ${table} order by md5(external_id || date || ${next(1e6)}) limit 2)`;

  const did = () => `
    insert into event_user_days (external_id, date, source, distinct_id, user_id, event, count, first_at, last_at)
    select 'posthog:${++serial}', d, 'posthog', '${serial}', ${user()},
      '${pick(['page_viewed', 'page_viewed', 'signup', 'workflow_created', 'email_delivered'])}', ${1 + next(3)}, d, d
    from (select ${day()} as d) x`;
  const single = () => {
    const about = pick(['suggestion', 'email']);
    const event = about === 'email' ? pick(['sent', 'delivered', 'clicked']) : pick(['shown', 'accepted']);
    const id = next(8) === 0 ? '' : `${1 + next(6)}`;
    return `
    insert into events (external_id, date, source, event, distinct_id, user_id, occurred_at, properties)
    select 'posthog:${++serial}', d, 'posthog', '${about}_${event}', 'x', ${user()}, d,
      jsonb_build_object('${about}_id', '${id}', 'is_bot', ${next(3) === 0})
    from (select ${day()} as d) x`;
  };
  const cover = () => `
    insert into ops.coverage (source, account_id, stream, day, read_at, final_at)
    select 'posthog', '9', 'events', ${day()}, now(), '${pick(['', '-'])}infinity' on conflict do nothing`;

  const changes: readonly [() => string, ...(() => string)[]] = [
    did,
    did,
    did,
    single,
    single,
    // Read again on another day; counted again; somebody else after all (a merge).
    () => `update event_user_days set date = ${day()} where ${some('event_user_days')}`,
    () => `update event_user_days set count = ${1 + next(5)} where ${some('event_user_days')}`,
    () => `update event_user_days set user_id = ${user()} where ${some('event_user_days')}`,
    () => `update event_user_days set user_id = ${user()} where user_id = ${user()}`,
    () => `delete from event_user_days where ${some('event_user_days')}`,
    () => `delete from event_user_days where date = ${day()}`,
    () => `update events set date = ${day()} where ${some('events')}`,
    () =>
      `update events set properties = jsonb_set(properties, '{suggestion_id}', '"${1 + next(6)}"') where ${some('events')}`,
    () => `delete from events where ${some('events')}`,
    () => `delete from ops.coverage where day = ${day()}`,
    cover,
    cover,
    () => (next(8) === 0 ? `truncate ${pick(['events', 'event_user_days'])}` : single()),
  ];
  return { next, insert: () => pick([did, did, single])(), change: () => pick(changes)() };
}
