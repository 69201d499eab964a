import { describe, expect, test } from 'vitest';

import { PipelineError, ThrottledError, WindowTooLargeError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';
import { matching } from '@floyo/shared/testing/matchers';

import {
  AppThrottledError,
  CallTimedOutError,
  classifyReply,
  InvisibleError,
  NotReadyError,
  PageTooLargeError,
  ReportFailedError,
} from './errors.ts';

const ACCOUNT = '1234567890';

interface Body {
  readonly code: number;
  readonly error_subcode?: number;
  readonly message?: string;
  readonly is_transient?: boolean;
  readonly error_user_msg?: string;
}

function reply(
  body: unknown,
  { status = 400, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): HttpReply {
  return {
    status,
    headers: new Headers(headers),
    text: '',
    json: body,
    url: 'https://graph.facebook.com/v26.0/act_1/insights',
  };
}

function classify(
  error: Body,
  options?: { status?: number; headers?: Record<string, string> },
): PipelineError {
  const result = classifyReply(
    reply({ error: { type: 'OAuthException', fbtrace_id: 'AbC1', ...error } }, options),
    ACCOUNT,
  );
  if (result === undefined) throw new Error('the reply was taken for a good one');
  return result;
}

const RETRIED: readonly Body[] = [
  { code: 1 },
  { code: 1, error_subcode: 99 },
  { code: 2 },
  { code: 2637 },
  { code: 100, error_subcode: 1815107 },
  { code: 2601, is_transient: true },
  { code: 100, is_transient: true },
];
const THROTTLED: readonly Body[] = [
  { code: 4 },
  { code: 4, error_subcode: 1504022 },
  { code: 4, error_subcode: 1504039 },
  { code: 17 },
  { code: 17, error_subcode: 2446079 },
  { code: 32 },
  { code: 341 },
  { code: 613 },
  { code: 613, error_subcode: 1996 },
  { code: 80000, error_subcode: 2446079 },
  { code: 80003, error_subcode: 2446079 },
  { code: 80004, error_subcode: 2446079, is_transient: true },
  { code: 80014 },
];
const SPLIT: readonly Body[] = [
  { code: 100, error_subcode: 1487534 },
  { code: -3, error_subcode: 1504045 },
  {
    code: 100,
    message: '(#100) The After Cursor specified exceeds the max limit supported by this endpoint',
  },
];
const FATAL: readonly (readonly [string, Body])[] = [
  ...[undefined, 458, 459, 460, 463, 464, 467].map(
    (sub) => ['auth', sub === undefined ? { code: 190 } : { code: 190, error_subcode: sub }] as const,
  ),
  ['auth', { code: 102 }],
  ['auth', { code: 104 }],
  ['permission', { code: 3 }],
  ['permission', { code: 10 }],
  ['permission', { code: 200 }],
  ['permission', { code: 294 }],
  ['permission', { code: 299 }],
  ['permission', { code: 100, error_subcode: 3191001 }],
  ['permission', { code: 100, error_subcode: 33 }],
  ['permission', { code: 368 }],
  ['config', { code: 100 }],
  ['config', { code: 105 }],
  ['config', { code: 2500 }],
  ['config', { code: 3001 }],
  ['config', { code: 3018 }],
  ['config', { code: 2, error_subcode: 1504041 }],
  ['config', { code: 2, error_subcode: 1504042 }],
];

describe('codes', () => {
  test.each(RETRIED)('$code/$error_subcode is tried again', (body) => {
    expect(classify(body)).toMatchObject({ type: 'upstream', retryable: true });
  });

  test.each([
    { code: 2, error_subcode: 1504043 },
    { code: 2, error_subcode: 1504044 },
    { code: -2, error_subcode: 2490547 },
  ])('$code/$error_subcode is tried again, then split', (body) => {
    const error = classify(body);
    expect(error).toBeInstanceOf(ReportFailedError);
    expect(error.retryable).toBe(true);
  });

  test.each(THROTTLED)('$code/$error_subcode waits, whatever the HTTP status', (body) => {
    for (const status of [200, 400, 403]) expect(classify(body, { status })).toBeInstanceOf(ThrottledError);
  });

  test.each(SPLIT)('$code/$error_subcode asks for fewer days at once', (body) => {
    const error = classify(body);
    expect(error).toBeInstanceOf(WindowTooLargeError);
    expect(error).not.toBeInstanceOf(PageTooLargeError);
    expect(error).not.toBeInstanceOf(CallTimedOutError);
    expect(error.retryable).toBe(false);
  });

  test.each([
    { code: 100, error_subcode: 1504018 },
    { code: 2, error_subcode: 1504038, is_transient: true },
  ])('$code/$error_subcode asks for an asynchronous report at once', (body) => {
    const error = classify(body);
    expect(error).toBeInstanceOf(CallTimedOutError);
    expect(error.retryable).toBe(false);
  });

  test.each([
    { code: 2637, error_subcode: 1815107, is_transient: true },
    { code: 100, error_subcode: 1815107 },
    { code: 100, message: '(#100) Cannot include spend, campaign_name in summary param because …' },
  ])('$code/$error_subcode $message is not ready yet', (body) => {
    const error = classify(body);
    expect(error).toBeInstanceOf(NotReadyError);
    expect(error.retryable).toBe(true);
  });

  test('only code 4 is the limit of the whole app', () => {
    const isApp = (body: Body): boolean => classify(body) instanceof AppThrottledError;
    expect(THROTTLED.filter(isApp).map(({ code }) => code)).toEqual([4, 4, 4]);
  });

  test('what can not be seen is told apart: a new report may not be there yet', () => {
    expect(classify({ code: 100, error_subcode: 33 })).toBeInstanceOf(InvisibleError);
  });

  test('code 1 that asks to reduce the amount of data asks for a smaller page', () => {
    const message = "Please reduce the amount of data you're asking for, then retry your request";
    expect(classify({ code: 1, message }, { status: 500 })).toBeInstanceOf(PageTooLargeError);
  });

  test.each(FATAL)('%s: %j fails at once', (type, body) => {
    expect(classify(body)).toMatchObject({ type, retryable: false, advice: matching(/\w/) });
  });

  test('a code that nobody knows fails with what Meta says', () => {
    expect(classify({ code: 99_999, message: 'Something new' })).toMatchObject({
      type: 'upstream',
      retryable: false,
      message: 'Meta: Something new (99999)',
    });
    expect(classify({ code: 99_999 }, { status: 500 }).retryable).toBe(true);
  });
});

describe('what people read', () => {
  test('the reason of the subcode, and what the on-call engineer needs', () => {
    const error = classify({
      code: 190,
      error_subcode: 463,
      message: 'Error validating access token: Session has expired',
    });
    expect(error.message).toBe('Meta: the access token has expired (190/463)');
    expect(error.advice).toContain('META_ACCESS_TOKEN');
    expect(error.advice).toContain('fbtrace_id AbC1');
    expect(error.context).toMatchObject({ code: 190, subcode: 463, fbtrace_id: 'AbC1', http_status: 400 });
  });

  test("a refused parameter in Meta's own words", () => {
    expect(classify({ code: 100, message: '(#100) foo is not valid for fields param' }).message).toContain(
      'foo is not valid',
    );
  });
});

describe('how long to wait', () => {
  const usage = (entries: Record<string, unknown>): Record<string, string> => ({
    'x-business-use-case-usage': JSON.stringify(entries),
  });

  test("the account's own minutes, the longest of its use cases", () => {
    const headers = usage({
      [ACCOUNT]: [
        { type: 'ads_management', estimated_time_to_regain_access: 2 },
        { type: 'ads_insights', estimated_time_to_regain_access: 7 },
      ],
      '999': [{ type: 'ads_insights', estimated_time_to_regain_access: 60 }],
    });
    expect(classify({ code: 80000, error_subcode: 2446079 }, { headers })).toMatchObject({ waitMs: 420_000 });
  });

  test('seconds of the older account header, once it is used up', () => {
    const header = (percent: number) => ({
      'x-ad-account-usage': JSON.stringify({ acc_id_util_pct: percent, reset_time_duration: 100 }),
    });
    expect(classify({ code: 17 }, { headers: header(100) })).toMatchObject({ waitMs: 100_000 });
    expect(classify({ code: 17 }, { headers: header(40) })).toMatchObject({ waitMs: undefined });
  });

  test.each(['', 'no json', '{}', '{"1":null}', '[]', '{"1":[{}]}'])(
    '%j in the header says nothing',
    (value) => {
      const headers = { 'x-business-use-case-usage': value };
      expect(classify({ code: 80000 }, { headers })).toMatchObject({ waitMs: undefined });
    },
  );
});

describe('without an envelope', () => {
  test('a good answer is no error', () => {
    expect(classifyReply(reply({ data: [] }, { status: 200 }), ACCOUNT)).toBeUndefined();
  });

  test('HTML of a broken gateway and a cut-off body are tried again', () => {
    for (const status of [200, 500, 502, 503]) {
      const error = classifyReply(reply(undefined, { status }), ACCOUNT);
      expect(error).toMatchObject({ type: 'upstream', retryable: true });
    }
  });

  test('HTML of a proxy that refuses is not', () => {
    expect(classifyReply(reply(undefined, { status: 403 }), ACCOUNT)).toMatchObject({
      type: 'upstream',
      retryable: false,
    });
  });

  test('HTTP 429 waits', () => {
    expect(classifyReply(reply(undefined, { status: 429 }), ACCOUNT)).toBeInstanceOf(ThrottledError);
  });
});
