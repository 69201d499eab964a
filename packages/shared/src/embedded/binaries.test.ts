import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect, it } from 'vitest';

import { chooseAccount, runAs } from './account.ts';
import { findInstalled, prepareBinaries } from './binaries.ts';

it.runIf(process.getuid?.() === 0)('copies programs that the server’s user can’t reach, once', async () => {
  const account = await chooseAccount();
  const installed = await findInstalled();
  // As in a clone under root's home: closed by the folder above, and made with a strict umask.
  const closed = await mkdtemp(join(tmpdir(), 'floyo-closed-'));
  const folder = join(closed, 'native');
  await mkdir(folder, { mode: 0o700 });
  let copy: string | undefined;
  try {
    await cp(installed.folder, folder, { recursive: true, verbatimSymlinks: true });
    const source = { folder, version: `test-${randomUUID()}` };
    const [one, two] = await Promise.all([
      prepareBinaries(account, source),
      prepareBinaries(account, source),
    ]);
    copy = dirname(dirname(one.initdb));
    expect(two).toEqual(one);
    expect(copy.startsWith(closed)).toBe(false);
    expect(one.major).toBe('17');
    expect(await runAs(account, one.initdb, ['--version'])).toMatchObject({ code: 0 });
  } finally {
    for (const path of [closed, copy]) {
      if (path !== undefined) await rm(path, { recursive: true, force: true });
    }
  }
});
