/** `floyo unlock`: shows who holds the lock since when; `--force` ends that database session. */
import { findHolder, terminateHolder } from '@floyo/shared/lock';

import { type App, openAppDatabase, print } from '../app.ts';

export async function unlockCommand(app: App, options: { readonly force?: boolean }): Promise<number> {
  await using database = await openAppDatabase(app);
  const holder = await findHolder(database.session.db);
  if (holder === null) {
    print(app, { lock: null, ended: false }, 'The lock is free.');
    return 0;
  }
  const who = `a ${holder.kind ?? 'run'}${holder.run_id ? ` (${holder.run_id})` : ''} since ${holder.since ?? 'some time'}, database session ${holder.pid}`;
  if (options.force !== true) {
    print(
      app,
      { lock: holder, ended: false },
      `The lock is held by ${who}.\nEnd that session with \`pnpm floyo unlock --force\` if its process is gone or hangs.`,
    );
    return 0;
  }
  const ended = await terminateHolder(database.session.db, holder);
  print(
    app,
    { lock: holder, ended },
    ended
      ? `Ended the session of ${who}. What that run had committed is kept; the next run marks it interrupted.`
      : `Could not end the session of ${who}.`,
  );
  return ended ? 0 : 1;
}
