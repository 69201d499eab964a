/** What `doctor` says of one ad account: version, token, scope, the account itself, and how far Meta lets it call. */
import type { Finding, Io } from '@floyo/shared/connector';
import { toPipelineError } from '@floyo/shared/errors';
import { addDays, dayOf } from '@floyo/shared/window';

import { type AccountDescription, describeAccount } from './account.ts';
import { createMetaClient, type MetaClient } from './client.ts';
import type { MetaConfig } from './config.ts';
import { examineToken } from './examine-token.ts';
import { totalsParameters } from './query.ts';
import { TIMINGS, type Timings } from './timings.ts';
import { examineVersion } from './versions.ts';

/** `account_status` in words; only 1 is in order. */
const ACCOUNT_STATUSES: Readonly<Record<number, string>> = {
  1: 'active',
  2: 'disabled',
  3: 'unsettled: a payment is open',
  7: 'under a risk review',
  8: 'waiting for a settlement',
  9: 'in a grace period: a payment is open',
  100: 'about to be closed',
  101: 'closed',
};

/** Checks one account with a few small calls; what Meta refuses becomes a finding with Meta's reason. */
export async function examine(
  config: MetaConfig,
  accountId: string,
  io: Io,
  timings: Timings = TIMINGS,
): Promise<readonly Finding[]> {
  const client = createMetaClient(config, accountId, timings);
  const version = examineVersion(config.apiVersion, dayOf(io.now(), 'UTC'));
  // An ended version is answered as another one: what it says would not be about this one.
  if (version.level === 'error') return [version];
  const token = await examineToken(client, io, config.accessToken);
  if (token.some(({ check, level }) => check === 'token' && level === 'error')) return [version, ...token];
  return [version, ...token, ...(await examineAccount(client, io))];
}

async function examineAccount(client: MetaClient, io: Io): Promise<Finding[]> {
  let account: AccountDescription;
  try {
    account = await describeAccount(client, io);
  } catch (error) {
    return [refusal('account', error)];
  }
  return [
    statusFinding(account),
    ...placeFindings(account, io),
    await insightsFinding(client, account, io),
    tierFinding(client.tier),
  ];
}

function statusFinding({ account_id: id, name, account_status: status = 1 }: AccountDescription): Finding {
  const label = name === undefined ? id : `${name} (${id})`;
  const words = ACCOUNT_STATUSES[status] ?? `in status ${status}`;
  if (status === 1) return { check: 'account', level: 'ok', message: `${label} is ${words}`, fix: null };
  return {
    check: 'account',
    level: 'warning',
    message: `${label} is ${words}`,
    fix: 'Its past days can still be read. Settle it in the Ads Manager, or take the account out of META_AD_ACCOUNT_IDS.',
  };
}

/** Neither is wrong: days stay the account's, money is converted by the day's rate. People should know. */
function placeFindings(account: AccountDescription, io: Io): Finding[] {
  const { currency, timezone_name: timezone } = account;
  const { reporting } = io;
  return [
    {
      check: 'currency',
      level: 'ok',
      message:
        currency === reporting.currency
          ? `${currency}, as reports are`
          : `${currency}; reports convert it to ${reporting.currency} with each day's rate`,
      fix: null,
    },
    {
      check: 'time zone',
      level: 'ok',
      message:
        timezone === reporting.timezone
          ? `${timezone}, as reports are`
          : `${timezone}; its days are kept as they are, while reports are in ${reporting.timezone}`,
      fix: null,
    },
  ];
}

/** Whether today's figures may be read: access to the account does not include them. */
async function insightsFinding(
  client: MetaClient,
  { timezone_name: timezone }: AccountDescription,
  io: Io,
): Promise<Finding> {
  const today = dayOf(io.now(), timezone);
  const parameters = totalsParameters({ from: today, to: addDays(today, 1) }, ['impressions']);
  try {
    await client.get(io, `act_${client.accountId}/insights`, parameters);
    return { check: 'insights', level: 'ok', message: 'insights can be read', fix: null };
  } catch (error) {
    return refusal('insights', error);
  }
}

function tierFinding(tier: string | undefined): Finding {
  const check = 'access tier';
  if (tier === undefined)
    return { check, level: 'ok', message: 'Meta does not tell the access tier', fix: null };
  if (!/^(development|limited)/.test(tier)) return { check, level: 'ok', message: tier, fix: null };
  return {
    check,
    level: 'warning',
    message: `${tier}: 600 calls an hour and 400 more per active ad`,
    fix: 'Ask for Full Access to the Marketing API (500 calls in 15 days are needed first), or read seldom and in few accounts.',
  };
}

function refusal(check: string, error: unknown): Finding {
  const { type, message, advice } = toPipelineError(error);
  const fix = advice ?? 'Run it again; if it lasts, look at https://metastatus.com.';
  return { check, level: type === 'rate_limit' ? 'warning' : 'error', message, fix };
}
