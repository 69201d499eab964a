/**
 * Cursor paging as Meta does it: the only end is a missing `next`. Now and then a page is short or even empty
 * and has a `next` all the same, so a client that stops at either loses rows.
 */
import { createRandom } from '../core.ts';
import { badParameter } from './errors.ts';

export interface PageRequest {
  /** What the cursor belongs to; a cursor of another query is refused. */
  identity: string;
  limit: number;
  after: string | undefined;
  seed: number;
  /** The request's URL, from which `next` is made. */
  url: string;
}

export interface Page<Row> {
  data: Row[];
  paging?: { cursors: { before: string; after: string }; next?: string };
}

/** Cuts one page out of `rows`. Without any row there is no `paging`, as in the vendor's answers. */
export function cutPage<Row>(rows: readonly Row[], request: PageRequest): Page<Row> {
  if (rows.length === 0) return { data: [] };
  const { offset, wasEmpty } = readCursor(request);
  const size = pageSize(request, offset, wasEmpty, rows.length - offset);
  const data = rows.slice(offset, offset + size);
  const end = offset + data.length;
  const after = writeCursor(request, end, size === 0);
  const cursors = { before: writeCursor(request, offset, false), after };
  if (end >= rows.length && size > 0) return { data, paging: { cursors } };
  const next = new URL(request.url);
  next.searchParams.set('after', after);
  return { data, paging: { cursors, next: next.toString() } };
}

/** One page in six is empty (never two in a row), one in six is cut short; which ones depends on the query alone. */
function pageSize(request: PageRequest, offset: number, wasEmpty: boolean, left: number): number {
  if (left <= 0) return 1;
  const chance = createRandom(`${request.seed}:meta:page:${request.identity}:${offset}`)();
  if (chance < 1 / 6 && !wasEmpty) return 0;
  if (chance > 5 / 6) return Math.max(1, Math.floor(request.limit / 3));
  return request.limit;
}

function writeCursor(request: PageRequest, offset: number, isEmpty: boolean): string {
  const text = `${checksum(request.identity)}.${offset}${isEmpty ? '.e' : ''}`;
  return Buffer.from(text).toString('base64url');
}

function readCursor(request: PageRequest): { offset: number; wasEmpty: boolean } {
  if (request.after === undefined) return { offset: 0, wasEmpty: false };
  const text = Buffer.from(request.after, 'base64url').toString();
  const match = /^(\d+)\.(\d+)(\.e)?$/.exec(text);
  if (match?.[1] !== checksum(request.identity)) throw badParameter('Invalid cursors values');
  return { offset: Number(match[2]), wasEmpty: match[3] !== undefined };
}

function checksum(text: string): string {
  return String(Math.floor(createRandom(text)() * 1e9));
}
