/**
 * `floyo doctor`: configuration, database and every account, each finding with what to do about it. Reads no data and
 * writes nothing. It goes on past what is broken: one problem must not hide the next.
 */
import type { Account, Finding, Io } from '@floyo/shared/connector';
import type { Session } from '@floyo/shared/db';
import { toPipelineError } from '@floyo/shared/errors';
import { createHttpClient } from '@floyo/shared/http';
import { createLogger } from '@floyo/shared/log';
import { createRedactor } from '@floyo/shared/redact';
import { createSecretStore } from '@floyo/shared/secret-store';

import { print, type World } from '../app.ts';
import { broken, examineDatabase, fine } from '../examine-database.ts';
import { countOf, formatTable, paint, type Terminal } from '../print/style.ts';
import { clockOf } from '../run.ts';
import { type ConfiguredSource, inspectSettings, type PipelineConfig, readSecrets } from '../sources.ts';

/** Prints what was found; 0 when nothing is an error, 2 when the configuration is one, else 1. */
export async function doctorCommand(world: World, json: boolean): Promise<number> {
  const redactor = createRedactor(readSecrets(world.env));
  const { config, sources, problems } = inspectSettings(world.env);
  const findings: Finding[] = problems.map(({ variable, message }) => ({
    check: `configuration ${variable}`,
    level: 'error',
    message: `${variable} ${message}`,
    fix: `Correct ${variable}; .env.example says what it is for.`,
  }));
  if (problems.length === 0) findings.push(fine('configuration', describeSources(sources)));
  if (config !== undefined) {
    await using cleanup = new AsyncDisposableStack();
    const database = await examineDatabase(config, cleanup);
    findings.push(...database.findings);
    for (const source of sources)
      findings.push(...(await examineSource(world, config, source, database.session)));
  }
  const told = findings.map((finding) => redactor.value(finding));
  const ok = told.every(({ level }) => level !== 'error');
  print({ json, streams: world.streams }, { ok, findings: told }, format(told, world.streams.stdout));
  if (problems.length > 0) return 2;
  return ok ? 0 : 1;
}

function describeSources(sources: readonly ConfiguredSource[]): string {
  const names = sources.map(
    ({ connector, config }) => `${connector.source} (${connector.accounts(config).length})`,
  );
  return `Configured: ${names.join(', ')}`;
}

async function examineSource(
  world: World,
  config: PipelineConfig,
  source: ConfiguredSource,
  session: Session | undefined,
): Promise<Finding[]> {
  const { connector } = source;
  const findings: Finding[] = [];
  for (const accountId of connector.accounts(source.config)) {
    const check = `${connector.source} ${accountId}`;
    const secrets =
      session &&
      createSecretStore(
        session,
        (work) => session.db.transaction().execute(work),
        connector.agent,
        accountId,
      );
    const io: Io = { ...createIo(world, config), ...(secrets ? { secrets } : {}) };
    try {
      if (connector.examine)
        findings.push(
          ...(await connector.examine(source.config, accountId, io)).map((finding) => ({
            ...finding,
            check: `${check}: ${finding.check}`,
          })),
        );
      else {
        const account = (await connector.open(source.config, accountId, io)) as Account;
        findings.push(
          fine(
            check,
            `Answers; days in ${account.timezone}${account.currency === null ? '' : `, amounts in ${account.currency}`}`,
          ),
        );
      }
    } catch (error) {
      if (world.signal.aborted) throw world.signal.reason;
      findings.push(broken(check, toPipelineError(error)));
    }
  }
  return findings;
}

/** One try a call and no long waits: a person is looking on. */
function createIo(world: World, config: PipelineConfig): Io {
  const now = clockOf(config.now);
  const redactor = createRedactor(readSecrets(world.env));
  return {
    http: createHttpClient({
      signal: world.signal,
      now: () => now().epochMilliseconds,
      retryBaseMs: config.http.retryBaseMs,
      waitBudgetMs: Math.min(config.http.waitBudgetMs, 10_000),
      retries: 1,
    }),
    log: createLogger({ level: config.logLevel ?? 'silent', redactor }),
    signal: world.signal,
    now,
    reporting: config.reporting,
  };
}

function format(findings: readonly Finding[], stdout: Terminal): string {
  const marks = {
    ok: paint('green', '✓', stdout),
    warning: paint('yellow', '!', stdout),
    error: paint('red', '✗', stdout),
  };
  const rows = findings.map(({ check, level, message, fix }) => [
    marks[level],
    check,
    fix === null ? message : `${message}\n→ ${fix}`,
  ]);
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return [
    formatTable(['', 'check', 'finding'], rows),
    '',
    `${countOf(count('error'), 'error')}, ${countOf(count('warning'), 'warning')}, ${count('ok')} fine`,
  ].join('\n');
}
