/** docs/tracking-plan.md as `pnpm generate` writes it, made of the plan. */
import { z } from 'zod';

import { PLAN } from './plan.ts';

/** The whole page. */
export function trackingPlanPage(): string {
  return `${[HEAD, '## Events', ...Object.entries(PLAN).map(describeEvent), RULES].join('\n\n')}\n`;
}

function describeEvent([event, planned]: [string, (typeof PLAN)[keyof typeof PLAN]]): string {
  return [
    `### \`${event}\``,
    planned.when,
    [
      `- sent by the ${planned.sender}`,
      `- for ${planned.metrics}`,
      ...describeProperties(planned.properties),
    ].join('\n'),
  ].join('\n\n');
}

const propertiesSchema = z.object({
  properties: z.record(z.string(), z.object({ type: z.string(), description: z.string() })),
  required: z.array(z.string()).default([]),
});

function describeProperties(schema: z.ZodObject): string[] {
  const { properties, required } = propertiesSchema.parse(z.toJSONSchema(schema, { io: 'input' }));
  const lines = Object.entries(properties).map(
    ([property, { type, description }]) =>
      `  - \`${property}\` (${type}${required.includes(property) ? '' : ', optional'}): ${description}`,
  );
  return lines.length === 0 ? ['- without properties'] : ['- properties:', ...lines];
}

const HEAD = `# Tracking plan

Generated from \`packages/tracking/src/plan.ts\` by \`pnpm generate\`. Events that are not in it are not sent, and the metrics read exactly these names.

\`\`\`ts
// In the browser, with posthog-js
identify(posthog, user.id); // at signup and at every login; posthog.reset() at logout
track(posthog, 'suggestion_shown', { suggestion_id: suggestion.id });

// On the server, with posthog-node
track(forUser(posthog, user.id), 'workflow_created', { workflow_id: workflow.id });
\`\`\`

Types tell a wrong event while it is written. What only shows while it runs (an empty id, an address in a text) throws a \`TrackingError\`, and nothing is sent: a gap is seen, a wrong number is not.`;

const RULES = `## Who it was

- The user id is the product's own, never an email address, and never changes.
- \`identify\` is called at signup, before the first event after it, and at every login; \`reset\` at logout. What a browser sent before \`identify\` keeps the anonymous id it was sent under: the metrics count identified users only. So an experiment on pages before the login sends \`experiment_exposed\` again after \`identify\`.
- The backend always sends under the user id (\`forUser\`), never under an id of its own.
- One event has one sender. The same event from frontend and backend would be counted twice.

## Twice, late, lost

- Suggestions and emails are counted by their ids, users by theirs: an event that comes twice changes no metric. Where something may be told twice (a provider's webhook), give \`track\` a \`uuid\` that follows from it, and its \`timestamp\`.
- Events up to 35 days late are found and counted on the day they happened.
- A server that stops calls \`shutdown()\` of posthog-node first: what it has not sent by then is lost.

## Clicks by humans

Mail servers and security scanners follow links. \`is_bot\` is true when any of these holds:

- the email provider says so;
- it was a HEAD request, or its user agent is no browser's;
- it came within 10 seconds of the delivery, or together with clicks on all other links of the message;
- it went to the link that no human can see.

It stays false for everything else. Clicks are sent either way: what was taken for a bot can be looked at.

## Experiments and PostHog's feature flags

Exposure is the first \`experiment_exposed\` of a user. Where a feature flag decides the variant, PostHog's libraries send \`$feature_flag_called\` by themselves, and that may be an experiment's exposure event instead:

- \`$feature_flag\` is the experiment, \`$feature_flag_response\` the variant;
- \`false\`, \`null\` and an absent response are no exposure: the flag was off, or the user not in it;
- it is sent when the flag is asked for, wherever that is. Ask for it where the change is shown, or users who never saw it thin out the result. \`experiment_exposed\` says what it means, and is the better choice.

One experiment uses one of them, in all its variants.

## What is never sent

- Email addresses, names, phone numbers, IP addresses, free text of users, the content of a workflow or a suggestion. \`track\` refuses unknown properties, and email and IP addresses in known ones.
- Person properties: users are looked up by id in the product, not in PostHog.
- Switch off what PostHog takes by itself: \`autocapture: false\`, \`disable_session_recording: true\`, and "Discard client IP data" in the project's settings.

## The pipeline's own events

\`pipeline_run_finished\`, \`pipeline_agent_finished\` and \`$exception\`, all under the id \`floyo-pipeline\`, are sent by the pipeline itself when \`POSTHOG_PROJECT_KEY\` is set. They are no user's, and count in no metric of users. Best given a project of their own.`;
