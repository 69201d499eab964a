import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

import { expect, it } from 'vitest';

import { withTls } from './database-url.ts';
import { connect } from './db.ts';

const modeOf = (url: string) => new URL(withTls(url)).searchParams.get('sslmode');

it('encrypts on the internet and leaves what is near as it is', () => {
  expect(modeOf('postgresql://u:p@aws-0-eu.pooler.supabase.com:5432/postgres')).toBe('require');
  expect(modeOf('postgresql://u:p@203.0.113.9/db')).toBe('require');
  for (const near of ['localhost', '127.0.0.1', '[::1]', '10.1.2.3', '172.17.0.2', 'db', 'pg.internal'])
    expect(withTls(`postgresql://u:p@${near}:5432/db`), near).toBe(`postgresql://u:p@${near}:5432/db`);
  expect(withTls('postgresql:///db?host=/var/run/postgresql')).toBe(
    'postgresql:///db?host=/var/run/postgresql',
  );
});

it('what the URL says counts', () => {
  expect(modeOf('postgresql://u:p@db.example.com/db?sslmode=disable')).toBe('disable');
  expect(modeOf('postgresql://u:p@db.example.com/db?sslmode=verify-full')).toBe('verify-full');
  expect(modeOf('postgresql://u:p@localhost/db?sslmode=require')).toBe('require');
});

it('asks the server for TLS before it says who it is, and says what to do where there is none', async () => {
  const first: Buffer[] = [];
  const server = createServer((socket) => {
    socket.once('data', (data) => {
      first.push(data);
      socket.end('N');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(
    connect(`postgresql://someone:secret@127.0.0.1:${port}/db?sslmode=require`),
  ).rejects.toMatchObject({
    message: expect.stringContaining('does not support SSL') as string,
    advice: expect.stringContaining('sslmode=disable') as string,
  });
  // https://www.postgresql.org/docs/current/protocol-message-formats.html: SSLRequest.
  expect(first.map((data) => data.toString('hex'))).toEqual(['0000000804d2162f']);
  server.close();
});
