/** One message to ALERT_WEBHOOK_URL for a run that did not succeed. Telling nobody is logged, and never fails the run. */
import { PipelineError } from '@floyo/shared/errors';
import { createHttpClient } from '@floyo/shared/http';

import type { RunDocument, RunWorld } from './run.ts';

/** Posts `{text}`, which Slack and the many that imitate it take. https://api.slack.com/messaging/webhooks */
export async function postAlert(
  { settings, log, redactor }: Pick<RunWorld, 'settings' | 'log' | 'redactor'>,
  document: RunDocument,
): Promise<void> {
  const url = settings.config.alertWebhookUrl;
  if (url === undefined) return;
  const http = createHttpClient({
    signal: AbortSignal.timeout(20_000),
    now: Date.now,
    retryBaseMs: settings.config.http.retryBaseMs,
    waitBudgetMs: 0,
  });
  try {
    await http.request({
      url,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: redactor.text(describe(document)) }),
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
