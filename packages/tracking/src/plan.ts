/**
 * The tracking plan: every event that the product sends, once. Types, checks and docs/tracking-plan.md are made of it, and
 * the product metrics are computed from events of exactly these names.
 */
import { z } from 'zod';

import { flag, id, name } from './properties.ts';

export type Sender = 'frontend' | 'backend';

interface PlannedEvent {
  readonly properties: z.ZodObject;
  /** Who sends it; one sender each, or it is counted twice. */
  readonly sender: Sender;
  readonly when: string;
  /** What it is for. */
  readonly metrics: string;
}

const emailId = id('id of the one message to the one user, the same in all three email events');
const suggestionId = id('id of the suggestion as the user saw it, the same when it is accepted');

export const PLAN = {
  signup: {
    properties: z.strictObject({}),
    sender: 'backend',
    when: 'An account has been made, in the request that made it. Once a user; not at a later login.',
    metrics: 'signups, activation_rate_7d, retention_d1, _d7 and _d30, cost_per_signup',
  },
  workflow_created: {
    properties: z.strictObject({ workflow_id: id('id of the new workflow').optional() }),
    sender: 'backend',
    when: 'A workflow has been saved for the first time. The activation event, unless configured otherwise.',
    metrics: 'activation_rate_7d',
  },
  workflow_run: {
    properties: z.strictObject({ workflow_id: id('id of the workflow').optional() }),
    sender: 'backend',
    when: 'A user has started a run of a workflow. Not for scheduled runs: nobody is there.',
    metrics: 'dau, wau, mau_30, retention',
  },
  suggestion_shown: {
    properties: z.strictObject({ suggestion_id: suggestionId }),
    sender: 'frontend',
    when: 'A suggestion is visible to the user, the first time it is. Not when it was merely made or fetched.',
    metrics: 'suggestions_shown, suggestion_adoption_rate',
  },
  suggestion_accepted: {
    properties: z.strictObject({ suggestion_id: suggestionId }),
    sender: 'frontend',
    when: 'The user has taken the suggestion over. Counted on the day it was shown, when that was at most 3 days before.',
    metrics: 'suggestions_accepted, suggestion_adoption_rate',
  },
  email_sent: {
    properties: z.strictObject({
      email_id: emailId,
      campaign: name('which mailing or automation it belongs to'),
    }),
    sender: 'backend',
    when: 'The email provider has taken the message. Not for test mails to ourselves.',
    metrics: 'email_sent, email_delivery_rate',
  },
  email_delivered: {
    properties: z.strictObject({ email_id: emailId }),
    sender: 'backend',
    when: "The provider's webhook says that the receiving server took it. Not for a bounce or a deferral.",
    metrics: 'email_delivery_rate, email_click_rate',
  },
  email_clicked: {
    properties: z.strictObject({
      email_id: emailId,
      is_bot: flag('true when no human clicked: see the rule for clicks'),
    }),
    sender: 'backend',
    when: 'A link of the message was followed, each time.',
    metrics: 'email_click_rate counts a message once, and only clicks with is_bot false',
  },
  experiment_exposed: {
    properties: z.strictObject({
      experiment: id('key of the experiment, as in `floyo experiments create`'),
      variant: name('which variant the user sees'),
    }),
    sender: 'frontend',
    when: 'The user sees what the experiment changes, in either variant. Not at login, and not on pages without the change.',
    metrics: 'experiment results',
  },
  upgrade: {
    properties: z.strictObject({ plan: name('the plan that the user has now').optional() }),
    sender: 'backend',
    when: 'A user has gone to a paid plan, or to a higher one, and the payment went through.',
    metrics: 'conversions of experiments',
  },
} as const satisfies Readonly<Record<string, PlannedEvent>>;

export type EventName = keyof typeof PLAN;
/** The properties that an event takes. */
export type PropertiesOf<Name extends EventName> = z.input<(typeof PLAN)[Name]['properties']>;
