/**
 * The bulk operations of one app at one shop: five at once, each a step further whenever somebody looks, so that nothing
 * waits for a clock. Whose they are is not told: all processes of an app share them.
 */
import type { GraphQLSchema } from 'graphql';
import { GraphQLError } from 'graphql';
import { z } from 'zod';

import type { Faults } from '../core.ts';
import { toBulkLines } from './bulk-lines.ts';
import { refuseBulkQuery } from './bulk-rules.ts';
import { connect, type PageArguments, type PageLimits } from './connection.ts';
import type { FaultTarget } from './faults.ts';

const mostAtOnce = 5;
/** Looks until an operation is done. */
const stepsToRun = 3;
const firstId = 7_900_000_000_000;

type Status = 'CREATED' | 'RUNNING' | 'CANCELING' | 'CANCELED' | 'COMPLETED' | 'FAILED' | 'EXPIRED';

interface Operation {
  readonly id: number;
  readonly query: string;
  readonly isGrouped: boolean;
  readonly createdAt: number;
  readonly outcome: z.infer<typeof outcomeSchema> | undefined;
  readonly isStuck: boolean;
  /** Lines left out of the file without being left out of the counts, and nodes kept of each nested connection. */
  readonly spoilt: { readonly lines: number; readonly keep: number | undefined };
  steps: number;
  status: Status;
  file: { readonly text: string; readonly lines: number; readonly roots: number } | undefined;
}

const outcomeSchema = z.object({
  status: z.enum(['FAILED', 'CANCELED', 'EXPIRED']).default('FAILED'),
  errorCode: z.enum(['ACCESS_DENIED', 'INTERNAL_SERVER_ERROR', 'TIMEOUT']).nullable().default(null),
});
const keepSchema = z.object({ keep: z.number().int().positive() });

/** What a look needs: the clock, where files are served, and how a query is answered. */
export interface BulkContext {
  readonly now: number;
  readonly faults: Faults;
  readonly target: FaultTarget;
  readonly fileBase: string;
  readonly run: (query: string) => unknown;
}

export interface BulkDesk {
  start(query: string, isGrouped: boolean, context: BulkContext): unknown;
  cancel(gid: string, context: BulkContext): unknown;
  one(gid: string, context: BulkContext): unknown;
  list(args: PageArguments, context: BulkContext, limits: PageLimits): unknown;
  /** The file of an operation that was completed. */
  file(id: string): string | undefined;
}

export function createBulkDesk(schema: GraphQLSchema): BulkDesk {
  const operations: Operation[] = [];
  const isActive = ({ status }: Operation): boolean => ['CREATED', 'RUNNING', 'CANCELING'].includes(status);

  function step(context: BulkContext): void {
    for (const operation of operations.filter(isActive)) {
      if (operation.status === 'CANCELING') {
        operation.status = 'CANCELED';
        continue;
      }
      operation.status = 'RUNNING';
      if (operation.isStuck) continue;
      operation.steps += 1;
      if (operation.steps >= stepsToRun) finish(operation, context);
    }
  }

  function finish(operation: Operation, context: BulkContext): void {
    const lines = toBulkLines(context.run(operation.query), operation.isGrouped, operation.spoilt.keep);
    const written = lines.slice(0, lines.length - operation.spoilt.lines);
    operation.file = {
      text: written.map(({ text }) => `${text}\n`).join(''),
      lines: lines.length,
      roots: lines.filter(({ depth }) => depth === 0).length,
    };
    operation.status = operation.outcome?.status ?? 'COMPLETED';
  }

  function toNode(operation: Operation, { fileBase }: BulkContext): Record<string, unknown> {
    const { status, file } = operation;
    const isWhole = status === 'COMPLETED';
    const url = `${fileBase}/bulk/${operation.id}.jsonl?Signature=sandbox-${operation.id}`;
    const hasLines = file !== undefined && file.lines > 0;
    return {
      id: `gid://shopify/BulkOperation/${operation.id}`,
      type: 'QUERY',
      query: operation.query,
      status,
      errorCode: status === 'FAILED' ? (operation.outcome?.errorCode ?? 'INTERNAL_SERVER_ERROR') : null,
      createdAt: timeText(operation.createdAt),
      completedAt: isWhole ? timeText(operation.createdAt) : null,
      objectCount: String(file?.lines ?? 0),
      rootObjectCount: String(file?.roots ?? 0),
      fileSize: isWhole && hasLines ? String(Buffer.byteLength(file.text)) : null,
      url: isWhole && hasLines ? url : null,
      partialDataUrl: !isWhole && hasLines ? url : null,
    };
  }

  function find(gid: string): Operation | undefined {
    const match = /^gid:\/\/shopify\/BulkOperation\/(\d+)$/.exec(gid);
    if (match === null)
      throw new GraphQLError(`Invalid id: ${gid}`, { extensions: { code: 'RESOURCE_NOT_FOUND' } });
    return operations.find((operation) => operation.id === Number(match[1]));
  }

  return {
    start(query, isGrouped, context) {
      const reasons = refuseBulkQuery(schema, query);
      if (reasons.length > 0)
        return refused(reasons.map((message) => ({ field: ['query'], message, code: 'INVALID' })));
      const active = operations.filter(isActive);
      if (active.length >= mostAtOnce) {
        step(context);
        const ids = active.map(({ id }) => `gid://shopify/BulkOperation/${id}`).join(', ');
        const message = `A bulk query operation for this app and shop is already in progress: ${ids}.`;
        return refused([{ field: null, message, code: 'OPERATION_IN_PROGRESS' }]);
      }
      const failed = context.faults.take('shopify', 'report_failed', context.target);
      const cut = context.faults.take('shopify', 'report_skipped', context.target);
      const operation: Operation = {
        id: firstId + operations.length,
        query,
        isGrouped,
        createdAt: context.now,
        outcome: failed === undefined ? undefined : outcomeSchema.parse(failed.value ?? {}),
        isStuck: context.faults.take('shopify', 'report_stuck', context.target) !== undefined,
        spoilt: {
          lines:
            context.faults.take('shopify', 'report_completed_early', context.target) === undefined ? 0 : 1,
          keep: cut === undefined ? undefined : (keepSchema.safeParse(cut.value).data?.keep ?? 1),
        },
        steps: 0,
        status: 'CREATED',
        file: undefined,
      };
      operations.push(operation);
      return { bulkOperation: toNode(operation, context), userErrors: [] };
    },
    cancel(gid, context) {
      const operation = find(gid);
      if (operation === undefined || !isActive(operation))
        return {
          bulkOperation: operation === undefined ? null : toNode(operation, context),
          userErrors: [{ field: ['id'], message: 'The bulk operation is not running.' }],
        };
      operation.status = 'CANCELING';
      return { bulkOperation: toNode(operation, context), userErrors: [] };
    },
    one(gid, context) {
      step(context);
      const operation = find(gid);
      const isLost = context.faults.take('shopify', 'report_not_found', context.target) !== undefined;
      return operation === undefined || isLost ? null : toNode(operation, context);
    },
    list(args, context, limits) {
      step(context);
      return connect(
        operations,
        args,
        ({ id }) => ({ id, value: -id }),
        (operation) => toNode(operation, context),
        limits,
      );
    },
    file: (id) => {
      const operation = operations.find((candidate) => String(candidate.id) === id);
      // Of a failed operation half is to be had.
      if (operation?.file === undefined) return undefined;
      const { text } = operation.file;
      return operation.status === 'COMPLETED' ? text : text.slice(0, Math.floor(text.length / 2));
    },
  };
}

function refused(
  userErrors: readonly { field: readonly string[] | null; message: string; code: string }[],
): unknown {
  return { bulkOperation: null, userErrors };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
