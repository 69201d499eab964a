/** One project, opened. Opening asks PostHog nothing: a run with nothing new makes one query alone. */
import type { Account, Io } from '@floyo/shared/connector';

import { createPostHogClient, type PostHogClient } from './client.ts';
import type { PostHogConfig } from './config.ts';
import { createFiguresDesk, type FiguresDesk } from './figures.ts';

export interface PostHogSession extends Account {
  readonly client: PostHogClient;
  readonly figures: FiguresDesk;
  readonly rawEvents: readonly string[];
  readonly properties: readonly string[];
}

/** The business days of the reporting zone are asked for, whatever zone the project displays. */
export function openProject(config: PostHogConfig, projectId: string, io: Io): Promise<PostHogSession> {
  const client = createPostHogClient(config);
  return Promise.resolve({
    id: projectId,
    timezone: io.reporting.timezone,
    currency: null,
    client,
    figures: createFiguresDesk(client),
    rawEvents: config.rawEvents,
    properties: config.properties,
  });
}
