/**
 * What every command starts from: settings read once, secrets known to the redactor, a logger, a signal.
 * Nothing here touches the process; main.ts hands it in.
 */
import type { Env } from '@floyo/shared/config';
import { createLogger, type Logger } from '@floyo/shared/log';
import { createRedactor, type Redactor } from '@floyo/shared/redact';

import { type Database, type DatabaseOptions, openDatabase } from './database.ts';
import { groupBySource, reportToGitHub } from './print/github.ts';
import { createRunPrinter, formatRun, type Streams } from './print/run-printer.ts';
import { hasFailed, type RunDocument, runPipeline, type RunRequest } from './run.ts';
import { readSecrets, readSettings, type Settings } from './sources.ts';

export interface World {
  readonly env: Env;
  readonly streams: Streams;
  readonly signal: AbortSignal;
}

export interface App extends World {
  readonly settings: Settings;
  readonly redactor: Redactor;
  readonly log: Logger;
  readonly json: boolean;
}

/** Reads the settings; throws ConfigError with every problem. */
export function createApp(world: World, json: boolean): App {
  const settings = readSettings(world.env);
  const redactor = createRedactor(readSecrets(world.env));
  // People get the printed report; machines, whose standard output is one document, get the log.
  const level = settings.config.logLevel ?? (json ? 'info' : 'silent');
  return { ...world, settings, redactor, json, log: createLogger({ level, redactor }) };
}

/** Opens the database of the settings for a command. */
export function openAppDatabase(
  app: App,
  options: Omit<DatabaseOptions, 'settings' | 'log'> = {},
): Promise<Database> {
  return openDatabase({ settings: app.settings, log: app.log, ...options });
}

/** Runs the pipeline, prints it for people or machines, and returns the exit code. */
export async function runAndReport(app: App, database: Database, request: RunRequest): Promise<number> {
  const document = await runWatched(app, database, request);
  print(app, document, formatRun(document, app.streams));
  return hasFailed(document) ? 1 : 0;
}

/** Runs the pipeline with progress on standard error, and tells GitHub Actions where it runs there. */
export async function runWatched(app: App, database: Database, request: RunRequest): Promise<RunDocument> {
  const { stderr } = app.streams;
  const onGitHub = app.env['GITHUB_ACTIONS'] === 'true';
  const write = (line: string) => void stderr.write(line);
  const printer = createRunPrinter(app.streams);
  const watcher = onGitHub ? groupBySource(printer, write) : printer;
  const document = await runPipeline({ ...app, database, watcher }, request);
  if (onGitHub) reportToGitHub(document, write, app.env['GITHUB_STEP_SUMMARY']);
  return document;
}

/** One JSON document, or the text for people, on standard output. */
export function print(app: Pick<App, 'json' | 'streams'>, document: unknown, text: string): void {
  app.streams.stdout.write(app.json ? `${JSON.stringify(document)}\n` : `${text}\n`);
}
