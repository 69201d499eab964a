/** Where things are in the repository, whatever folder a command was started from. */
import { fileURLToPath } from 'node:url';

/** The root of the repository: the folder that holds `supabase/` and `packages/`. */
export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** The SQL migrations, in the Supabase CLI's file naming. */
export const migrationsFolder = fileURLToPath(new URL('../../../supabase/migrations/', import.meta.url));

/** What the commands keep on this machine, the embedded Postgres above all. Never committed. */
export const floyoHome = fileURLToPath(new URL('../../../.floyo', import.meta.url));
