import { expect, test } from 'vitest';
import { z } from 'zod';

import { defineConfig, readConfig, splitList } from './config.ts';
import { ConfigError } from './errors.ts';

const section = defineConfig({
  variables: {
    SHOP_TOKEN: { description: 'the token', secret: true, schema: z.string() },
    SHOP_COUNT: {
      description: 'a count',
      schema: z.string().regex(/^\d+$/, 'must be a number').transform(Number),
    },
    SHOP_ZONE: { description: 'a zone', schema: z.string().default('UTC') },
  },
  optional: true,
  build: (values) =>
    values.SHOP_COUNT > 9 ? [{ variable: 'SHOP_COUNT', message: 'is too large' }] : { ...values },
});

test('with nothing set, also by empty texts, an optional section is not configured', () => {
  expect(readConfig(section, {})).toBeUndefined();
  expect(readConfig(section, { SHOP_TOKEN: '', SHOP_COUNT: '  ' })).toBeUndefined();
});

test('values are trimmed, converted and completed', () => {
  expect(readConfig(section, { SHOP_TOKEN: ' abc ', SHOP_COUNT: '7' })).toEqual({
    SHOP_TOKEN: 'abc',
    SHOP_COUNT: 7,
    SHOP_ZONE: 'UTC',
  });
});

test('half set it is wrong, and every problem is told at once, without the values', () => {
  const { problems } = section.read({ SHOP_COUNT: 'hunter2' });
  expect(problems).toEqual([
    { variable: 'SHOP_TOKEN', message: 'is not set (the token)' },
    { variable: 'SHOP_COUNT', message: 'must be a number' },
  ]);
  expect(() => readConfig(section, { SHOP_COUNT: 'hunter2' })).toThrow(ConfigError);
  expect(JSON.stringify(problems)).not.toContain('hunter2');
});

test('checks across variables tell their problems too', () => {
  expect(section.read({ SHOP_TOKEN: 'abc', SHOP_COUNT: '10' })).toEqual({
    config: undefined,
    problems: [{ variable: 'SHOP_COUNT', message: 'is too large' }],
  });
});

test('a comma list has no empty members', () => {
  expect(splitList(' a, b,, c ,')).toEqual(['a', 'b', 'c']);
});
