/**
 * Which versions of the Marketing API can be used. Meta answers a call to an expired one as another version without a
 * word, so the pipeline refuses it itself. Source: the Marketing API changelog, read 2026-11-21.
 */
import { PipelineError } from '@floyo/shared/errors';

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
