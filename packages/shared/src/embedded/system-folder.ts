/**
 * A folder outside of everybody's home, for what root's server needs when it may not go to where the clone is
 * (a clone under /root, which is closed to others): /var/lib/floyo, or else a folder in the machine's temp folder.
 */
import { chmod, lstat, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PipelineError } from '../errors.ts';
import type { Account } from './account.ts';
import { canUse } from './account.ts';

/** Makes the folder, open to enter for all; false when it can't be had or belongs to someone else than root. */
async function claim(folder: string): Promise<boolean> {
  try {
    if ((await mkdir(folder, { recursive: true })) !== undefined) await chmod(folder, 0o755);
    const found = await lstat(folder);
    // In a temp folder anyone may have put a folder or a link of this name before.
    return found.isDirectory() && found.uid === 0;
  } catch {
    return false;
  }
}

/** The first of the candidates that is root's and that `account` can enter. */
export async function findSystemFolder(account: Account): Promise<string> {
  const candidates = ['/var/lib/floyo', join(tmpdir(), 'floyo'), '/tmp/floyo'];
  for (const folder of candidates) {
    if ((await claim(folder)) && (await canUse(account, folder, 'enter'))) return folder;
  }
  throw new PipelineError({
    type: 'config',
    message: `Found no folder where root's Postgres may keep its files; tried ${candidates.join(', ')}.`,
    advice: 'Run the command as an ordinary user, or set DATABASE_URL to a Postgres of your own.',
  });
}
