/**
 * JSON lines on stderr, with fixed keys (`ts level pkg run_id stream msg`), every line redacted before it leaves.
 * Owns the shape of a log line; what people see of a run is printed by the pipeline.
 */
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

import type { Redactor } from './redact.ts';

export type Logger = PinoLogger;

export interface LogOptions {
  readonly level: string;
  readonly redactor: Redactor;
  /** Where lines go; standard error unless told. */
  readonly destination?: DestinationStream;
}

/** The logger of a process. Packages take `log.child({ pkg, stream, … })`. */
export function createLogger({ level, redactor, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: (line) => redactLine(line, redactor) },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Taken apart again, so that values under telling keys are seen, those of child loggers and errors too. */
function redactLine(line: string, redactor: Redactor): string {
  const parsed: unknown = JSON.parse(line);
  return `${JSON.stringify(redactor.value(parsed))}\n`;
}
