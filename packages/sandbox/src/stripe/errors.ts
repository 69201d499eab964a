/** Stripe's errors: a status and a body with type, code, message and parameter. https://docs.stripe.com/api/errors */

export interface ErrorFields {
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly type?: 'api_error' | 'idempotency_error' | 'invalid_request_error';
}

export class StripeFailure extends Error {
  readonly status: number;
  readonly fields: ErrorFields;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, fields: ErrorFields, headers: Readonly<Record<string, string>> = {}) {
    super(fields.message);
    this.status = status;
    this.fields = fields;
    this.headers = headers;
  }
}

/** The body of a failure. */
export function errorBody({ code, message, param, type = 'invalid_request_error' }: ErrorFields): object {
  return {
    error: {
      ...(code === undefined
        ? {}
        : { code, doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
      message,
      ...(param === undefined ? {} : { param }),
      type,
    },
  };
}

/** A parameter that can't be what it is. */
export function badParameter(param: string, message: string, code?: string): StripeFailure {
  return new StripeFailure(400, { message, param, ...(code === undefined ? {} : { code }) });
}

/** An id that names nothing: 404 where it is in the path, 400 where it is a parameter. */
export function missing(what: string, id: string, param = 'id'): StripeFailure {
  const fields = {
    code: 'resource_missing',
    message: `No such ${what.replaceAll('_', ' ')}: '${id}'`,
    param,
  };
  return new StripeFailure(param === 'id' ? 404 : 400, fields);
}

/** Too many calls; the header tells which limit it was. https://docs.stripe.com/rate-limits */
export function tooMany(reason: string): StripeFailure {
  const message =
    'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.';
  return new StripeFailure(429, { code: 'rate_limit', message }, { 'stripe-rate-limited-reason': reason });
}

export function locked(): StripeFailure {
  const message =
    'This object cannot be accessed right now because another API request or Stripe process is currently accessing it.';
  return new StripeFailure(429, { code: 'lock_timeout', message });
}
