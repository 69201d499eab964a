/** What `doctor` asks of one advertiser: whether the token may read it, and whether what is configured fits it. */
import type { Finding, Io } from '@floyo/shared/connector';
import { toPipelineError } from '@floyo/shared/errors';
import { addDays, dayOf } from '@floyo/shared/window';

import { API_VERSION, REVIEW_API_VERSION_BY } from './client.ts';
import type { TikTokConfig } from './config.ts';
import { CutOffError } from './errors.ts';
import { openAdvertiser } from './open.ts';
import { reportParameters, type TikTokSession } from './streams/report.ts';

/** TikTok has about a dozen statuses; this one alone delivers ads. */
const ENABLED = 'STATUS_ENABLE';

/** Findings in a fixed order; after the advertiser itself, three calls ask for one row of yesterday. */
export async function examine(
  config: TikTokConfig,
  advertiserId: string,
  io: Io,
): Promise<readonly Finding[]> {
  const findings = [examineVersion(io)];
  let session: TikTokSession;
  try {
    session = await openAdvertiser(config, advertiserId, io);
  } catch (error) {
    return [...findings, fromError('access', error)];
  }
  findings.push(
    ok('access', `The token reads advertiser ${advertiserId}${session.name ? ` (${session.name})` : ''}.`),
    examineStatus(session),
    examineZone(session, io),
    examineCurrency(session, io),
  );
  return [...findings, ...(await examineReport(config, session, io))];
}

function examineVersion(io: Io): Finding {
  const today = dayOf(io.now(), 'UTC');
  if (today < REVIEW_API_VERSION_BY) return ok('api version', `${API_VERSION}, no end announced.`);
  return {
    check: 'api version',
    level: 'warning',
    message: `Whether ${API_VERSION} still lasts was to be looked up by ${REVIEW_API_VERSION_BY}.`,
    fix: "Read the changelog of TikTok's developer portal; if it has no end date, move REVIEW_API_VERSION_BY.",
  };
}

function examineStatus({ status, id }: TikTokSession): Finding {
  if (status === ENABLED) return ok('advertiser status', 'The advertiser is enabled.');
  return {
    check: 'advertiser status',
    level: 'warning',
    message: `The advertiser's status is ${status ?? 'not told'}: its past days can be read, but it delivers nothing new.`,
    fix: `Look at the advertiser in TikTok Ads Manager (review, balance, suspension), or take ${id} out of TIKTOK_ADVERTISER_IDS.`,
  };
}

function examineZone({ timezone, offsetTimezone }: TikTokSession, io: Io): Finding {
  const offset = (zone: string): string => io.now().toZonedDateTimeISO(zone).offset;
  const { timezone: reporting } = io.reporting;
  if (offset(timezone) !== offset(offsetTimezone))
    return {
      check: 'time zone',
      level: 'warning',
      message: `TikTok names two time zones, ${timezone} for display and ${offsetTimezone}, which differ at the moment; days are taken to be those of ${timezone}.`,
      fix: "Compare a day's spend with Ads Manager. Stored days are TikTok's own either way: only when today begins depends on it.",
    };
  const same =
    timezone === reporting
      ? 'as in the reports'
      : `reports are made in ${reporting}, days of spend stay the advertiser's`;
  return ok('time zone', `The advertiser's days are those of ${timezone}: ${same}.`);
}

function examineCurrency({ currency }: TikTokSession, io: Io): Finding {
  const { currency: reporting } = io.reporting;
  const how = currency === reporting ? 'as in the reports' : `converted to ${reporting} in the reports`;
  return ok('currency', `The advertiser spends ${currency}, ${how}.`);
}

/** Whether reports may be read, and then whether the configured metrics exist. One row of yesterday is asked for. */
async function examineReport(config: TikTokConfig, session: TikTokSession, io: Io): Promise<Finding[]> {
  const today = dayOf(io.now(), session.timezone);
  const parameters = reportParameters(session, { from: addDays(today, -1), to: today });
  const read = (metrics: readonly string[]): Promise<unknown> =>
    session.client.getList(io, 'report/integrated/get', { ...parameters, metrics, page: 1, page_size: 1 });
  const findings: Finding[] = [];
  try {
    await read(['spend']);
  } catch (error) {
    return [error instanceof CutOffError ? MANY_ADS : fromError('reports', error)];
  }
  findings.push(ok('reports', 'The token has the reporting scope.'));
  for (const [variable, metric, example] of [
    ['TIKTOK_CONVERSION_METRIC', config.conversionMetric, 'complete_payment'],
    ['TIKTOK_VALUE_METRIC', config.valueMetric, 'total_complete_payment_rate'],
  ] as const)
    try {
      await read([metric]);
      findings.push(ok(variable, `TikTok knows the metric ${metric}.`));
    } catch (error) {
      const finding = fromError(variable, error);
      const fix = `Set ${variable} to a metric of basic reports at ad level, e.g. ${example}.`;
      findings.push(toPipelineError(error).type === 'config' ? { ...finding, fix } : finding);
    }
  return findings;
}

const MANY_ADS: Finding = {
  check: 'reports',
  level: 'warning',
  message:
    'The advertiser has 20,000 ads or more: TikTok answers at once for the newest alone, the rest is ordered asynchronously.',
  fix: 'Have the app put on the allow list of asynchronous reports (Allowlist Management in the developer portal); without it ads are read campaign by campaign.',
};

function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}

function fromError(check: string, thrown: unknown): Finding {
  const { message, advice, context } = toPipelineError(thrown);
  const id = typeof context['request_id'] === 'string' ? ` (request_id ${context['request_id']})` : '';
  return { check, level: 'error', message: `${message}${id}`, fix: advice ?? 'Run it again.' };
}
