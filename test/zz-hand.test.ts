/** temp */
import { spawn } from 'node:child_process';
import { sql } from 'kysely';
import { it } from 'vitest';
import { startSandbox } from '@floyo/sandbox';
import { createTestDatabase } from '@floyo/shared/testing/database';
import { query } from './floyo.ts';
it('x', async () => {
const db = await createTestDatabase();
const s = await startSandbox({ now: '2026-11-21T12:00:00Z' });
const env = { PATH: process.env.PATH!, ...s.env, DATABASE_URL: db.url, PORT: '18787', FLOYO_ENV_FILE: '/dev/null' };
const p = spawn('node', ['src/main.ts'], { cwd: '/work/main/packages/billing-webhook', stdio: ['ignore','inherit','pipe'], env });
await new Promise<void>((r) => p.stderr.on('data', (d) => { if (String(d).includes('listening')) r(); }));
for (const body of [{}, { twice: true, order: 'reversed' }, { from: '2026-08-01T00:00:00Z', twice: true }]) {
  const r = await fetch(`${s.url}/_sandbox/stripe/deliver`, { method: 'POST', body: JSON.stringify({ url: 'http://127.0.0.1:18787/webhooks/stripe', ...body }) });
  console.log(r.status, (await r.text()).slice(0, 300));
}
p.kill('SIGTERM'); await new Promise((r) => p.on('exit', r));
await query(db.url, async (c) => console.log((await sql`select status, count(*)::int from billing_events group by 1`.execute(c.db)).rows, (await sql`select count(*)::int from subscriptions_current`.execute(c.db)).rows));
await s.close(); await db.drop();
}, 120000);
