/** Metrics of product use, from the events of identified users. */
import { count, type Metric, ratio, total } from './define.ts';

function retention<Days extends number, Retained extends 'retained_d1' | 'retained_d7' | 'retained_d30'>(
  days: Days,
  retained: Retained,
) {
  return {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: days,
    label: `Retention, day ${days}`,
    description: `Share of the users who signed up on the day and were active on the ${days === 1 ? 'next calendar day' : `calendar day ${days} days later`}, not by then.`,
    direction: 'up',
    formula: { numerator: [retained], denominator: ['signups'] },
  } as const;
}

export const PRODUCT = {
  events_tracked: {
    ...count,
    ...total,
    label: 'Events tracked',
    description:
      'Product events of the day, of every kind and of everybody, each once. More than 100 a day is the target.',
    direction: 'up',
    formula: { value: ['events_tracked'] },
  },
  dau: {
    ...count,
    ...total,
    additivity: 'distinct',
    label: 'Daily active users',
    description: 'Distinct identified users with a qualifying event on the day.',
    direction: 'up',
    formula: { value: ['active_users'] },
  },
  wau: {
    ...count,
    ...total,
    additivity: 'distinct',
    label: 'Weekly active users',
    description: 'Distinct identified users with a qualifying event in the 7 days that end on the day.',
    direction: 'up',
    formula: { value: ['active_users_7d'] },
  },
  mau_30: {
    ...count,
    ...total,
    additivity: 'distinct',
    label: 'Monthly active users, 30 days',
    description: 'Distinct identified users with a qualifying event in the 30 days that end on the day.',
    direction: 'up',
    formula: { value: ['active_users_30d'] },
  },
  stickiness: {
    ...ratio,
    ...total,
    unit: 'fraction',
    label: 'Stickiness',
    description:
      'Users active on the day per user active in the 30 days that end on it. Over a week or month: the mean day’s users per mean day’s 30-day users.',
    direction: 'up',
    formula: { numerator: ['active_users'], denominator: ['active_users_30d'] },
  },
  signups: {
    ...count,
    ...total,
    label: 'Signups',
    description: 'Users whose first signup event is on the day.',
    direction: 'up',
    formula: { value: ['signups'] },
  },
  activation_rate_7d: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 7,
    label: 'Activation rate, 7 days',
    description:
      'Share of the users who signed up on the day and did the activation event within 7 days of it, the day itself included.',
    direction: 'up',
    formula: { numerator: ['activated_7d'], denominator: ['signups'] },
  },
  retention_d1: retention(1, 'retained_d1'),
  retention_d7: retention(7, 'retained_d7'),
  retention_d30: retention(30, 'retained_d30'),
  cost_per_signup: {
    ...ratio,
    ...total,
    unit: 'currency',
    label: 'Cost per signup',
    description: 'Ad spend per signup of the day.',
    direction: 'down',
    formula: { numerator: ['ad_spend'], denominator: ['signups'] },
  },
  suggestions_shown: {
    ...count,
    ...total,
    label: 'Suggestions shown',
    description: 'Distinct suggestions, each on the day it was first shown.',
    direction: 'up',
    formula: { value: ['suggestions_shown'] },
  },
  suggestions_accepted: {
    ...count,
    ...total,
    maturityDays: 3,
    label: 'Suggestions accepted',
    description:
      'Distinct suggestions first shown on the day that were accepted within 3 days of it, whatever day that was.',
    direction: 'up',
    formula: { value: ['suggestions_accepted_3d'] },
  },
  suggestion_adoption_rate: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 3,
    label: 'Suggestion adoption rate',
    description:
      'Share of the suggestions first shown on the day that were accepted within 3 days of it. More than 30 % is the target.',
    direction: 'up',
    formula: { numerator: ['suggestions_accepted_3d'], denominator: ['suggestions_shown'] },
  },
  email_sent: {
    ...count,
    ...total,
    label: 'Emails sent',
    description: 'Distinct messages, each on the day it was first sent.',
    direction: 'none',
    formula: { value: ['emails_sent'] },
  },
  email_delivery_rate: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 3,
    label: 'Email delivery rate',
    description:
      'Share of the messages sent on the day that were delivered within 3 days of it. More than 95 % is the target.',
    direction: 'up',
    formula: { numerator: ['emails_delivered_3d'], denominator: ['emails_sent'] },
  },
  email_click_rate: {
    ...ratio,
    ...total,
    unit: 'fraction',
    maturityDays: 7,
    label: 'Email click rate',
    description:
      'Of the messages sent on the day and delivered within 7 days of it, the share that a person clicked in those days; several clicks are one, clicks of machines are none.',
    direction: 'up',
    formula: { numerator: ['emails_clicked_7d'], denominator: ['emails_delivered_7d'] },
  },
} as const satisfies Record<string, Metric>;
