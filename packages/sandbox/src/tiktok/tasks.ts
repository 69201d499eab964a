/** Asynchronous report tasks: created, checked until they are ready, downloaded as text or from a link, cancelled. */
import type { Context } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { spoilRecords } from '../world/faults.ts';
import type { AdsWorld } from '../world/world.ts';
import { writeCsv } from './csv.ts';
import { answer, badParameter, failure, nameRequest } from './errors.ts';
import { findAdvertiser, findReport } from './find-report.ts';
import { readTaskQuery, type ReportQuery } from './query.ts';

/** What a `report_task` fault, taken when a task is created, makes of it. */
const planSchema = z.object({
  /** Checks that find it unfinished. */
  pending: z.number().default(0),
  /** What it ends as. */
  status: z.enum(['SUCCESS', 'FAILED', 'CANCELED']).default('SUCCESS'),
  message: z.string().default('Internal error, please create the task again.'),
  /** Titles in words, whatever was asked for. */
  translated: z.boolean().default(false),
  /** A link instead of the text, whatever was asked for. */
  link: z.boolean().default(false),
  /** Links that have expired before they are used. */
  expiredLinks: z.number().default(0),
  /** The file stops in the middle of a line. */
  cut: z.boolean().default(false),
});

interface Task {
  id: string;
  query: ReportQuery;
  isTranslated: boolean;
  isLink: boolean;
  plan: z.infer<typeof planSchema>;
  checks: number;
  isCancelled: boolean;
  links: number;
}

export interface TaskServer {
  readonly create: (c: Context) => Promise<Response>;
  readonly check: (c: Context) => Response;
  readonly download: (c: Context) => Response;
  readonly cancel: (c: Context) => Promise<Response>;
  /** The file behind a link; no token is asked for, the link is the permission. */
  readonly file: (c: Context) => Response;
}

const bodySchema = z.record(z.string(), z.unknown());
const titlesSchema = z.object({ enable_report_title_translation: z.boolean().default(true) });
const formatSchema = z.object({
  output_format: z.enum(['CSV_STRING', 'CSV_DOWNLOAD', 'XLSX_DOWNLOAD']).default('CSV_STRING'),
});
const keySchema = z.object({ advertiser_id: z.string(), task_id: z.string() });

export function createTaskServer(context: VendorContext, world: AdsWorld): TaskServer {
  const tasks = new Map<string, Task>();

  function find(parameters: unknown): Task {
    const key = keySchema.safeParse(parameters);
    if (!key.success) throw badParameter('Missing required field(s): advertiser_id, task_id.');
    const task = tasks.get(key.data.task_id);
    if (task?.query.advertiserIds.includes(key.data.advertiser_id) !== true)
      throw badParameter(`task_id: ${key.data.task_id} does not exist.`);
    return task;
  }

  function write(task: Task, path: string): string {
    const { rows } = findReport(context, world, task.query, path);
    const spoilt = context.faults.take('tiktok', 'invalid_record', {
      account: task.query.advertiserIds[0],
      path,
    });
    if (spoilt !== undefined)
      spoilRecords(
        spoilt,
        rows.map((row) => [row.metrics, row.dimensions]),
      );
    const text = writeCsv(task.query, rows, task.isTranslated);
    return task.plan.cut ? text.slice(0, text.indexOf('\n', text.length / 2) + 25) : text;
  }

  return {
    async create(c) {
      const body = bodySchema.parse(await c.req.json());
      const query = readTaskQuery(body);
      for (const id of query.advertiserIds) findAdvertiser(world, id);
      const titles = titlesSchema.safeParse(body);
      const format = formatSchema.safeParse(body);
      if (!titles.success || !format.success)
        throw badParameter('output_format or title translation is wrong.');
      const fault = context.faults.take('tiktok', 'report_task', {
        account: query.advertiserIds[0],
        path: c.req.path,
      });
      const plan = planSchema.parse(fault?.value ?? {});
      const id = String(7_300_000_000_000_000_000n + BigInt(tasks.size));
      tasks.set(id, {
        id,
        query,
        isTranslated: plan.translated || titles.data.enable_report_title_translation,
        isLink: plan.link || format.data.output_format !== 'CSV_STRING',
        plan,
        checks: 0,
        isCancelled: false,
        links: 0,
      });
      return answer(c, context, 0, 'OK', { task_id: id });
    },
    check(c) {
      const task = find(c.req.query());
      task.checks += 1;
      const status = statusOf(task);
      return answer(c, context, 0, 'OK', { status, message: status === 'FAILED' ? task.plan.message : '' });
    },
    download(c) {
      const task = find(c.req.query());
      if (statusOf(task) !== 'SUCCESS') throw failure(40201);
      if (!task.isLink) {
        nameRequest(c, context);
        return c.body(write(task, c.req.path), 200, { 'content-type': 'text/csv; charset=utf-8' });
      }
      task.links += 1;
      const { origin } = new URL(c.req.url);
      return answer(c, context, 0, 'OK', {
        output_format: 'CSV_DOWNLOAD',
        file_name: `${task.id}.csv`,
        download_url: `${origin}/tiktok/file/${task.id}?link=${task.links}&sign=sandbox`,
      });
    },
    async cancel(c) {
      const task = find(await c.req.json());
      task.isCancelled = true;
      return answer(c, context, 0, 'OK', {});
    },
    file(c) {
      const task = tasks.get(c.req.param('id') ?? '');
      if (c.req.header('access-token') !== undefined) return c.text('a link takes no token', 400);
      const link = Number(c.req.query('link'));
      if (task === undefined || link <= task.plan.expiredLinks) return c.text('Request has expired', 403);
      return c.body(write(task, c.req.path), 200, { 'content-type': 'text/csv' });
    },
  };
}

function statusOf({ isCancelled, checks, plan }: Task): string {
  if (isCancelled) return 'CANCELED';
  if (plan.pending === 0 || checks > plan.pending) return plan.status;
  return checks <= 1 ? 'QUEUING' : 'PROCESSING';
}
