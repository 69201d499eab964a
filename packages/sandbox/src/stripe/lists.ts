/** What the endpoints answer: lists, single objects, the lists inside them, and events. */
import { badParameter, missing } from './errors.ts';
import { asFields, cutInnerLists, renderExpanded, replaceIds, type Surroundings } from './expand.ts';
import { type References, renderEvent, renderObject } from './families.ts';
import type { Lives } from './lives.ts';
import { FAMILIES, type Fields } from './objects.ts';
import { type Listing, pageOf } from './paging.ts';
import { type Query, readQuery } from './query.ts';
import { type Resource, RESOURCES } from './resources.ts';
import { createdOf, type Shelf } from './shelf.ts';

/** A request: what follows /v1/, the query, and the time that the answer is as of (epoch seconds). */
export interface Asked {
  readonly path: readonly string[];
  readonly search: URLSearchParams;
  readonly now: number;
}

/** What there is to answer from. */
export interface Source {
  readonly shelf: Shelf;
  readonly references: References;
  readonly familyOf: Lives['familyOf'];
  /** Ids of events that could not be delivered. */
  readonly undelivered: ReadonlySet<string>;
  readonly endpoints: readonly Fields[];
  readonly account: Fields;
}

const PAGING = ['limit', 'starting_after', 'ending_before'] as const;
const NEWEST = FAMILIES[FAMILIES.length - 1] ?? '2026-10-28.endive';

/** The answer's body; undefined for a path that there is not. Throws StripeFailure. */
export function answer(source: Source, asked: Asked): Fields | undefined {
  const [name = '', id, inner, ...more] = asked.path;
  if (more.length > 0) return undefined;
  if (name === 'account' && id === undefined) return single(asked, source.account);
  if (name === 'events') return inner === undefined ? answerEvents(source, asked, id) : undefined;
  if (name === 'subscription_items' && id === undefined) return listItems(source, asked);
  if (name === 'webhook_endpoints' || name === 'subscription_schedules')
    return inner === undefined ? answerFixed(source, asked, name, id) : undefined;
  const resource = RESOURCES[name];
  if (resource === undefined) return undefined;
  if (id === undefined) return listObjects(source, asked, resource);
  if (inner === undefined) return single(asked, oneObject(source, asked, resource, id));
  return name === 'invoices' && inner === 'lines' ? listLines(source, asked, id) : undefined;
}

function listObjects(source: Source, asked: Asked, resource: Resource): Fields {
  const { type, filters, isListed, parameters = [] } = resource;
  const query = readQuery(asked.search, [...PAGING, 'created', ...filters, ...parameters]);
  refuseStranger(source, asked, query);
  const { entries, hasMore } = pageOf(
    {
      all: source.shelf.list(type, asked.now),
      what: type,
      idOf: (version) => version.id,
      isListed: ({ object, deleted, at }) =>
        !deleted &&
        query.isCreated(createdOf(object) ?? at) &&
        filters.every(
          (field) => !query.values.has(field) || String(object[field]) === query.values.get(field),
        ) &&
        (isListed?.(object, query.values) ?? true),
    },
    query,
  );
  const paths = listPaths(query);
  const around = surroundings(source, asked);
  return list(
    asked,
    entries.map((version) => cutInnerLists(renderExpanded(version, paths, around))),
    hasMore,
  );
}

/** A deleted customer says so; anything else that was deleted is not there. */
function oneObject(source: Source, asked: Asked, { type }: Resource, id: string): Fields {
  const found = source.shelf.find(type, id, asked.now);
  if (found === undefined || (found.deleted && type !== 'customer')) throw missing(type, id);
  const { expand } = readQuery(asked.search, []);
  return cutInnerLists(renderExpanded(found, expand, surroundings(source, asked)));
}

function answerEvents(source: Source, asked: Asked, id: string | undefined): Fields {
  const { shelf, references, familyOf, undelivered } = source;
  const all = shelf.events(asked.now);
  if (id !== undefined) {
    const found = all.find((event) => event.id === id);
    if (found === undefined) throw missing('event', id);
    return single(asked, renderEvent(found, familyOf(found), references));
  }
  const query = readQuery(asked.search, [...PAGING, 'created', 'type', 'types', 'delivery_success']);
  const type = query.values.get('type');
  const delivered = query.values.get('delivery_success');
  if (type !== undefined && query.types.length > 0)
    throw badParameter('type', 'You may only specify one of these parameters: type, types.');
  const types = new Set(type === undefined ? query.types : [type]);
  const { entries, hasMore } = pageOf(
    {
      all,
      what: 'event',
      idOf: (event) => event.id,
      isListed: (event) =>
        query.isCreated(event.created) &&
        (types.size === 0 || [...types].some((wanted) => isOfType(event.type, wanted))) &&
        (delivered === undefined || (delivered === 'true') !== undelivered.has(event.id)),
    },
    query,
  );
  return list(
    asked,
    entries.map((event) => renderEvent(event, familyOf(event), references)),
    hasMore,
  );
}

/** `charge.*` is every type of charges. */
function isOfType(type: string, wanted: string): boolean {
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

function listItems(source: Source, asked: Asked): Fields {
  const query = readQuery(asked.search, [...PAGING, 'subscription']);
  const id = query.values.get('subscription');
  if (id === undefined)
    throw badParameter('subscription', 'Missing required param: subscription.', 'parameter_missing');
  const found = source.shelf.find('subscription', id, asked.now);
  if (found === undefined) throw missing('subscription', id, 'subscription');
  return listInner(
    source,
    asked,
    query,
    renderObject(found, NEWEST, source.references)['items'],
    'subscription_item',
  );
}

function listLines(source: Source, asked: Asked, id: string): Fields {
  const query = readQuery(asked.search, PAGING);
  const found = source.shelf.find('invoice', id, asked.now);
  if (found === undefined || found.deleted) throw missing('invoice', id);
  return listInner(
    source,
    asked,
    query,
    renderObject(found, NEWEST, source.references)['lines'],
    'line_item',
  );
}

/** The whole of a list that is part of an object. Only discounts can be expanded there. */
function listInner(source: Source, asked: Asked, query: Query, whole: unknown, what: string): Fields {
  const { data } = asFields(whole);
  const all: unknown[] = Array.isArray(data) ? data : [];
  const { entries, hasMore } = pageOf(
    { all: all.map(asFields), what, idOf } satisfies Listing<Fields>,
    query,
  );
  const paths = listPaths(query);
  const wrong = paths.find((path) => path !== 'discounts');
  if (wrong !== undefined) throw badParameter('expand', `This property cannot be expanded (data.${wrong}).`);
  const { references } = source;
  const expand = (entry: Fields) =>
    paths.length === 0
      ? entry
      : asFields(replaceIds(entry, ['discounts'], (one) => references.discount(one)));
  return list(asked, entries.map(expand), hasMore);
}

/** What the account has of webhook endpoints; schedules it has none. */
function answerFixed(source: Source, asked: Asked, name: string, id: string | undefined): Fields {
  const all = name === 'webhook_endpoints' ? source.endpoints : [];
  const what = name.replace(/s$/, '');
  if (id !== undefined) {
    const found = all.find((entry) => entry['id'] === id);
    if (found === undefined) throw missing(what, id);
    return single(asked, found);
  }
  const more = name === 'webhook_endpoints' ? [] : ['created', 'customer'];
  const { entries, hasMore } = pageOf({ all, what, idOf }, readQuery(asked.search, [...PAGING, ...more]));
  return list(asked, entries, hasMore);
}

function idOf(entry: Fields): string {
  return String(entry['id']);
}

/** Filtering by a customer that never was is a mistake. */
function refuseStranger({ shelf }: Source, { now }: Asked, { values }: Query): void {
  const customer = values.get('customer');
  if (customer !== undefined && shelf.find('customer', customer, now) === undefined)
    throw missing('customer', customer, 'customer');
}

/** What is expanded in a list begins with `data.`. */
function listPaths({ expand }: Query): string[] {
  return expand.map((path) => {
    if (!path.startsWith('data.'))
      throw badParameter('expand', `This property cannot be expanded (${path}).`);
    return path.slice('data.'.length);
  });
}

function surroundings({ shelf, references }: Source, { now }: Asked): Surroundings {
  return { references, find: (type, id) => shelf.find(type, id, now) };
}

function single({ search }: Asked, object: Fields): Fields {
  readQuery(search, []);
  return object;
}

function list({ path }: Asked, data: readonly Fields[], hasMore: boolean): Fields {
  return { object: 'list', data, has_more: hasMore, url: `/v1/${path.join('/')}` };
}
