/**
 * The result of a bulk operation: streamed to disk and joined there. Lines come in no useful order (children anywhere
 * after their order), so that they are dealt out to buckets by the order they belong to, and each bucket is joined by
 * itself: memory holds one bucket, whatever the size of the file. Nothing of it is believed before its bytes, lines and
 * orders are what Shopify counted.
 */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { BulkOperation } from './bulk-operations.ts';
import { openSpool, type Spool } from './spool.ts';

/** Of the file's text; as objects it is about five times as much. */
const BUCKET_BYTES = 8_000_000;
const MOST_BUCKETS = 256;
const FLUSH_BYTES = 65_536;
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000;
const NEWLINE = 10;

const lineSchema = z.looseObject({ id: z.string().nullish(), __parentId: z.string().optional() });
const childSchema = z.looseObject({ __typename: z.string(), __parentId: z.string() });

/** An order of the file with its children, as it was written. */
export interface BulkOrder {
  readonly order: Readonly<Record<string, unknown>>;
  readonly lineItems: readonly unknown[];
  readonly shippingLines: readonly unknown[];
}

export interface BulkFile {
  /** Bucket by bucket; children whose order is not in the file come as the ids of their orders. */
  read(): AsyncGenerator<{ readonly orders: readonly BulkOrder[]; readonly orphans: readonly string[] }>;
  /** Removes it from the disk. */
  remove(): Promise<void>;
}

/** Downloads the result. Throws PipelineError (`truncated`) when it is not what was counted. */
export async function fetchBulkFile(operation: BulkOperation, url: string, io: Io): Promise<BulkFile> {
  const spool = await openSpool();
  const size = Math.min(MOST_BUCKETS, Math.ceil((operation.fileSize ?? 0) / BUCKET_BYTES) || 1);
  try {
    await io.http.request({
      url,
      safeToRepeat: true,
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      classify: classifyDownload,
      sink: (body) => deal(body, operation, spool, size),
    });
  } catch (error) {
    await spool.close();
    throw error;
  }
  return { read: () => readBuckets(spool, size), remove: () => spool.close() };
}

/** Deals the lines out to the buckets and counts. */
async function deal(
  body: AsyncIterable<Uint8Array>,
  operation: BulkOperation,
  spool: Spool,
  size: number,
): Promise<void> {
  // The body may come again, after one that broke off.
  await spool.clear();
  const waiting = Array.from({ length: size }, () => '');
  const counts = { bytes: 0, lines: 0, roots: 0 };
  for await (const text of linesOf(body, counts)) {
    const line = lineSchema.safeParse(parseJson(text));
    if (!line.success) throw unlike(operation, 'a line that is no JSON', true);
    const owner = line.data.__parentId ?? line.data.id ?? '';
    counts.lines += 1;
    if (line.data.__parentId === undefined) counts.roots += 1;
    const bucket = Number(owner.replaceAll(/\D/g, '').slice(-12)) % size;
    const gathered = `${waiting[bucket] ?? ''}${text}\n`;
    waiting[bucket] = gathered.length > FLUSH_BYTES ? '' : gathered;
    if (gathered.length > FLUSH_BYTES) await spool.append(bucket, gathered);
  }
  for (const [bucket, text] of waiting.entries()) await spool.append(bucket, text);
  // A body that is cut off may be whole the next time; a file that disagrees with its counts stays so.
  if (counts.bytes !== operation.fileSize)
    throw unlike(operation, `${counts.bytes} bytes instead of ${operation.fileSize ?? 'none'}`, true);
  if (counts.lines !== operation.objectCount)
    throw unlike(operation, `${counts.lines} lines instead of ${operation.objectCount}`, false);
  if (counts.roots !== operation.rootObjectCount)
    throw unlike(operation, `${counts.roots} orders instead of ${operation.rootObjectCount}`, false);
}

/** The lines of a body, each decoded when it is whole. */
async function* linesOf(body: AsyncIterable<Uint8Array>, counts: { bytes: number }): AsyncGenerator<string> {
  let rest: Uint8Array[] = [];
  const decode = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString('utf8');
  for await (const chunk of body) {
    counts.bytes += chunk.length;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield decode([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  const last = decode(rest);
  if (last !== '') yield last;
}

async function* readBuckets(
  spool: Spool,
  size: number,
): AsyncGenerator<{ readonly orders: readonly BulkOrder[]; readonly orphans: readonly string[] }> {
  for (let bucket = 0; bucket < size; bucket++) {
    const text = await spool.read(bucket);
    const lines = text.split('\n').filter((line) => line !== '');
    yield joinLines(lines.map(parseJson));
  }
}

/** Joins children with their orders by `__parentId`, in whatever order they stand. */
export function joinLines(lines: readonly unknown[]): {
  readonly orders: readonly BulkOrder[];
  readonly orphans: readonly string[];
} {
  const orders = new Map<
    string,
    { order: Record<string, unknown>; lineItems: unknown[]; shippingLines: unknown[] }
  >();
  const children: z.infer<typeof childSchema>[] = [];
  for (const line of lines) {
    const { __parentId: parentId, ...node } = lineSchema.parse(line);
    if (parentId !== undefined) children.push(childSchema.parse(line));
    else orders.set(node.id ?? '', { order: node, lineItems: [], shippingLines: [] });
  }
  const orphans = new Set<string>();
  for (const { __parentId: parentId, __typename: type, ...node } of children) {
    const parent = orders.get(parentId);
    if (parent === undefined) orphans.add(parentId);
    else (type === 'LineItem' ? parent.lineItems : parent.shippingLines).push(node);
  }
  return { orders: [...orders.values()], orphans: [...orphans] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function classifyDownload(reply: HttpReply): PipelineError | undefined {
  if (reply.status === 200) return undefined;
  return new PipelineError({
    type: 'upstream',
    message: `The result of a bulk operation can't be downloaded (HTTP ${reply.status})`,
    advice: 'It is read by paging instead.',
    retryable: reply.status >= 500 || reply.status === 429,
    context: { url: reply.url, status: reply.status },
  });
}

function unlike(operation: BulkOperation, what: string, retryable: boolean): PipelineError {
  return new PipelineError({
    type: 'truncated',
    message: `The result of a bulk operation has ${what}`,
    advice: 'It is read by paging instead.',
    retryable,
    context: { bulk_operation: operation.id },
  });
}
