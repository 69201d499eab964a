import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { defineConfig, secretValues } from './config.ts';
import { createLogger } from './log.ts';
import { createRedactor } from './redact.ts';

const SECRET = 'EAAG-very/secret+token';
const redactor = createRedactor([SECRET, 'pa"ss\\word', 'abc']);

describe('I12: texts', () => {
  test.each([
    ['the value itself', `token ${SECRET} was refused`],
    ['URL-encoded', `GET /x?y=${encodeURIComponent(SECRET)}`],
    ['twice', `${SECRET}${SECRET}`],
  ])('a known secret goes: %s', (_name, text) => {
    const safe = redactor.text(text);
    expect(safe).not.toContain('secret+token');
    expect(safe).not.toContain('secret%2Btoken');
    expect(safe).toContain('[redacted]');
  });

  test.each([
    'https://graph.example/v25.0/act_1/insights?access_token=UNKNOWN123&limit=5',
    'https://x.example/?limit=5&appsecret_proof=UNKNOWN123',
    'POST client_id=abc&client_secret=UNKNOWN123',
    'Authorization: Bearer UNKNOWN123',
    'authorization: Basic VU5LTk9XTjEyMzpVTktOT1dOMTIz',
    'Access-Token: UNKNOWN123',
    'X-Shopify-Access-Token: UNKNOWN123',
    'answer was {"access_token":"UNKNOWN123","scope":"read_orders"}',
    'answer was {"refresh_token": "UNKNOWN123"}',
    'postgresql://postgres.abc:UNKNOWN123@host.example:6543/postgres',
    'http://user:UNKNOWN123@host.example/',
    'shpat_UNKNOWN123 sk_live_UNKNOWN123 whsec_UNKNOWN123',
  ])('what looks like a credential goes: %s', (text) => {
    const safe = redactor.text(text);
    expect(safe).not.toContain('UNKNOWN123');
    expect(safe).not.toContain('VU5LTk9XTjEyMz');
    expect(safe).toContain('[redacted]');
  });

  test.each([
    'Meta answered 400: (#100) Tried accessing nonexisting field',
    'https://host.example:5432/path?limit=5&after=abc',
    'basic authentication is not supported; the token has expired',
    '2026-11-21T09:00:00Z 12:30 user@example.com',
  ])('what is no secret stays: %s', (text) => {
    expect(redactor.text(text)).toBe(text);
  });
});

describe('I12: values', () => {
  test('secrets go at any depth, by value, by key, in keys, lists and errors', () => {
    const cause = new Error(`cause with ${SECRET}`);
    const safe = JSON.stringify(
      redactor.value({
        deep: [{ deeper: { text: `x ${SECRET}` } }],
        [`key ${SECRET}`]: 1,
        headers: { Authorization: 'opaque1', 'set-cookie': ['opaque2'], 'X-Shopify-Access-Token': 'opaque3' },
        access_token: { nested: ['opaque4'] },
        error: new Error('outer', { cause }),
      }),
    );
    expect(safe).not.toContain('secret+token');
    expect(safe).not.toMatch(/opaque\d/);
    expect(safe).toContain('cause with [redacted]');
  });

  test('other values stay, also those that JSON could not take', () => {
    const circle: Record<string, unknown> = {
      count: 1,
      big: 2n,
      at: new Date(0),
      none: null,
      next_page_token: 'p2',
    };
    circle['self'] = circle;
    expect(redactor.value(circle)).toEqual({
      count: 1,
      big: '2',
      at: '1970-01-01T00:00:00.000Z',
      none: null,
      next_page_token: 'p2',
      self: '[circular]',
    });
  });
});

test('I12: log lines carry no secret, at any depth, in child loggers, errors and their causes', () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', redactor, destination: { write: (line) => lines.push(line) } });
  const child = log.child({ pkg: 'etl-meta', token: 'opaque1', url: `https://x/?access_token=${SECRET}` });
  child.info({ a: { b: [{ password: 'opaque2', note: SECRET }] }, odd: 'pa"ss\\word' }, `hello ${SECRET}`);
  child.error({ err: new Error(`failed with ${SECRET}`, { cause: new Error(`why ${SECRET}`) }) }, 'broken');
  child.debug({ headers: { authorization: 'opaque3' } });
  const text = lines.join('');
  expect(lines).toHaveLength(3);
  expect(text).not.toContain('secret+token');
  expect(text).not.toContain('ss\\\\word');
  expect(text).not.toMatch(/opaque\d/);
  for (const line of lines) {
    expect(line.endsWith('\n')).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ pkg: 'etl-meta', token: '[redacted]' });
  }
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'hello [redacted]' });
});

test('I12: the secrets of the configuration are known, lists taken apart and passwords of URLs too', () => {
  const variable = { description: 'x', schema: z.string().optional() };
  const section = defineConfig({
    variables: {
      TOKENS: { ...variable, secret: true },
      DATABASE_URL: { ...variable, secret: true },
      PLAIN: variable,
    },
    optional: true,
    build: (values) => values,
  });
  const env = {
    TOKENS: 'first-secret, second-secret',
    DATABASE_URL: 'postgres://u:p%40ssword@h/db',
    PLAIN: 'plain',
  };
  const secrets = secretValues([section], env);
  expect(secrets).toEqual(
    expect.arrayContaining(['first-secret', 'second-secret', 'p%40ssword', 'p@ssword']),
  );
  expect(secrets).not.toContain('plain');
});
