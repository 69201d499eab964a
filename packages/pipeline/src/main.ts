/** The `floyo` command: the only file that touches the process. */
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Node strips the types of every file at each start: the next command finds that done. So all of it is imported after this.
enableCompileCache();
const { repositoryRoot } = await import('@floyo/shared/paths');
const { InterruptedError } = await import('./run-lock.ts');
const { runCli } = await import('./cli.ts');

const dotenv = process.env['FLOYO_ENV_FILE'] ?? join(repositoryRoot, '.env');
if (existsSync(dotenv)) process.loadEnvFile(dotenv);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    // The second Ctrl-C doesn't wait for anything: the next run heals what it leaves.
    if (stop.signal.aborted) process.exit(1);
    stop.abort(new InterruptedError(signal));
  });

// Whoever reads the output may have seen enough (`| head -1`): a run goes on all the same.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  streams: { stdout: process.stdout, stderr: process.stderr },
  signal: stop.signal,
});
