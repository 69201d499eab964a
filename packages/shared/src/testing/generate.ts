/**
 * `pnpm generate`: writes what follows from the migrations, the readable schema and the row types. With `--check`
 * it writes nothing and exits 1 when a file is stale.
 */
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, type Session } from '../db.ts';
import { acquireEmbedded, removeEmbedded } from '../embedded.ts';
import { PipelineError } from '../errors.ts';
import { migrate } from '../migrate.ts';
import { repositoryRoot } from '../paths.ts';
import { writeRowTypes } from './row-types.ts';
import { dumpSchema } from './schema-dump.ts';

interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The generated files as they should be for this migrated database. */
export async function generateFiles(session: Session): Promise<GeneratedFile[]> {
  return [
    { path: 'supabase/schema.sql', text: await dumpSchema(session) },
    { path: 'packages/shared/src/db.types.ts', text: await writeRowTypes(session) },
  ];
}

/** The paths of those whose text in the repository differs, missing ones included. */
export async function findStale(files: readonly GeneratedFile[], root = repositoryRoot): Promise<string[]> {
  const stale: string[] = [];
  for (const { path, text } of files) {
    const present = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (present !== text) stale.push(path);
  }
  return stale;
}

/** Applies all migrations to a database that is thrown away afterwards. */
async function generateFromMigrations(): Promise<GeneratedFile[]> {
  const home = join(tmpdir(), `floyo-generate-${randomUUID()}`);
  const server = await acquireEmbedded({ home, durable: false });
  try {
    await migrate(server.url);
    const session = await connect(server.url);
    try {
      return await generateFiles(session);
    } finally {
      await session.end();
    }
  } finally {
    await server.release();
    await removeEmbedded(home);
  }
}

async function main(check: boolean): Promise<number> {
  const files = await generateFromMigrations();
  const stale = await findStale(files);
  if (stale.length === 0) {
    process.stdout.write('schema.sql and db.types.ts agree with the migrations\n');
    return 0;
  }
  if (check) {
    process.stderr.write(`stale, run pnpm generate: ${stale.join(', ')}\n`);
    return 1;
  }
  for (const { path, text } of files) await writeFile(join(repositoryRoot, path), text);
  process.stdout.write(`written: ${stale.join(', ')}\n`);
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.includes('--check'));
  } catch (error) {
    process.stderr.write(`${error instanceof PipelineError ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
