/**
 * Asynchronous reports: for what takes too long, or is too much, for one call. A report that does not end well is
 * abandoned, never restarted in place (that only uses up the limits); what it was asked for is then asked for in parts.
 * https://developers.facebook.com/docs/marketing-api/insights/best-practices
 */
import { setTimeout as delay } from 'node:timers/promises';

import { z } from 'zod';

import type { Io } from '@floyo/shared/connector';
import { PipelineError, ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';

import type { MetaClient, Parameters } from './client.ts';
import { classifyFailedReport, InvisibleError, NotReadyError } from './errors.ts';

/** A report that was lost, skipped or failed in passing is started anew so many times. */
const ATTEMPTS = 3;

export const REPORT_FIELDS = [
  ...['id', 'account_id', 'time_ref', 'time_completed', 'async_status', 'async_percent_completion'],
  ...['error_code', 'error_subcode', 'error_message', 'error_user_title', 'error_user_msg'],
] as const;

const reportSchema = z.object({
  async_status: z.string(),
  async_percent_completion: z.coerce.number().catch(0),
  error_code: z.coerce.number().optional().catch(undefined),
  error_subcode: z.coerce.number().optional().catch(undefined),
  error_message: z.string().catch(''),
});

/**
 * Every page of the report, after it was started and is complete. A record may come more than once, when Meta lost the
 * report meanwhile. Throws WindowTooLargeError when it does not come about.
 */
export async function* readReport(
  client: MetaClient,
  io: Io,
  parameters: Parameters,
): AsyncGenerator<readonly unknown[]> {
  let why = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const id = await startReport(client, io, parameters);
    const end = await waitForReport(client, io, id);
    why = end;
    if (end !== 'complete') continue;
    try {
      yield* readResults(client, io, id);
      return;
    } catch (error) {
      if (!(error instanceof InvisibleError)) throw error;
      why = 'has expired';
    }
  }
  throw givenUp(`Meta's asynchronous report ${why}, ${ATTEMPTS} times in a row`);
}

/** Starts a report and returns its id, which is longer than a number can be exact: it is read off the text. */
async function startReport(client: MetaClient, io: Io, parameters: Parameters): Promise<string> {
  const reply = await client.post(io, `act_${client.accountId}/insights`, parameters);
  const id = /"report_run_id"\s*:\s*"?(\d+)"?/.exec(reply.text)?.[1];
  if (id !== undefined) return id;
  throw new PipelineError({
    type: 'contract',
    message: 'Meta started a report and did not say which',
    advice: 'The API may have changed: compare the answer with the documentation of insights.',
    context: { url: reply.url },
  });
}

/** Looks at the report, ever more seldom, until it ends: 'complete', or why another one has to be started. */
async function waitForReport(
  client: MetaClient,
  io: Io,
  id: string,
): Promise<'complete' | 'can not be found' | 'was skipped' | 'failed'> {
  const { pollFirstMs, pollMostMs, reportAppearsMs, reportLimitMs } = client.timings;
  let waitedMs = 0;
  let seen = false;
  for (let pauseMs = pollFirstMs; waitedMs < reportLimitMs; pauseMs = Math.min(pauseMs * 2, pollMostMs)) {
    await pause(pauseMs, io.signal);
    waitedMs += pauseMs;
    let reply;
    try {
      reply = await client.get(io, id, { fields: REPORT_FIELDS.join(',') });
    } catch (error) {
      if (!(error instanceof InvisibleError)) throw error;
      // Just after it was started a report may not be there yet; one that was there and is gone has expired.
      if (seen || waitedMs >= reportAppearsMs) return 'can not be found';
      continue;
    }
    seen = true;
    const report = readState(reply);
    // "Job Running" at 100 % still adds rows, "Job Completed" below 100 % does too: both together are the end.
    if (report.async_status === 'Job Completed' && report.async_percent_completion >= 100) return 'complete';
    if (report.async_status === 'Job Skipped') return 'was skipped';
    if (report.async_status !== 'Job Failed') continue;
    const { error_code: code = 0, error_subcode: subcode, error_message: message } = report;
    const failure = classifyFailedReport({ code, subcode, message }, reply, client.accountId);
    if (failure instanceof ThrottledError) await io.http.wait(failure.waitMs ?? pollMostMs, failure.message);
    else if (failure.type !== 'upstream') throw failure;
    return 'failed';
  }
  throw givenUp(`Meta's asynchronous report was not complete after ${Math.round(waitedMs / 1000)} s`);
}

function readState(reply: HttpReply): z.infer<typeof reportSchema> {
  const report = reportSchema.safeParse(reply.json);
  if (report.success) return report.data;
  throw new PipelineError({
    type: 'contract',
    message: "Meta does not tell an asynchronous report's status",
    advice: 'The API may have changed: compare the answer with the documentation of AdReportRun.',
    context: { url: reply.url },
  });
}

/** The results; Meta may say that they are not ready for a while after the report is complete. */
async function* readResults(client: MetaClient, io: Io, id: string): AsyncGenerator<readonly unknown[]> {
  for (const waitMs of [...client.timings.notReadyWaitsMs, undefined]) {
    try {
      yield* client.readPages(io, `${id}/insights`, {});
      return;
    } catch (error) {
      if (!(error instanceof NotReadyError)) throw error;
      if (waitMs === undefined) throw givenUp(`${error.message}, long after it was complete`);
      await pause(waitMs, io.signal);
    }
  }
}

/** No throttle wait: Meta works on what was asked for meanwhile. */
async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(waitMs, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}

function givenUp(message: string): WindowTooLargeError {
  return new WindowTooLargeError({
    message,
    advice: 'Nothing to do: less is asked for at a time.',
  });
}
