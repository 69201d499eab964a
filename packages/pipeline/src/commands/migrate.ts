/** `floyo migrate`: applies what is missing, on Supabase and on a plain Postgres. */
import { type App, openAppDatabase, print } from '../app.ts';
import { migrateDatabase } from '../database.ts';

export async function migrateCommand(app: App): Promise<number> {
  await using database = await openAppDatabase(app, { checkSchema: false });
  const { applied } = await migrateDatabase(database.url, database.session, app.settings);
  const text =
    applied.length === 0
      ? 'The schema is current: nothing to apply.'
      : `Applied ${applied.length}:\n${applied.map((name) => `  ${name}`).join('\n')}`;
  print(app, { applied }, text);
  return 0;
}
