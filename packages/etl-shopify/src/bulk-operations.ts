/** Bulk operations at one shop: start, look, stop. Knows what Shopify answers, not what for. */
import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { AccountPausedError, PipelineError, ThrottledError } from '@floyo/shared/errors';

import { isOurs } from './bulk-query.ts';
import { cancelBulkMutation, listBulkQuery, pollBulkQuery, startBulkMutation } from './queries.ts';
import type { ShopifySession } from './session.ts';

const count = z.string().regex(/^\d+$/).transform(Number);
const operationSchema = z.object({
  id: z.string(),
  status: z.string(),
  errorCode: z.string().nullable(),
  query: z.string(),
  objectCount: count,
  rootObjectCount: count,
  fileSize: count.nullable(),
  /** Null when nothing was found. */
  url: z.string().nullable(),
});
export type BulkOperation = z.infer<typeof operationSchema>;

const startSchema = z.object({
  bulkOperationRunQuery: z.object({
    bulkOperation: operationSchema.nullable(),
    userErrors: z.array(z.object({ message: z.string(), code: z.string().nullable() })),
  }),
});
const pollSchema = z.object({ bulkOperation: operationSchema.nullable() });
const listSchema = z.object({ bulkOperations: z.object({ nodes: z.array(operationSchema) }) });
const cancelSchema = z.object({ bulkOperationCancel: z.object({ userErrors: z.array(z.unknown()) }) });

/** Whether it still takes one of the shop's slots. */
export function isRunning({ status }: BulkOperation): boolean {
  return ['CREATED', 'RUNNING', 'CANCELING'].includes(status);
}

/**
 * Starts an operation, or undefined when there is no slot for it now: all are taken, by whomever, or calls come too fast.
 * A start is not repeated blindly: after a broken call the operation is looked for by its text.
 */
export async function startBulk(
  session: ShopifySession,
  text: string,
  io: Io,
): Promise<BulkOperation | undefined> {
  const mutation = {
    operation: 'StartBulk',
    document: startBulkMutation,
    variables: { query: text },
    safeToRepeat: false,
  };
  try {
    const { bulkOperationRunQuery: answer } = await session.client.ask(io, mutation, startSchema);
    if (answer.bulkOperation !== null) return answer.bulkOperation;
    const [refusal] = answer.userErrors;
    if (refusal?.code === 'OPERATION_IN_PROGRESS' || refusal?.code === 'LIMIT_REACHED') return undefined;
    throw new PipelineError({
      type: 'contract',
      message: `${session.id} refused a bulk operation: ${refusal?.message ?? 'without a reason'}`,
      advice: 'Nothing was loaded. Report it: the rules for bulk queries have changed.',
      context: { shop: session.id },
    });
  } catch (error) {
    if (error instanceof ThrottledError) return undefined;
    if (!(error instanceof PipelineError) || !error.retryable || error instanceof AccountPausedError)
      throw error;
    return (await listBulk(session, io)).find((operation) => operation.query === text);
  }
}

/** How far it is; undefined when Shopify knows none of this id. */
export async function pollBulk(
  session: ShopifySession,
  id: string,
  io: Io,
): Promise<BulkOperation | undefined> {
  const query = { operation: 'PollBulk', document: pollBulkQuery, variables: { id } };
  return (await session.client.ask(io, query, pollSchema)).bulkOperation ?? undefined;
}

/** The app's latest operations at the shop, ours and others'. */
export async function listBulk(session: ShopifySession, io: Io): Promise<readonly BulkOperation[]> {
  const query = { operation: 'ListBulk', document: listBulkQuery, variables: {} };
  return (await session.client.ask(io, query, listSchema)).bulkOperations.nodes;
}

/** Stops an operation; one that is over by now is no error. */
export async function cancelBulk(session: ShopifySession, id: string, io: Io): Promise<void> {
  const mutation = { operation: 'CancelBulk', document: cancelBulkMutation, variables: { id } };
  await session.client.ask(io, mutation, cancelSchema);
}

/** Stops what an earlier backfill left running. Only one run has the lock, so that nobody waits for it; others' go on. */
export async function cancelLeftovers(session: ShopifySession, io: Io): Promise<number> {
  const operations = await listBulk(session, io);
  const leftovers = operations.filter((operation) => isRunning(operation) && isOurs(operation.query));
  for (const { id } of leftovers) await cancelBulk(session, id, io);
  if (leftovers.length > 0)
    io.log.info(
      { shop: session.id, count: leftovers.length },
      'stopped bulk operations of an earlier backfill',
    );
  return leftovers.length;
}
