/** What `doctor` asks about one shop: token, scopes, API version, zone, currency, cost bucket. Reads no order. */
import { z } from 'zod';

import type { Finding, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';
import { countDays, dayOf } from '@floyo/shared/window';

import { createShopClient } from './client.ts';
import { API_VERSION, API_VERSION_SUPPORTED_UNTIL, type ShopifyConfig } from './config.ts';
import { examineQuery } from './queries.ts';
import { createScopeCheck, REQUIRED_SCOPES } from './session.ts';

/** Soon enough to move to the next version in peace. */
const VERSION_WARNING_DAYS = 60;

const examineSchema = z.object({
  shop: z.object({
    name: z.string(),
    ianaTimezone: z.string(),
    currencyCode: z.string(),
    plan: z.object({ publicDisplayName: z.string() }),
  }),
  currentAppInstallation: z.object({ accessScopes: z.array(z.object({ handle: z.string() })) }),
  publicApiVersions: z.array(z.object({ handle: z.string(), supported: z.boolean() })),
});
type Answer = z.infer<typeof examineSchema>;

/** Findings of one shop; what the vendor refuses is a finding too. */
export async function examineShop(config: ShopifyConfig, shop: string, io: Io): Promise<readonly Finding[]> {
  const entry = config.shops.find((candidate) => candidate.shop === shop);
  if (entry === undefined) throw new Error(`${shop} is not in SHOPIFY_SHOPS`);
  const client = createShopClient({ ...entry, apiVersion: config.apiVersion, baseUrl: config.baseUrl });
  const query = { operation: 'Examine', document: examineQuery, variables: {} };
  let answer: Answer;
  try {
    answer = await client.ask(io, query, examineSchema);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    return [
      { check: 'access', level: 'error', message: error.message, fix: error.advice ?? 'Run it again later.' },
    ];
  }
  const { name, plan } = answer.shop;
  return [
    ok('access', `${shop} (${name}, ${plan.publicDisplayName}) lets the app in`),
    ...checkScopes(shop, answer),
    checkVersion(config.apiVersion, answer, io),
    ...checkCalendar(shop, answer, io),
    ...checkBucket(shop, client.throttle()),
  ];
}

function checkScopes(shop: string, answer: Answer): Finding[] {
  const has = createScopeCheck(answer.currentAppInstallation.accessScopes.map((scope) => scope.handle));
  const missing = REQUIRED_SCOPES.filter((scope) => !has(scope));
  const optional: readonly (readonly [string, Finding['level'], string])[] = [
    [
      'read_all_orders',
      'error',
      'Shopify hides orders older than 60 days and does not say so: their returns are never seen, and they can not be read back',
    ],
    ['read_products', 'warning', 'product and variant ids stay empty'],
    [
      'read_reports',
      'warning',
      "sales are not compared with Shopify's own report, only the number of orders is",
    ],
  ];
  return [
    missing.length === 0
      ? ok('scopes', `${shop} grants ${REQUIRED_SCOPES.join(', ')}`)
      : {
          check: 'scopes',
          level: 'error',
          message: `${shop} does not grant ${missing.join(', ')}`,
          fix: `Add ${missing.join(', ')} to the app's Admin API scopes, install it again in ${shop}, and replace its token.`,
        },
    ...optional
      .filter(([scope]) => !has(scope))
      .map(([scope, level, effect]): Finding => ({
        check: 'scopes',
        level,
        message: `${shop} does not grant ${scope}: ${effect}`,
        fix: `Ask for ${scope} in the app's settings and install it again.`,
      })),
  ];
}

function checkVersion(version: string, answer: Answer, io: Io): Finding {
  const isServed = answer.publicApiVersions.some(({ handle, supported }) => handle === version && supported);
  if (!isServed)
    return {
      check: 'api version',
      level: 'error',
      message: `Shopify no longer supports Admin API ${version}`,
      fix: 'Unset SHOPIFY_API_VERSION or set a supported version, and update the connector to it.',
    };
  if (version !== API_VERSION)
    return {
      check: 'api version',
      level: 'warning',
      message: `SHOPIFY_API_VERSION is ${version}, the connector is written for ${API_VERSION}`,
      fix: 'Unset SHOPIFY_API_VERSION.',
    };
  const left = countDays({ from: dayOf(io.now(), 'UTC'), to: API_VERSION_SUPPORTED_UNTIL });
  return left > VERSION_WARNING_DAYS
    ? ok('api version', `Admin API ${version} is supported until ${API_VERSION_SUPPORTED_UNTIL}`)
    : {
        check: 'api version',
        level: 'warning',
        message: `Admin API ${version} is supported until ${API_VERSION_SUPPORTED_UNTIL}`,
        fix: 'Update the connector to a later version before then.',
      };
}

/** The rows are made in the reporting zone and converted: nothing is wrong, but the figures differ from the shop's own. */
function checkCalendar(shop: string, answer: Answer, { reporting }: Io): Finding[] {
  const { ianaTimezone, currencyCode } = answer.shop;
  return [
    ianaTimezone === reporting.timezone
      ? ok('time zone', `${shop} counts days in ${ianaTimezone}, as the reports do`)
      : {
          check: 'time zone',
          level: 'warning',
          message: `${shop} counts days in ${ianaTimezone}, the reports in ${reporting.timezone}: its days differ from those in Shopify's own reports`,
          fix: `Nothing, if that is meant; else set REPORTING_TIMEZONE=${ianaTimezone} before the first migration.`,
        },
    ok(
      'currency',
      currencyCode === reporting.currency
        ? `${shop} sells in ${currencyCode}, as the reports count`
        : `${shop} sells in ${currencyCode}; it is converted to ${reporting.currency} at the ECB's rate of the day`,
    ),
  ];
}

function checkBucket(
  shop: string,
  throttle: { readonly maximumAvailable: number; readonly restoreRate: number } | undefined,
): Finding[] {
  if (throttle === undefined) return [];
  const { maximumAvailable, restoreRate } = throttle;
  return [ok('rate limit', `${shop} has ${maximumAvailable} points, ${restoreRate} more each second`)];
}

function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, fix: null };
}
