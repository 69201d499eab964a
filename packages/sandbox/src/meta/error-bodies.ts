/**
 * The bodies of Meta's errors by `code/subcode`, as its documentation and the public code of its clients show them:
 * a fault of kind `error` orders one, a code without an entry gets a plain message.
 */
import { z } from 'zod';

import type { Fault } from '../core.ts';
import type { MetaError } from './errors.ts';

type Body = Pick<MetaError, 'message'> & Partial<Omit<MetaError, 'code' | 'subcode' | 'message'>>;

const tooManyCalls = (of: string): Body => ({
  message: `There have been too many calls ${of}. Wait a bit and try again. For more info, please refer to https://developers.facebook.com/docs/graph-api/overview/rate-limiting.`,
});
const invalidToken = (why: string): Body => ({ message: `Error validating access token: ${why}` });

const bodies: Readonly<Record<string, Body>> = {
  '1': { status: 500, message: 'An unknown error occurred' },
  '1/99': { status: 500, message: 'An unknown error has occurred.' },
  '2': { status: 500, isTransient: true, message: 'Service temporarily unavailable' },
  '2/1504038': {
    status: 500,
    isTransient: true,
    message: 'Service temporarily unavailable',
    userTitle: 'Report timed out',
    userMessage: 'The query took too long. Ask for less, or use an asynchronous report.',
  },
  '2/1504041': { message: 'Invalid combination of breakdowns' },
  '2/1504042': { message: 'Invalid custom metrics' },
  '2/1504043': { status: 500, isTransient: true, message: 'The report failed for a moment' },
  '2/1504044': { status: 500, message: 'The report failed for an unknown reason' },
  '-2/2490547': { status: 500, isTransient: true, message: 'The report failed' },
  '-3/1504045': { message: 'The report is too large' },
  '3': { message: '(#3) Application does not have the capability to make this API call.' },
  '4': { message: '(#4) Application request limit reached' },
  '4/1504022': { status: 403, message: '(#4) Application request limit reached' },
  '4/1504039': { message: '(#4) There have been too many calls to the insights API from all apps' },
  '10': { status: 403, message: '(#10) Application does not have permission for this action' },
  '17': { message: '(#17) User request limit reached' },
  '17/2446079': { message: '(#17) User request limit reached' },
  '32': { message: '(#32) Page request limit reached' },
  '100': { message: '(#100) Invalid parameter' },
  '100/33': {
    type: 'GraphMethodException',
    message:
      'Unsupported get request. Object does not exist, cannot be loaded due to missing permissions, or does not support this operation.',
  },
  '100/1487534': {
    message: '(#100) Invalid parameter',
    userTitle: 'Too much data was requested',
    userMessage: 'The query asks for more data than one call may read. Use a shorter time range.',
  },
  '100/1504018': {
    message: '(#100) Invalid parameter',
    userTitle: 'Request timed out',
    userMessage: 'The query took too long. Use an asynchronous report.',
  },
  '100/1815107': { isTransient: true, message: '(#100) The report is not ready' },
  '100/3191001': { message: '(#100) Not authorized to read this ad account' },
  '102': { message: 'Session key invalid or no longer valid' },
  '105': { message: '(#105) The number of parameters exceeded the maximum for this operation' },
  '190': invalidToken('Cannot parse access token'),
  '190/458': invalidToken('The user has not authorized application 100200300400500.'),
  '190/459': invalidToken('The session has been invalidated because the user needs to log in.'),
  '190/460': invalidToken(
    'The session has been invalidated because the user changed their password or Facebook has changed the session for security reasons.',
  ),
  '190/463': invalidToken('Session has expired on Friday, 20-Nov-26 10:00:00 PST.'),
  '190/464': invalidToken('Sessions for the user are not allowed because the user is not a confirmed user.'),
  '190/467': invalidToken('The session is invalid because the user logged out.'),
  '200': {
    status: 403,
    message: '(#200) Ad account owner has NOT granted ads_management or ads_read permission',
  },
  '294': { status: 403, message: '(#294) Managing advertisements requires an access token with ads_read' },
  '341': { message: '(#341) Application limit reached' },
  '368': {
    message: 'The action attempted has been deemed abusive or is otherwise disallowed',
    userTitle: 'Your account is restricted',
  },
  '613': { message: '(#613) Calls to this api have exceeded the rate limit.' },
  '613/1996': { message: '(#613) We have detected inconsistent API call volume.' },
  '2500': { message: 'Unknown path components' },
  '2601': { isTransient: true, message: 'An error that passes' },
  '2637/1815107': { isTransient: true, message: '(#2637) The report is not ready' },
  '3001': { message: '(#3001) Invalid query' },
  '3018': {
    message: '(#3018) The start date of the time range cannot be beyond 37 months from the current date',
  },
  '80000/2446079': tooManyCalls('from this ad-account'),
  '80001': tooManyCalls('to this Page account'),
  '80003/2446079': tooManyCalls('from this ad-account'),
  '80004/2446079': tooManyCalls('to this ad-account'),
};

const orderSchema = z.object({
  code: z.number(),
  subcode: z.number().optional(),
  message: z.string().optional(),
  status: z.literal([200, 400, 403, 500]).optional(),
  isTransient: z.boolean().optional(),
});

/** The keys of the bodies, for tests that go through all of them. */
export const knownErrors: readonly string[] = Object.keys(bodies);

/** The error that a fault's `value` names: `{code, subcode?, message?, status?, isTransient?}`. */
export function errorOf(fault: Fault): MetaError {
  const { code, subcode, message, status, isTransient } = orderSchema.parse(fault.value);
  const body = bodies[subcode === undefined ? `${code}` : `${code}/${subcode}`] ?? bodies[`${code}`];
  return {
    status: 400,
    message: `(#${code}) An error of the sandbox`,
    ...body,
    code,
    ...(subcode === undefined ? {} : { subcode }),
    ...(message === undefined ? {} : { message }),
    ...(status === undefined ? {} : { status }),
    ...(isTransient === undefined ? {} : { isTransient }),
  };
}
