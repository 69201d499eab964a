/**
 * Which versions of the Marketing API can be used. Meta answers a call to an expired one as another version without a
 * word, so the pipeline refuses it itself. Source: the Marketing API changelog, read 2026-11-21.
 */
import type { Finding } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import type { HttpReply } from '@floyo/shared/http';
import { addDays, type Day } from '@floyo/shared/window';

export const DEFAULT_API_VERSION = 'v26.0';

/**
 * The first day on which a version no longer works; null while Meta has announced none. The Marketing API's own line
 * ends earlier than the Graph API's dates of the same version.
 */
export const ENDS_ON: Readonly<Record<string, string | null>> = {
  'v24.0': '2026-10-06',
  'v25.0': null,
  'v26.0': null,
};

/** v26.0 came out on 2026-07-29 with no end announced: past this day somebody has to read the changelog again (a test says so). */
export const REVIEW_DEFAULT_VERSION_BY = '2027-06-30';

const OLDEST_KNOWN = 24;
const WARN_DAYS = 60;

/** Throws a `contract` error when the version can no longer be used on `today`. Unknown newer ones pass: the answers' header is checked too. */
export function refuseExpiredVersion(version: string, today: string): void {
  const endsOn = ENDS_ON[version] ?? undefined;
  const isAncient = Number(version.slice(1)) < OLDEST_KNOWN;
  if (!isAncient && (endsOn === undefined || today < endsOn)) return;
  throw new PipelineError({
    type: 'contract',
    message: `Marketing API ${version} ended${endsOn === undefined ? '' : ` on ${endsOn}`}: Meta would answer as another version without saying so`,
    advice: `Set META_API_VERSION to ${DEFAULT_API_VERSION}, or leave it unset.`,
    context: { version, ends_on: ENDS_ON },
  });
}

/** Meta serves an expired version as another one; this header is the only sign. */
export function refuseOtherVersion(reply: HttpReply, asked: string): PipelineError | undefined {
  const served = reply.headers.get('facebook-api-version');
  if (served === null || served === asked) return undefined;
  return new PipelineError({
    type: 'contract',
    message: `Meta answered as Marketing API ${served}, not as ${asked}`,
    advice: `${asked} has probably ended. Read the changelog between the two, then set META_API_VERSION.`,
    context: { asked, served, url: reply.url },
  });
}

/** What `doctor` says of the version on `today`. */
export function examineVersion(
  version: string,
  today: Day,
  endsOn: Readonly<Record<string, string | null>> = ENDS_ON,
): Finding {
  const check = 'API version';
  const end = endsOn[version];
  const isAncient = Number(version.slice(1)) < OLDEST_KNOWN;
  const fix = `Read the Marketing API changelog, then set META_API_VERSION to a version that lasts (${DEFAULT_API_VERSION} is the default here).`;
  if (isAncient || (typeof end === 'string' && end <= today))
    return { check, level: 'error', message: `${version} has ended${end ? ` on ${end}` : ''}`, fix };
  if (typeof end === 'string' && end <= addDays(today, WARN_DAYS))
    return { check, level: 'warning', message: `${version} ends on ${end}`, fix };
  if (end === undefined)
    return { check, level: 'warning', message: `${version} is not known here: it was never tried`, fix };
  if (end === null && today > REVIEW_DEFAULT_VERSION_BY)
    return {
      check,
      level: 'warning',
      message: `when ${version} ends was last looked up before ${REVIEW_DEFAULT_VERSION_BY}`,
      fix,
    };
  return {
    check,
    level: 'ok',
    message: `${version}, ${end === null ? 'no end announced' : `until ${end}`}`,
    fix: null,
  };
}
