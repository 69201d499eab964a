/** Whether Stripe's webhook brings what billing needs: endpoints, the types and version they are sent, failed deliveries. */
import { z } from 'zod';

import type { Finding, Io } from '@floyo/shared/connector';
import { PipelineError } from '@floyo/shared/errors';

import { API_VERSION, PAGE_SIZE, type StripeClient } from './client.ts';
import { EVENT_TYPES } from './event-types.ts';
import { fine, refusal } from './findings.ts';
import { toSeconds } from './read-days.ts';

/** Stripe goes on trying for so long. */
const RETRIED_DAYS = 3;

const endpointSchema = z.looseObject({
  id: z.string(),
  url: z.string(),
  status: z.string(),
  enabled_events: z.array(z.string()),
  api_version: z.string().nullish(),
});
type Endpoint = z.infer<typeof endpointSchema>;

const eventSchema = z.looseObject({ api_version: z.string().nullish(), created: z.number() });

/** Findings about endpoints and deliveries; what the key may not see is said and is no error. */
export async function examineDelivery(client: StripeClient, io: Io): Promise<readonly Finding[]> {
  return [...(await examineEndpoints(client, io)), ...(await examineEvents(client, io))];
}

async function examineEndpoints(client: StripeClient, io: Io): Promise<readonly Finding[]> {
  const check = 'webhook endpoint';
  let endpoints: Endpoint[];
  try {
    const { objects } = await client.page(io, 'webhook_endpoints', {});
    endpoints = z.array(endpointSchema).parse(objects);
  } catch (error) {
    if (error instanceof PipelineError && error.type === 'permission')
      return [fine(check, 'The key may not list webhook endpoints, so that they are not checked')];
    return [refusal(check, error)];
  }
  const enabled = endpoints.filter(({ status }) => status === 'enabled');
  if (enabled.length === 0)
    return [
      {
        check,
        level: 'warning',
        message:
          endpoints.length === 0
            ? 'There is no webhook endpoint: billing is as fresh as the last run'
            : `Every webhook endpoint is disabled (${endpoints.map(({ url }) => hostOf(url)).join(', ')})`,
        fix: 'Create or enable one in the Dashboard (Developers, Webhooks) that points to /webhooks/stripe of the webhook server or function.',
      },
    ];
  // Others may have endpoints of their own: the one that brings most is taken for ours.
  const best = enabled
    .map((endpoint) => ({ endpoint, missing: missingTypes(endpoint) }))
    .toSorted((a, b) => a.missing.length - b.missing.length)[0];
  if (best === undefined) return [];
  const { endpoint, missing } = best;
  return [
    missing.length === 0
      ? fine(check, `${hostOf(endpoint.url)} gets every event that billing needs`)
      : {
          check,
          level: 'warning',
          message: `${hostOf(endpoint.url)} does not get ${missing.join(', ')}: they come with the next run only`,
          fix: 'Add them to the endpoint in the Dashboard (Developers, Webhooks).',
        },
    ...newerVersion(`${check} version`, endpoint.api_version),
  ];
}

async function examineEvents(client: StripeClient, io: Io): Promise<readonly Finding[]> {
  try {
    const since = toSeconds(io.now().toString()) - RETRIED_DAYS * 86_400;
    const failed = await client.page(io, 'events', { delivery_success: 'false', 'created[gte]': since });
    const latest = await client.page(io, 'events', { limit: 1 });
    const event = eventSchema.safeParse(latest.objects[0]).data;
    const count = `${failed.hasMore ? 'More than ' : ''}${failed.hasMore ? PAGE_SIZE : failed.objects.length}`;
    return [
      ...(event === undefined ? [] : newerVersion('event version', event.api_version)),
      failed.objects.length === 0
        ? fine('deliveries', `Every event of the last ${RETRIED_DAYS} days was delivered`)
        : {
            check: 'deliveries',
            level: 'warning',
            message: `${count} events of the last ${RETRIED_DAYS} days could not be delivered`,
            fix: "The next run reads them. See why in the Dashboard (Developers, Webhooks), and the webhook server's log.",
          },
    ];
  } catch (error) {
    // That events can't be read at all is told with the other resources.
    return error instanceof PipelineError && error.type === 'permission'
      ? []
      : [refusal('deliveries', error)];
  }
}

function missingTypes({ enabled_events: types }: Endpoint): string[] {
  return types.includes('*') ? [] : EVENT_TYPES.filter((type) => !types.includes(type));
}

/** Versions are dates with a name: a later one may have shapes that nobody has looked at. */
function newerVersion(check: string, version: string | null | undefined): Finding[] {
  if (version == null || version.slice(0, 10) <= API_VERSION.slice(0, 10)) return [];
  return [
    {
      check,
      level: 'warning',
      message: `Events come in API version ${version}, newer than ${API_VERSION}, the last one that was looked at`,
      fix: `Set the endpoint's API version to ${API_VERSION}, or read https://docs.stripe.com/changelog and move API_VERSION on.`,
    },
  ];
}

/** Without path and query: they may carry a token. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an endpoint';
}
