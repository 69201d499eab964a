/** Sends events of the plan, typed and checked, with posthog-js in a browser and posthog-node on a server alike. */
import { z } from 'zod';

import { type EventName, PLAN, type PropertiesOf } from './plan.ts';
import { userIdSchema } from './properties.ts';

/** What is used of posthog-js; `forUser` makes the same of posthog-node. */
export interface TrackingClient {
  capture(event: string, properties: Record<string, unknown>, options?: CaptureOptions): unknown;
}

export interface CaptureOptions {
  /** Of something that may be told twice, such as a provider's webhook: the same id both times. Must be a UUID. */
  readonly uuid?: string;
  /** When it happened, if that was not just now. */
  readonly timestamp?: Date;
}

/** What is used of posthog-node. */
export interface ServerClient {
  capture(
    message: { distinctId: string; event: string; properties: Record<string, unknown> } & CaptureOptions,
  ): unknown;
}

/** An event or a user that is not as the plan says. The message names the property, never its value. */
export class TrackingError extends Error {
  override readonly name = 'TrackingError';
}

/**
 * Sends an event of the plan: `track(posthog, 'suggestion_shown', { suggestion_id })`.
 * @throws TrackingError and sends nothing when a property is missing, unknown, or holds an email or IP address.
 */
export function track<Name extends EventName>(
  client: TrackingClient,
  event: Name,
  properties: PropertiesOf<Name>,
  options?: CaptureOptions,
): void {
  const parsed = PLAN[event].properties.safeParse(properties);
  if (!parsed.success) throw new TrackingError(`${event}: ${explain(parsed.error)}`);
  client.capture(event, parsed.data, options);
}

/**
 * posthog-node in the name of one user, to be handed to `track`.
 * @throws TrackingError when the id is none, or an email address.
 */
export function forUser(client: ServerClient, userId: string): TrackingClient {
  const distinctId = checkUserId(userId);
  return {
    capture: (event, properties, options) => client.capture({ distinctId, event, properties, ...options }),
  };
}

/**
 * Tells posthog-js who the user is, at signup and at every login. What the browser sent before becomes theirs.
 * @throws TrackingError when the id is none, or an email address.
 */
export function identify(client: { identify(distinctId: string): unknown }, userId: string): void {
  client.identify(checkUserId(userId));
}

function checkUserId(userId: string): string {
  const parsed = userIdSchema.safeParse(userId);
  if (!parsed.success) throw new TrackingError(`the user id ${explain(parsed.error)}`);
  return parsed.data;
}

function explain(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(' '))
    .join('; ');
}
