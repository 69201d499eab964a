/** The PostHog source: single events that need their row, and how often everybody did what on a day. */
import { defineConnector } from '@floyo/shared/connector';

import { posthogConfig } from './config.ts';
import { examine } from './examine.ts';
import { openProject } from './session.ts';
import { eventUserDays } from './streams/event-user-days.ts';
import { events } from './streams/events.ts';

export const posthog = defineConnector({
  source: 'posthog',
  agent: 'analytics',
  config: posthogConfig,
  accounts: (config) => [config.projectId],
  open: openProject,
  streams: [events, eventUserDays],
  examine,
});
