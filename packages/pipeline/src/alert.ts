/**
 * One message to ALERT_WEBHOOK_URL for a run that did not succeed, or that could not even start. Telling nobody is logged,
 * and never fails the run.
 */
import { PipelineError, toPipelineError } from '@floyo/shared/errors';
import { createHttpClient } from '@floyo/shared/http';
import type { RunKind } from '@floyo/shared/ledger';
import type { Logger } from '@floyo/shared/log';
import type { Redactor } from '@floyo/shared/redact';

import type { RunDocument, RunWorld } from './run.ts';
import { InterruptedError } from './run-lock.ts';

type AlertWorld = Pick<RunWorld, 'settings' | 'log' | 'redactor'>;

/** Tells of a run that did not succeed. */
export async function postAlert(
  { settings: { config }, log, redactor }: AlertWorld,
  document: RunDocument,
): Promise<void> {
  const { alertWebhookUrl: url, http } = config;
  await sendAlert({ url, retryBaseMs: http.retryBaseMs, log, redactor }, describe(document));
}

/** Opens what a run needs and runs it; what keeps it from being a run at all is told too, and thrown on. */
export async function alertUnlessStarted<T>(
  world: AlertWorld,
  kind: RunKind,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (thrown) {
    const { alertWebhookUrl: url, http } = world.settings.config;
    if (!(thrown instanceof InterruptedError))
      await sendAlert({ ...world, url, retryBaseMs: http.retryBaseMs }, describeNotStarted(kind, thrown));
    throw thrown;
  }
}

/** The text for a run that there is no document of. */
export function describeNotStarted(kind: RunKind, thrown: unknown): string {
  const { message, advice } = toPipelineError(thrown);
  return `Floyo ${kind} run could not start\n• ${message}${advice === undefined ? '' : ` — ${advice}`}`;
}

/** Posts `{text}`, which Slack and the many that imitate it take. https://api.slack.com/messaging/webhooks */
export async function sendAlert(
  {
    url,
    retryBaseMs,
    log,
    redactor,
  }: {
    readonly url: string | undefined;
    readonly retryBaseMs: number;
    readonly log: Logger;
    readonly redactor: Redactor;
  },
  text: string,
): Promise<void> {
  if (url === undefined) return;
  const http = createHttpClient({
    signal: AbortSignal.timeout(20_000),
    now: Date.now,
    retryBaseMs,
    waitBudgetMs: 0,
  });
  try {
    await http.request({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: redactor.text(text) }),
      // A message that came twice is better than one that did not come.
      safeToRepeat: true,
      timeoutMs: 5_000,
      classify: (reply) =>
        reply.status < 300
          ? undefined
          : new PipelineError({
              type: 'upstream',
              message: `the alert webhook answered ${reply.status}`,
              retryable: reply.status >= 500 || reply.status === 429,
            }),
    });
  } catch (error) {
    log.warn(`The alert could not be sent: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function describe(document: RunDocument): string {
  const lines = document.agents
    .filter(({ status }) => status !== 'succeeded')
    .map(
      ({ agent, account_id, status, error }) =>
        `• ${[agent, account_id].filter(Boolean).join(' ')} ${status}: ${error?.message ?? 'no message'}${error?.advice ? ` — ${error.advice}` : ''}`,
    );
  return [
    `Floyo ${document.kind} run ${document.status} (${document.run_id ?? 'no id'})`,
    ...lines,
    ...(lines.length === 0 ? document.warnings.map((warning) => `• ${warning}`) : []),
  ].join('\n');
}
