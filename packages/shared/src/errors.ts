/**
 * The errors of the pipeline: one class that says what, where and what to do, and the few subclasses that steer it.
 * Nobody decides by an error's text: `retryable`, `type` and the class are what callers look at.
 */

/** What kind of failure it is; the vocabulary of `ops.errors.error_type`. */
export type ErrorType =
  | 'config'
  | 'auth'
  | 'permission'
  | 'rate_limit'
  | 'upstream'
  | 'contract'
  | 'truncated'
  | 'load'
  | 'lock'
  | 'drift'
  | 'rejects'
  | 'internal';

/** P0: database or lock. P1: an agent failed. P2: drift, rejects, a paused account. P3: for information. */
export type Severity = 'P0' | 'P1' | 'P2' | 'P3';

export interface ErrorDetails {
  readonly type: ErrorType;
  readonly message: string;
  /** What the person who reads it should do. */
  readonly advice?: string | undefined;
  /** Whether the same call may succeed when it is made again. */
  readonly retryable?: boolean | undefined;
  readonly severity?: Severity | undefined;
  /** Facts for the on-call engineer: the vendor's code, request id, window. Never a secret. */
  readonly context?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export class PipelineError extends Error {
  readonly type: ErrorType;
  readonly advice: string | undefined;
  readonly retryable: boolean;
  readonly severity: Severity;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.type = details.type;
    this.advice = details.advice;
    this.retryable = details.retryable ?? false;
    this.severity = details.severity ?? (details.type === 'lock' ? 'P0' : 'P1');
    this.context = details.context ?? {};
  }
}

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  readonly variable: string;
  readonly message: string;
}

/** Wrong usage or configuration: exit code 2, with every problem at once. */
export class ConfigError extends PipelineError {
  readonly code: string;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], code = 'config') {
    super({
      type: 'config',
      message: problems.map((problem) => `${problem.variable}: ${problem.message}`).join('; '),
    });
    this.code = code;
    this.problems = problems;
  }
}

/**
 * The vendor says that calls come too fast. The HTTP client waits `waitMs` (or its own growing pause when that is longer)
 * and asks again; that is no retry. Past the account's waiting budget the account is paused.
 */
export class ThrottledError extends PipelineError {
  readonly waitMs: number | undefined;

  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'> & { readonly waitMs?: number | undefined }) {
    super({ ...details, type: 'rate_limit', retryable: true, severity: details.severity ?? 'P2' });
    this.waitMs = details.waitMs;
  }
}

/** The account has waited enough in this run: it is left until `until` (an ISO instant) and goes on in a later run. */
export class AccountPausedError extends PipelineError {
  readonly until: string;

  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'> & { readonly until: string }) {
    super({ ...details, type: 'rate_limit', retryable: true, severity: 'P2' });
    this.until = details.until;
  }
}

/** The vendor can't answer for so much at once. The runner halves the window; a single day that is too large fails. */
export class WindowTooLargeError extends PipelineError {
  constructor(details: Omit<ErrorDetails, 'type' | 'retryable'>) {
    super({ ...details, type: 'truncated' });
  }
}

/** The run has taken as long as it may: what is in stays, the same command goes on. */
export class OutOfTimeError extends PipelineError {
  constructor(advice: string) {
    super({
      type: 'internal',
      severity: 'P3',
      retryable: true,
      message: 'Stopped in time before the limit of this run',
      advice,
    });
  }
}

/** The run no longer holds the lock: nothing may be written any more. */
export class LockLostError extends PipelineError {
  constructor(message: string, context?: Readonly<Record<string, unknown>>) {
    super({
      type: 'lock',
      message,
      severity: 'P0',
      advice:
        'Nothing was written after the loss. Run it again; `floyo status` shows who holds the lock now.',
      context,
    });
  }
}

/** What the database refuses for a reason that lies with it, by SQLSTATE: what to do. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSED_BY_DATABASE: readonly (readonly [
  RegExp,
  Pick<ErrorDetails, 'type' | 'retryable' | 'advice'>,
])[] = [
  [
    /^25006$/,
    {
      type: 'load',
      retryable: true,
      advice:
        'The database takes no writes. Supabase makes it so when the disk is full: free space or enlarge it, make it writable again, then run it again.',
    },
  ],
  [
    /^42501$/,
    {
      type: 'permission',
      advice:
        'The role of DATABASE_URL lacks a right: use the one that ran `floyo migrate` (on Supabase: postgres).',
    },
  ],
  [
    /^53...$/,
    {
      type: 'load',
      retryable: true,
      advice:
        'The database has run out of disk, memory or connections. Free some; the next run goes on where this one stopped.',
    },
  ],
  [
    /^57014$/,
    {
      type: 'load',
      retryable: true,
      advice: 'Somebody, or a limit of the database, cancelled the statement: the next run does it again.',
    },
  ],
];

/** Makes a PipelineError of anything thrown; what is neither ours nor the database's condition is `internal`. */
export function toPipelineError(error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const refused = REFUSED_BY_DATABASE.find(([state]) => state.test(code));
  if (refused !== undefined)
    return new PipelineError({ ...refused[1], message, severity: 'P0', cause: error });
  return new PipelineError({
    type: 'internal',
    message,
    advice: 'This is a defect of the pipeline: report it with the stack in ops.errors.',
    cause: error,
  });
}
