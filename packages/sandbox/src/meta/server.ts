/**
 * Meta's Marketing API as far as a reader of insights sees it: accounts, permissions, token, insights, reports.
 * What it answers follows the vendor's documentation; README.md lists the traps that it keeps.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { Hono } from 'hono';

import type { VendorContext } from '../core.ts';
import { connectionFaults } from '../middleware.ts';
import { createAdsWorld } from '../world/world.ts';
import { describeAccount, describeToken, pickFields } from './accounts.ts';
import { answerError, badParameter, MetaFailure, refuseByFault } from './errors.ts';
import { answerInsights } from './insights.ts';
import { cutPage } from './paging.ts';
import { createReports } from './reports.ts';
import {
  accountOf,
  findAccount,
  hasScope,
  refuseUnknownVersion,
  refuseWrongToken,
  servedVersion,
  targetOf,
  unknownPath,
} from './request.ts';
import { addUsageHeaders } from './usage.ts';

export function createMetaServer(context: VendorContext): Hono {
  const world = createAdsWorld(context, 'meta');
  const reports = createReports(context, world);
  const app = new Hono();

  app.use('*', connectionFaults(context, 'meta', accountOf));
  app.use('*', describeUsage(context));
  app.use('*', refuseUnfit(context));

  app.get('/:version/me/adaccounts', (c) => {
    const rows = world.accounts.map((account) =>
      pickFields(describeAccount(account, c, context), c, ['id', 'account_id']),
    );
    return c.json(cutPage(rows, pageRequest(c, context, 'adaccounts', readLimit(c))));
  });
  app.get('/:version/me/permissions', (c) =>
    c.json({
      data: [{ permission: 'ads_read', status: hasScope(c, context) ? 'granted' : 'declined' }],
    }),
  );
  app.get('/:version/debug_token', (c) => c.json({ data: describeToken(c, context) }));
  app.get('/:version/:account{act_\\d+}', (c) =>
    c.json(pickFields(describeAccount(findAccount(c, world), c, context), c, ['id', 'account_id'])),
  );
  app.get('/:version/:account{act_\\d+}/insights', (c) => answerInsights(c, context, world));
  app.post('/:version/:account{act_\\d+}/insights', (c) => reports.submit(c));
  app.get('/:version/:report{\\d+}', (c) => reports.describe(c));
  app.get('/:version/:report{\\d+}/insights', (c) => reports.results(c));
  app.all('*', (c) => answerError(c, unknownPath(c)));
  app.onError((error, c) => {
    if (error instanceof MetaFailure) return answerError(c, error.error);
    throw error;
  });
  return app;
}

/** Every answer says how much of the limits is used, and which version was really served. */
function describeUsage(context: VendorContext): MiddlewareHandler {
  return async (c, next) => {
    await next();
    addUsageHeaders(c, context);
    c.header('facebook-api-version', servedVersion(c, context));
  };
}

function refuseUnfit(context: VendorContext): MiddlewareHandler {
  return async (c, next) => {
    refuseUnknownVersion(c);
    refuseWrongToken(c);
    refuseByFault(context, targetOf(c));
    await next();
  };
}

function readLimit(c: Context): number {
  const limit = Number(c.req.query('limit') ?? 25);
  if (!Number.isInteger(limit) || limit < 1) throw badParameter('limit must be a positive integer');
  return limit;
}

function pageRequest(
  c: Context,
  context: VendorContext,
  identity: string,
  limit: number,
): Parameters<typeof cutPage>[1] {
  return { identity, limit, after: c.req.query('after'), seed: context.seed, url: c.req.url };
}
