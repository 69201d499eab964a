/** The Postgres that benchmarks measure on: an embedded server of their own, as durable as any, with fresh databases. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { sql } from 'kysely';

import { connect, type Session } from '@floyo/shared/db';
import { acquireEmbedded, removeEmbedded } from '@floyo/shared/embedded';
import { migrate } from '@floyo/shared/migrate';

export interface Bench extends AsyncDisposable {
  /** Text of `show server_version`. */
  readonly postgresVersion: string;
  /** A migrated database without rows, dropped when disposed of. */
  createDatabase(): Promise<BenchDatabase>;
  /** Told what is under way, for people who wait. */
  readonly say: (text: string) => void;
  /** What programs that are started need of the environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface BenchDatabase extends AsyncDisposable {
  readonly url: string;
  readonly session: Session;
}

/** Starts the server and migrates the template that its databases are clones of; disposing removes it all. */
export async function startBench({ say, env }: Pick<Bench, 'say' | 'env'>): Promise<Bench> {
  const home = join(tmpdir(), `floyo-bench-${randomUUID()}`);
  await using cleanup = new AsyncDisposableStack();
  const server = await acquireEmbedded({ home, database: 'bench_template' });
  cleanup.defer(async () => {
    await server.release();
    await removeEmbedded(home);
  });
  await migrate(server.url);
  const admin = await connect(new URL('/postgres', server.url).href, { applicationName: 'floyo bench' });
  cleanup.defer(() => admin.end());
  const version = await sql<{ server_version: string }>`show server_version`.execute(admin.db);
  const owned = cleanup.move();
  return {
    postgresVersion: version.rows[0]?.server_version ?? 'unknown',
    say,
    env,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
    async createDatabase() {
      const name = `bench_${randomUUID().replaceAll('-', '')}`;
      await sql`create database ${sql.id(name)} template bench_template`.execute(admin.db);
      const url = new URL(`/${name}`, server.url).href;
      const session = await connect(url, { applicationName: 'floyo bench' });
      return {
        url,
        session,
        async [Symbol.asyncDispose]() {
          await session.end();
          await sql`drop database ${sql.id(name)} with (force)`.execute(admin.db);
        },
      };
    },
  };
}
