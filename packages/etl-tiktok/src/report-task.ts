/**
 * A report made by TikTok at its leisure: no limit of days, no cut at 20,000 ads, no pages that move. Ordered, asked
 * after until it is ready, then downloaded as a whole; what is given up is cancelled.
 * https://business-api.tiktok.com/portal/docs?id=1740302766489602
 */
import { setTimeout as delay } from 'node:timers/promises';

import { z } from 'zod';

import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { CallIo, Parameters, TikTokClient } from './client.ts';
import { classifyReply, codeOf, FailedTaskError, requestContext } from './errors.ts';
import type { TaskFile } from './task-file.ts';

export interface Patience {
  readonly firstPauseMs: number;
  readonly checks: number;
}

/** The app may not order this report; there is another way to read it. */
export class TaskRefusedError extends PipelineError {}

const NOT_READY = 40201;
/** Not on the allow list; and a parameter that is refused, which some apps get instead, or for a filter by status. */
const REFUSALS: readonly (number | undefined)[] = [40118, 40002];

/** Pauses between checks double from the first to 120 times as much; all of them together are about 20 minutes. */
const PATIENCE: Patience = { firstPauseMs: 250, checks: 46 };
const MAX_PAUSES = 120;
/** A link to the file is good for an hour; past that a new one is asked for. */
const MAX_LINKS = 3;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const LINK_EXPIRED: readonly number[] = [403, 404, 410];

const createdSchema = z.object({
  data: z.object({ task_id: z.union([z.string(), z.number()]).transform(String) }),
});
const checkedSchema = z.object({
  data: z.object({
    status: z.enum(['QUEUING', 'PROCESSING', 'SUCCESS', 'FAILED', 'CANCELED']),
    message: z.string().nullish(),
  }),
});
const linkSchema = z.object({ data: z.object({ download_url: z.url({ protocol: /^https?$/ }) }) });

/** The file of a report with these parameters. Throws TaskRefusedError when tasks may not be created. */
export async function fetchTaskFile(
  client: TikTokClient,
  io: CallIo,
  report: Parameters & Pick<TaskFile, 'dimensions' | 'metrics'>,
  patience = PATIENCE,
): Promise<TaskFile> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runTask(client, io, report, patience);
    } catch (error) {
      if (!(error instanceof FailedTaskError) || attempt === 2) throw error;
    }
  }
}

/** The body that orders a report. Keys as titles: their translations change. */
export function taskBody(report: Parameters): Parameters {
  return { ...report, output_format: 'CSV_STRING', enable_report_title_translation: false };
}

async function runTask(
  client: TikTokClient,
  io: CallIo,
  report: Parameters & Pick<TaskFile, 'dimensions' | 'metrics'>,
  { firstPauseMs, checks }: Patience,
): Promise<TaskFile> {
  const taskId = await createTask(client, io, report);
  const key = { advertiser_id: String(report['advertiser_id']), task_id: taskId };
  let isOver = false;
  try {
    for (let check = 0; check < checks; check++) {
      const pauses = check === 0 ? 0 : Math.min(2 ** (check - 1), MAX_PAUSES);
      if (pauses > 0) await delay(firstPauseMs * pauses, undefined, { signal: io.signal });
      const file = (await checkTask(client, io, key)) ? await downloadFile(client, io, key) : undefined;
      if (file === undefined) continue;
      isOver = true;
      return { ...file, dimensions: report.dimensions, metrics: report.metrics };
    }
    throw new PipelineError({
      type: 'upstream',
      message: `TikTok did not finish report task ${taskId} within ${checks} checks`,
      advice: 'Nothing of these days was loaded; the next run orders the report again.',
      retryable: true,
      context: key,
    });
  } catch (error) {
    isOver = error instanceof FailedTaskError;
    throw error;
  } finally {
    // Frees the place in TikTok's queue.
    if (!isOver) await client.tell(io, 'report/task/cancel', key);
  }
}

async function createTask(client: TikTokClient, io: CallIo, report: Parameters): Promise<string> {
  const { answer } = await client.call(io, {
    method: 'POST',
    path: 'report/task/create',
    parameters: taskBody(report),
    schema: createdSchema,
    kind: 'task',
    judge: (reply) => {
      const code = codeOf(reply);
      if (!REFUSALS.includes(code)) return undefined;
      return new TaskRefusedError({
        type: 'permission',
        message: `TikTok does not let this app order asynchronous reports: ${String(vendorMessage(reply))} (${code})`,
        advice:
          'More than 20,000 ads can only be read with them: have the app put on the allow list of asynchronous reports (Allowlist Management in the developer portal).',
        context: { code, vendor_message: vendorMessage(reply), ...requestContext(reply) },
      });
    },
  });
  return answer.data.task_id;
}

type TaskKey = { readonly advertiser_id: string; readonly task_id: string };

/** Whether it is ready. Throws FailedTaskError when it failed, and PipelineError when somebody cancelled it. */
async function checkTask(client: TikTokClient, io: CallIo, key: TaskKey): Promise<boolean> {
  const { reply } = await client.call(io, {
    path: 'report/task/check',
    parameters: key,
    schema: z.unknown(),
    judge: (answer) => {
      if (codeOf(answer) === NOT_READY) return null;
      const checked = checkedSchema.safeParse(answer.json).data?.data;
      if (codeOf(answer) !== 0 || checked === undefined) return undefined;
      if (checked.status !== 'FAILED' && checked.status !== 'CANCELED') return null;
      return endedTask(checked.status, checked.message ?? '', { ...key, ...requestContext(answer) });
    },
  });
  const checked = checkedSchema.safeParse(reply.json);
  if (checked.success) return checked.data.data.status === 'SUCCESS';
  if (codeOf(reply) === NOT_READY) return false;
  throw otherShape('report/task/check', reply);
}

function endedTask(
  status: 'FAILED' | 'CANCELED',
  why: string,
  context: Record<string, unknown>,
): PipelineError {
  if (status === 'FAILED')
    return new FailedTaskError({
      message: `TikTok failed to make a report: ${why === '' ? 'it does not say why' : why}`,
      advice: 'The next run orders it again. If it lasts, ask TikTok with the task_id.',
      context,
    });
  return new PipelineError({
    type: 'upstream',
    message: `TikTok's report task ${String(context['task_id'])} was cancelled${why === '' ? '' : `: ${why}`}`,
    advice:
      'Somebody cancelled it, or another run of this pipeline with the same app; the next run orders it again.',
    retryable: true,
    context,
  });
}

/** The file, or undefined when it is not ready after all. It comes as text or, depending on the app, as a link. */
async function downloadFile(
  client: TikTokClient,
  io: CallIo,
  key: TaskKey,
): Promise<Pick<TaskFile, 'text' | 'context'> | undefined> {
  for (let links = 1; ; links++) {
    const { reply } = await client.call(io, {
      path: 'report/task/download',
      parameters: key,
      schema: z.unknown(),
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      judge: (answer) => (isFile(answer) || codeOf(answer) === NOT_READY ? null : undefined),
    });
    const context = { ...key, ...requestContext(reply) };
    if (isFile(reply)) return { text: reply.text, context };
    if (codeOf(reply) === NOT_READY) return undefined;
    const link = linkSchema.safeParse(reply.json);
    if (!link.success) throw otherShape('report/task/download', reply);
    const text = await followLink(io, link.data.data.download_url);
    if (text !== undefined) return { text, context };
    if (links === MAX_LINKS)
      throw new PipelineError({
        type: 'upstream',
        message: `The links to the file of TikTok's report task ${key.task_id} expire before they can be used`,
        advice: 'Check the clock of this machine; the next run orders the report again.',
        retryable: true,
        context,
      });
  }
}

/** The file's text, undefined when the link has expired. Without the token: the link is on another host. */
async function followLink(io: CallIo, url: string): Promise<string | undefined> {
  const reply = await io.http.request({
    url,
    safeToRepeat: true,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
    classify: (answer) =>
      isFile(answer) || LINK_EXPIRED.includes(answer.status)
        ? undefined
        : classifyReply({ ...answer, json: undefined }, io.now().epochMilliseconds),
  });
  return LINK_EXPIRED.includes(reply.status) ? undefined : reply.text;
}

function isFile({ status, json, text }: HttpReply): boolean {
  return status === 200 && json === undefined && /^\s*[^\s<]/.test(text);
}

function otherShape(path: string, reply: HttpReply): PipelineError {
  return new PipelineError({
    type: 'contract',
    message: `TikTok's answer to ${path} does not have the expected shape`,
    advice: 'The API may have changed: compare the answer with the documentation of the call.',
    context: requestContext(reply),
  });
}

const messageSchema = z.object({ message: z.string() });
function vendorMessage(reply: HttpReply): string | undefined {
  return messageSchema.safeParse(reply.json).data?.message;
}
