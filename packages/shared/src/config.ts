/**
 * Configuration from the environment: every package declares the variables it reads in a section, and all problems of
 * all sections are told at once. An empty variable counts as unset (GitHub Actions passes unset secrets as '').
 */
import type { z } from 'zod';

import { ConfigError, type ConfigProblem } from './errors.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** One environment variable: its shape, what it is for, and whether its value is a secret. */
export interface Variable {
  readonly schema: z.ZodType<unknown, string | undefined>;
  readonly description: string;
  readonly secret?: boolean;
  /** Shown in `.env.example`. */
  readonly example?: string;
}

type Values<V extends Record<string, Variable>> = { readonly [K in keyof V]: z.infer<V[K]['schema']> };

/** The variables of one source or of the pipeline itself. */
export interface ConfigSection<Config> {
  readonly variables: Readonly<Record<string, Variable>>;
  /** Undefined when the section is optional and none of its variables is set. */
  readonly read: (env: Env) => {
    readonly config: Config | undefined;
    readonly problems: readonly ConfigProblem[];
  };
}

interface SectionOptions<V extends Record<string, Variable>, Config> {
  readonly variables: V;
  /** An optional section with no variable set at all is not configured; half set, it is wrong. */
  readonly optional: boolean;
  /** Checks across variables; returns the config or the problems. */
  readonly build: (values: Values<V>) => Config | readonly ConfigProblem[];
}

/** Declares a section: `schema` of each variable takes the text or undefined (add `.default()` or `.optional()`). */
export function defineConfig<V extends Record<string, Variable>, Config extends object>(
  options: SectionOptions<V, Config>,
): ConfigSection<Config> {
  const names = Object.keys(options.variables);
  return {
    variables: options.variables,
    read(env) {
      const texts = Object.fromEntries(names.map((name) => [name, env[name]?.trim() || undefined]));
      if (options.optional && names.every((name) => texts[name] === undefined))
        return { config: undefined, problems: [] };
      const values: Record<string, unknown> = {};
      const problems: ConfigProblem[] = [];
      for (const [name, variable] of Object.entries(options.variables)) {
        const parsed = variable.schema.safeParse(texts[name]);
        if (parsed.success) values[name] = parsed.data;
        else
          problems.push({
            variable: name,
            message:
              texts[name] === undefined ? `is not set (${variable.description})` : explain(parsed.error),
          });
      }
      if (problems.length > 0) return { config: undefined, problems };
      const built = options.build(values as Values<V>);
      return isProblemList(built) ? { config: undefined, problems: built } : { config: built, problems: [] };
    },
  };
}

function isProblemList(built: object): built is readonly ConfigProblem[] {
  return Array.isArray(built);
}

function explain(error: z.ZodError): string {
  return error.issues.map((issue) => issue.message).join('; ');
}

/** Reads one section alone, or throws a ConfigError with all its problems. */
export function readConfig<Config>(section: ConfigSection<Config>, env: Env): Config | undefined {
  const { config, problems } = section.read(env);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** The values of all secret variables that are set, comma lists taken apart and URLs' passwords too, for the redactor. */
export function secretValues(sections: readonly ConfigSection<unknown>[], env: Env): string[] {
  return sections
    .flatMap((section) => Object.entries(section.variables))
    .filter(([, variable]) => variable.secret === true)
    .flatMap(([name]) => [env[name] ?? '', ...(env[name] ?? '').split(',')])
    .flatMap((value) => [value, ...urlPasswords(value.trim())])
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

/** The password of a URL, as it stands there and decoded. */
function urlPasswords(text: string): string[] {
  if (!URL.canParse(text)) return [];
  const { password } = new URL(text);
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** A comma list as an array without empty members. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
