/**
 * The ladder by which days are read whole, however many ads there are: synchronous pages; fewer days; an asynchronous
 * task; and where the app may not order one, campaign by campaign. Nothing is handed on twice.
 */
import { z } from 'zod';

import { type ErrorDetails, PipelineError, WindowTooLargeError } from '@floyo/shared/errors';
import { countDays, type Day, type DayWindow } from '@floyo/shared/window';

import type { CallIo, Parameters, ReportRequest, TikTokClient } from './client.ts';
import { CutOffError, MovedPagesError } from './errors.ts';
import { fetchTaskFile, TaskRefusedError } from './report-task.ts';
import { readTaskFile, type TaskFile } from './task-file.ts';

export interface DaysRequest {
  readonly window: DayWindow;
  readonly parameters: Parameters;
  readonly identify: (record: unknown) => { readonly externalId: string; readonly date?: Day } | undefined;
}

/** An ad report; its filter leaves room for another one by campaign. */
type AdsRequest = DaysRequest & {
  readonly parameters: Pick<TaskFile, 'dimensions' | 'metrics'> & { readonly filtering: readonly unknown[] };
};

/** How often the pages of a single day are read anew when they don't fit together. */
const RESTARTS = 2;
/** A task's file is held whole: about 400 bytes a row, so 20 MB. A longer window with more rows is halved first. */
const MAX_TASK_ROWS = 50_000;
/** TikTok's limit for ids in a filter. */
const MAX_IDS = 100;

/** Pages of records. Throws WindowTooLargeError when fewer days have to be asked for. */
export async function* readWholeDays(
  client: TikTokClient,
  io: CallIo,
  request: AdsRequest,
): AsyncGenerator<readonly unknown[]> {
  if (countDays(request.window) === 1) {
    yield* readOneDay(client, io, request);
    return;
  }
  try {
    yield* readSeveralDays(client, io, request);
  } catch (error) {
    throw error instanceof MovedPagesError ? tooLarge(error) : error;
  }
}

async function* readSeveralDays(
  client: TikTokClient,
  io: CallIo,
  request: AdsRequest,
): AsyncGenerator<readonly unknown[]> {
  let hasYielded = false;
  try {
    for await (const page of client.readReport(io, withDays(request))) {
      hasYielded = true;
      yield page;
    }
    return;
  } catch (error) {
    if (!(error instanceof CutOffError)) throw error;
    if (hasYielded || error.rows > MAX_TASK_ROWS) throw tooLarge(error);
  }
  yield* readByTask(client, io, request);
}

/**
 * A day can't be halved, so it is collected before anything is handed on: at most 20 pages, for TikTok cuts it off at
 * 20,000 ads (about 40 MB).
 */
async function* readOneDay(
  client: TikTokClient,
  io: CallIo,
  request: AdsRequest,
): AsyncGenerator<readonly unknown[]> {
  try {
    const records = await collectReport(client, io, request);
    if (records.length > 0) yield records;
    return;
  } catch (error) {
    if (!isTooMuch(error) && !(error instanceof MovedPagesError)) throw error;
  }
  yield* readByTask(client, io, request);
}

async function* readByTask(
  client: TikTokClient,
  io: CallIo,
  request: AdsRequest,
): AsyncGenerator<readonly unknown[]> {
  let file: TaskFile;
  try {
    file = await fetchTaskFile(client, io, request.parameters);
  } catch (error) {
    if (!(error instanceof TaskRefusedError)) throw error;
    yield* readByCampaign(client, io, request, error);
    return;
  }
  const seen = new Set<string>();
  for await (const page of readTaskFile(file)) {
    for (const record of page) {
      refuseOtherDay(record, request, file.context);
      const { externalId, date } = request.identify(record) ?? {};
      const key = `${externalId} of ${date}`;
      if (externalId !== undefined && seen.has(key)) throw repeated(key, file.context);
      seen.add(key);
    }
    yield page;
  }
}

/** In groups of campaigns, which are halved while they still have too many ads. Throws `refusal` when one alone has. */
async function* readByCampaign(
  client: TikTokClient,
  io: CallIo,
  request: AdsRequest,
  refusal: TaskRefusedError,
): AsyncGenerator<readonly unknown[]> {
  const { parameters } = request;
  const ids = await listCampaigns(client, io, request).catch((error: unknown) => {
    throw isTooMuch(error) ? refusal : error;
  });
  const groups: string[][] = [];
  for (let at = 0; at < ids.length; at += MAX_IDS) groups.push(ids.slice(at, at + MAX_IDS));
  for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
    const filtering = [...parameters.filtering, isIn('campaign_ids', group)];
    try {
      const records = await collectReport(client, io, {
        ...request,
        parameters: { ...parameters, filtering },
      });
      if (records.length > 0) yield records;
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      if (group.length === 1) throw refusal;
      const half = Math.ceil(group.length / 2);
      groups.unshift(group.slice(0, half), group.slice(half));
    }
  }
}

const campaignSchema = z.object({
  dimensions: z.object({ campaign_id: z.string(), stat_time_day: z.string() }),
});

/** The campaigns that delivered on these days, deleted ones too. */
async function listCampaigns(client: TikTokClient, io: CallIo, request: AdsRequest): Promise<string[]> {
  const records = await collectReport(client, io, {
    window: request.window,
    parameters: {
      ...request.parameters,
      data_level: 'AUCTION_CAMPAIGN',
      dimensions: ['campaign_id', 'stat_time_day'],
      metrics: ['spend'],
      filtering: [isIn('campaign_status', ['STATUS_ALL'])],
    },
    identify: (record) => {
      const { data } = campaignSchema.safeParse(record);
      return (
        data && { externalId: data.dimensions.campaign_id, date: data.dimensions.stat_time_day.slice(0, 10) }
      );
    },
  });
  return [...new Set(parseRecords(campaignSchema, records).map(({ dimensions }) => dimensions.campaign_id))];
}

/** Records of a report that nobody sets aside when one is malformed. Throws `contract`. */
export function parseRecords<T>(schema: z.ZodType<T>, records: readonly unknown[]): T[] {
  const parsed = z.array(schema).safeParse(records);
  if (parsed.success) return parsed.data;
  throw new PipelineError({
    type: 'contract',
    message: `TikTok's report does not have the expected shape: ${z.prettifyError(parsed.error)}`,
    advice: 'The API may have changed: compare the answer with the documentation of the call.',
  });
}

/** All records of a synchronous report, read anew while its pages don't fit together. */
export async function collectReport(
  client: TikTokClient,
  io: CallIo,
  request: DaysRequest,
): Promise<readonly unknown[]> {
  for (let restarts = 0; ; restarts++) {
    const records: unknown[] = [];
    try {
      for await (const page of client.readReport(io, withDays(request))) records.push(...page);
      return records;
    } catch (error) {
      if (!(error instanceof MovedPagesError) || restarts === RESTARTS) throw error;
    }
  }
}

/** A filter's value is JSON within a text. */
export function isIn(field: string, values: readonly string[]): unknown {
  return { field_name: field, filter_type: 'IN', filter_value: JSON.stringify(values) };
}

function withDays(request: DaysRequest): ReportRequest {
  return { ...request, refuse: (record, context) => refuseOtherDay(record, request, context) };
}

/** The day's ads are more than one answer can hold. */
function isTooMuch(error: unknown): boolean {
  return error instanceof CutOffError || error instanceof WindowTooLargeError;
}

function tooLarge({ message, context }: PipelineError): WindowTooLargeError {
  const details: Omit<ErrorDetails, 'type' | 'retryable'> = { message, context };
  return new WindowTooLargeError({ ...details, advice: 'Nothing to do: fewer days are asked for.' });
}

function refuseOtherDay(
  record: unknown,
  { identify, window: { from, to } }: DaysRequest,
  context: Readonly<Record<string, unknown>>,
): void {
  const date = identify(record)?.date;
  if (date === undefined || (date >= from && date < to)) return;
  throw new PipelineError({
    type: 'contract',
    message: `TikTok answered with ${date}, which was not asked for`,
    advice:
      "Nothing of this window was loaded. If the advertiser's time zone was changed, run a backfill of the days around it.",
    context: { ...context, window: { from, to } },
  });
}

function repeated(key: string, context: Readonly<Record<string, unknown>>): PipelineError {
  return new PipelineError({
    type: 'contract',
    message: `TikTok's report file holds ${key} twice`,
    advice: 'Nothing of this window was loaded; the next run orders the report again.',
    context,
  });
}
