import { describe, expect, test } from 'vitest';

import {
  AccountPausedError,
  type PipelineError,
  ThrottledError,
  WindowTooLargeError,
} from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';
import { matching } from '@floyo/shared/testing/matchers';

import { classifyReply } from './errors.ts';

const NOW_MS = Date.parse('2026-11-21T21:00:00Z');

function reply(body: unknown, status = 200): HttpReply {
  const headers = new Headers({ 'x-tt-logid': 'LOG1' });
  return {
    status,
    headers,
    text: '',
    json: body,
    url: 'https://business-api.tiktok.com/open_api/v1.3/report/integrated/get/',
  };
}

function classify(code: number, message = 'no'): PipelineError {
  const error = classifyReply(reply({ code, message, request_id: 'REQ1', data: {} }), NOW_MS);
  if (error === undefined) throw new Error('the reply was taken for a good one');
  return error;
}

describe('codes', () => {
  test('0 is no error', () => {
    expect(
      classifyReply(reply({ code: 0, message: 'OK', request_id: 'R', data: {} }), NOW_MS),
    ).toBeUndefined();
  });

  test.each([40016, 40100, 40132, 40133])('%i waits', (code) => {
    expect(classify(code)).toBeInstanceOf(ThrottledError);
  });

  test.each([40067, 40011])('%i asks for fewer days', (code) => {
    expect(classify(code)).toBeInstanceOf(WindowTooLargeError);
  });

  test.each([40201, 40202, 40700, 50000, 50002, 51305, 59999, 60001])('%i is tried again', (code) => {
    expect(classify(code)).toMatchObject({ type: 'upstream', retryable: true });
  });

  test('20001, a partial answer, is no success', () => {
    expect(classify(20001)).toMatchObject({ type: 'truncated', retryable: true });
  });

  test.each([
    ...[40101, 40102, 40104, 40105, 40106, 40110, 40113, 40115].map((code) => [code, 'auth'] as const),
    ...[40001, 40118, 40119, 40125, 41000, 40300, 40301].map((code) => [code, 'permission'] as const),
    ...[40000, 40002, 40006, 40007, 40008, 40010, 40051, 41001, 41002].map(
      (code) => [code, 'config'] as const,
    ),
    [40200, 'upstream'] as const,
  ])('%i fails at once as %s', (code, type) => {
    expect(classify(code)).toMatchObject({ type, retryable: false, advice: matching(/\w/) });
  });

  test('40001 is about permission and 40002 about parameters, in plain words', () => {
    expect(classify(40001).message).toBe('TikTok: the token has no permission for this advertiser (40001)');
    expect(classify(40002, 'Conflict occurs.').message).toBe(
      'TikTok: TikTok refuses a parameter: Conflict occurs. (40002)',
    );
    expect(classify(40002).advice).toContain('TIKTOK_CONVERSION_METRIC');
  });

  test('a code that nobody knows fails with what TikTok says', () => {
    expect(classify(49_999, 'Something new')).toMatchObject({
      type: 'upstream',
      retryable: false,
      message: 'TikTok: Something new (49999)',
    });
  });

  test.each([20001, 40002, 40067, 40100, 40105, 49_999, 50000])(
    '%i brings the ids that support asks for',
    (code) => {
      expect(classify(code).context).toMatchObject({ code, request_id: 'REQ1', logid: 'LOG1' });
    },
  );
});

describe('how long to wait', () => {
  test.each([
    [
      "Advertiser (7)'s QPS (11) reaches QPS limit 10 for current path, request is temporarily restricted.",
      1000,
    ],
    ["App's QPM (601) reaches QPM limit 600", 300_000],
    ['Too many requests. Please retry in some time.', undefined],
  ])('%s', (message, waitMs) => {
    expect(classify(40100, message)).toMatchObject({ waitMs });
  });
});

test("a day's limit pauses the account until midnight UTC", () => {
  const error = classify(40100, "App's QPD reaches QPD limit");
  expect(error).toBeInstanceOf(AccountPausedError);
  expect(error).toMatchObject({ until: '2026-11-22T00:00:00.000Z', advice: matching(/midnight UTC/) });
});

test('an advertiser that is gone is to be taken out of the list', () => {
  for (const code of [40300, 40301])
    expect(classify(code)).toMatchObject({ type: 'permission', advice: matching(/^Take it out of TIKTOK_/) });
});

describe('without an envelope', () => {
  test('HTML of a gateway, a cut-off body and a 5xx are tried again', () => {
    for (const status of [200, 500, 502])
      expect(classifyReply(reply(undefined, status), NOW_MS)).toMatchObject({
        type: 'upstream',
        retryable: true,
      });
  });

  test('a wrong path is not', () => {
    expect(classifyReply(reply(undefined, 404), NOW_MS)).toMatchObject({
      type: 'upstream',
      retryable: false,
    });
  });

  test('HTTP 429 waits', () => {
    expect(classifyReply(reply(undefined, 429), NOW_MS)).toBeInstanceOf(ThrottledError);
  });
});
