/** Errors that end a command: what a person or a machine is told of them, and the exit code (1 failed; 2 wrong usage or configuration). */
import { CommanderError } from 'commander';

import { ConfigError, type PipelineError, toPipelineError } from '@floyo/shared/errors';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';

import { describeNotStarted, sendAlert } from './alert.ts';
import type { World } from './app.ts';
import { pipelineConfig } from './config.ts';
import { formatFailure } from './print/github.ts';
import { paint } from './print/style.ts';
import { inspectSettings, readSecrets } from './sources.ts';

/**
 * Tells what went wrong, and what to do, on standard error (with `--json` on standard output too), and GitHub Actions
 * where it runs there; the exit code.
 */
export async function reportFailure(thrown: unknown, json: boolean, world: World): Promise<number> {
  const exitCode = printFailure(thrown, json, world);
  if (world.env['GITHUB_EVENT_NAME'] === 'schedule' && inspectSettings(world.env).problems.length > 0)
    await alertOfSettings(thrown, world);
  return exitCode;
}

/** A scheduled run that can't read its settings has nobody looking on: what is needed for an alert is read alone. */
async function alertOfSettings(thrown: unknown, { env }: World): Promise<void> {
  const redactor = createRedactor(readSecrets(env));
  const { config } = pipelineConfig.read({ ALERT_WEBHOOK_URL: env['ALERT_WEBHOOK_URL'] });
  if (config === undefined) return;
  const log = createLogger({ level: 'warn', redactor });
  const { alertWebhookUrl: url, http } = config;
  await sendAlert(
    { url, retryBaseMs: http.retryBaseMs, log, redactor },
    describeNotStarted('scheduled', thrown),
  );
}

function printFailure(thrown: unknown, json: boolean, world: World): number {
  const redactor = createRedactor(readSecrets(world.env));
  const error =
    thrown instanceof CommanderError
      ? new ConfigError([{ variable: 'usage', message: thrown.message.replace(/^error: /, '') }], 'usage')
      : toPipelineError(thrown);
  const { stdout, stderr } = world.streams;
  if (world.env['GITHUB_ACTIONS'] === 'true') stderr.write(`${redactor.text(formatFailure(error))}\n`);
  if (error instanceof ConfigError) {
    const problems = error.problems.map(({ variable, message }) => ({
      variable,
      message: redactor.text(message),
    }));
    if (json) stdout.write(`${JSON.stringify({ error: { code: error.code, problems } })}\n`);
    for (const { variable, message } of problems)
      stderr.write(`${paint('red', '✗', stderr)} ${variable === 'usage' ? '' : `${variable} `}${message}\n`);
    return 2;
  }
  const message = redactor.text(error.message);
  const advice = error.advice === undefined ? null : redactor.text(error.advice);
  if (json)
    stdout.write(
      `${JSON.stringify({ error: { code: error.type, severity: error.severity, message, advice } })}\n`,
    );
  stderr.write(`${paint('red', '✗', stderr)} ${message}\n${advice === null ? '' : `  → ${advice}\n`}`);
  if (error.type === 'internal') stderr.write(`${redactor.text(stackOf(error))}\n`);
  return 1;
}

function stackOf(error: PipelineError): string {
  return error.cause instanceof Error ? (error.cause.stack ?? '') : (error.stack ?? '');
}
