/** Runs the real `floyo` command as a process of its own, on a benchmark's database and a sandbox. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import { repositoryRoot } from '@floyo/shared/paths';

const documentSchema = z.object({
  status: z.string(),
  warnings: z.array(z.string()),
  agents: z.array(
    z.object({
      agent: z.string(),
      status: z.string(),
      started_at: z.string(),
      finished_at: z.string(),
      rows_read: z.number(),
      rows_inserted: z.number(),
      rows_updated: z.number(),
      rows_deleted: z.number(),
      api_calls: z.number(),
    }),
  ),
});
export type FloyoDocument = z.infer<typeof documentSchema>;

const manifestSchema = z.object({ scripts: z.object({ floyo: z.string() }) });

/** The options that `pnpm floyo` gives to Node: what is measured runs with the same. */
function nodeOptions(): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));
  return manifestSchema
    .parse(manifest)
    .scripts.floyo.split(' ')
    .filter((word) => word.startsWith('--'));
}

/** Runs a Node program of this repository to its end and returns what it printed; throws on an exit code not in `ok`. */
export async function runProgram(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ok: readonly number[] = [0],
): Promise<string> {
  const child = spawn(process.execPath, [...nodeOptions(), join(repositoryRoot, path), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4_000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code === null || !ok.includes(code))
    throw new Error(
      `${path} ${args.join(' ')} ended with ${String(code)}:\n${stderr}${stdout.slice(-2_000)}`,
    );
  return stdout;
}

/** Runs `floyo … --json` with exactly this environment; throws unless the run succeeded. */
export async function runFloyo(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<FloyoDocument> {
  const stdout = await runProgram('packages/pipeline/src/main.ts', [...args, '--json'], {
    FLOYO_ENV_FILE: '/dev/null',
    FLOYO_LOG_LEVEL: 'silent',
    ...env,
  });
  const document = documentSchema.parse(JSON.parse(stdout));
  if (document.status !== 'succeeded') throw new Error(`The run is ${document.status}: ${stdout}`);
  return document;
}
