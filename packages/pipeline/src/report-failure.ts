/** Errors that end a command: what a person or a machine is told of them, and the exit code (1 failed; 2 wrong usage or configuration). */
import { CommanderError } from 'commander';

import { ConfigError, type PipelineError, toPipelineError } from '@floyo/shared/errors';
import { createRedactor } from '@floyo/shared/redact';

import type { World } from './app.ts';
import { paint } from './print/style.ts';
import { readSecrets } from './sources.ts';

/** Tells what went wrong, and what to do, on standard error (with `--json` on standard output too); the exit code. */
export function reportFailure(thrown: unknown, json: boolean, world: World): number {
  const redactor = createRedactor(readSecrets(world.env));
  const error =
    thrown instanceof CommanderError
      ? new ConfigError([{ variable: 'usage', message: thrown.message.replace(/^error: /, '') }], 'usage')
      : toPipelineError(thrown);
  const { stdout, stderr } = world.streams;
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
