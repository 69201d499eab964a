/**
 * TikTok's Business API v1.3 as far as a reader of reports sees it. Paths end in a slash or are not found,
 * errors come with HTTP 200; README.md lists the traps that it keeps.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { Hono } from 'hono';
import { z } from 'zod';

import type { VendorContext } from '../core.ts';
import { connectionFaults } from '../middleware.ts';
import type { WorldAccount } from '../world/accounts.ts';
import type { AdsWorld } from '../world/world.ts';
import { createAdsWorld } from '../world/world.ts';
import { answerReport } from './answer-report.ts';
import { callLimit } from './call-limit.ts';
import { answer, badParameter, failure, refuseByFault, TikTokFailure } from './errors.ts';
import { findAdvertiser } from './find-report.ts';
import { readTexts } from './query.ts';
import { createTaskServer } from './tasks.ts';

export const tiktokToken = 'sandbox-tiktok-token';

export function createTikTokServer(context: VendorContext): Hono {
  const world = createAdsWorld(context, 'tiktok');
  const tasks = createTaskServer(context, world);
  const app = new Hono();

  app.use('*', connectionFaults(context, 'tiktok', accountOf));
  app.use('/open_api/v1.3/*', refuseUnfit(context));
  app.use('/open_api/v1.3/*', callLimit(context));
  app.get('/open_api/v1.3/oauth2/advertiser/get/', (c) => {
    const list = world.accounts.map((account) => ({
      advertiser_id: account.id,
      advertiser_name: account.name,
    }));
    return answer(c, context, 0, 'OK', { list });
  });
  app.get('/open_api/v1.3/advertiser/info/', (c) =>
    answer(c, context, 0, 'OK', describeAdvertisers(c, context, world)),
  );
  app.get('/open_api/v1.3/report/integrated/get/', (c) => answerReport(c, context, world));
  app.post('/open_api/v1.3/report/task/create/', tasks.create);
  app.get('/open_api/v1.3/report/task/check/', tasks.check);
  app.get('/open_api/v1.3/report/task/download/', tasks.download);
  app.post('/open_api/v1.3/report/task/cancel/', tasks.cancel);
  app.get('/file/:id', tasks.file);
  app.all('*', (c) => c.text('404 page not found', 404));
  app.onError((error, c) => {
    if (error instanceof TikTokFailure) return answer(c, context, error.code, error.message, {});
    throw error;
  });
  return app;
}

/** A path without its slash is not found, whoever asks; everything else needs a token first. */
function refuseUnfit(context: VendorContext): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.path.endsWith('/')) {
      refuseWrongToken(c);
      refuseByFault(context, { account: accountOf(c) ?? (await accountOfBody(c)), path: c.req.path });
    }
    await next();
  };
}

function accountOf(c: Context): string | undefined {
  return c.req.query('advertiser_id') ?? /\d+/.exec(c.req.query('advertiser_ids') ?? '')?.[0];
}

const bodySchema = z.object({ advertiser_id: z.string() });

/** Tasks are created and cancelled with a JSON body. */
async function accountOfBody(c: Context): Promise<string | undefined> {
  if (c.req.method !== 'POST') return undefined;
  const body: unknown = await c.req.json().catch(() => undefined);
  return bodySchema.safeParse(body).data?.advertiser_id;
}

function refuseWrongToken(c: Context): void {
  const token = c.req.header('access-token');
  // Whoever sends an Authorization header instead gets to know that the token is not understood.
  if (token === undefined && c.req.header('authorization') === undefined) throw failure(40104);
  if (token !== tiktokToken) throw failure(40105);
}

function describeAdvertisers(
  c: Context,
  context: VendorContext,
  world: AdsWorld,
): { list: Record<string, unknown>[] } {
  const ids = readTexts(c.req.query('advertiser_ids'), 'advertiser_ids');
  const asked = c.req.query('fields');
  const fields = asked === undefined ? undefined : readTexts(asked, 'fields');
  const list = ids.map((id) => {
    const fault = context.faults.take('tiktok', 'ad_account', { account: id, path: c.req.path });
    const changed = z.record(z.string(), z.unknown()).safeParse(fault?.value).data ?? {};
    const all: Record<string, unknown> = { ...describeAdvertiser(findAdvertiser(world, id)), ...changed };
    const unknown = fields?.find((field) => !(field in all));
    if (unknown !== undefined) throw badParameter(`fields: invalid field ${unknown}.`);
    return fields === undefined ? all : Object.fromEntries(fields.map((field) => [field, all[field]]));
  });
  return { list };
}

function describeAdvertiser(account: WorldAccount): Record<string, unknown> {
  return {
    advertiser_id: account.id,
    name: account.name,
    currency: account.currency,
    timezone: account.fixedOffsetZone,
    display_timezone: account.timezone,
    country: account.country,
    status: 'STATUS_ENABLE',
    role: 'ROLE_ADVERTISER',
    company: 'Floyo',
    create_time: 1586800000,
    balance: 0,
  };
}
