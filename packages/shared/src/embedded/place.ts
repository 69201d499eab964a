/** Decides in which folder a home's server keeps its data, and makes that folder. */
import { createHash } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import type { Account } from './account.ts';
import { canUse } from './account.ts';
import { findSystemFolder } from './system-folder.ts';

export interface Place {
  /** Belongs to the server's user; holds `data/` and `server.log`. */
  readonly folder: string;
  readonly account: Account;
}

const pointerName = 'postgres-is-elsewhere.txt';

/** The owner of a folder; undefined when there is none. */
async function findOwner(folder: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const found = await stat(folder);
    return found.isDirectory() ? { uid: found.uid, gid: found.gid } : undefined;
  } catch {
    return undefined;
  }
}

/** The folder that the pointer file in the home names (its first line), if it is still there. */
async function readPointer(home: string): Promise<string | undefined> {
  try {
    const [folder = ''] = (await readFile(join(home, pointerName), 'utf8')).split('\n');
    return (await findOwner(folder)) === undefined ? undefined : folder;
  } catch {
    return undefined;
  }
}

async function makeElsewhere(home: string, account: NonNullable<Account>): Promise<string> {
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16);
  // A fresh folder each time: another clone at this path, deleted since, may have left its data behind.
  const folder = await mkdtemp(join(await findSystemFolder(account), `${hash}-`));
  await chown(folder, account.uid, account.gid);
  const note = `The embedded Postgres of ${basename(home)} keeps its data in the folder above, because its user may not enter this one.`;
  await writeFile(
    join(home, pointerName),
    `${folder}\n\n${note}\nIf you delete this file, delete that folder too.\n`,
  );
  return folder;
}

/**
 * `<home>/postgres`; for root, when the server's user can't get there, a folder of its own outside of the home that
 * a text file in the home names. Data that an ordinary user made stay that user's when root comes along.
 */
export async function preparePlace(home: string, account: Account): Promise<Place> {
  const folder = join(home, 'postgres');
  if (account === undefined) {
    await mkdir(folder, { recursive: true });
    return { folder, account };
  }
  const elsewhere = await readPointer(home);
  const owner = await findOwner(elsewhere ?? folder);
  if (owner !== undefined && owner.uid !== 0) return { folder: elsewhere ?? folder, account: owner };
  await mkdir(folder, { recursive: true });
  await chown(folder, account.uid, account.gid);
  if (await canUse(account, folder, 'write')) return { folder, account };
  await rmdir(folder);
  return { folder: await makeElsewhere(home, account), account };
}
