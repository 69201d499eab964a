/**
 * Facts of product use. They come from ops.user_days, ops.suggestion_days and ops.email_days, which product/days.ts
 * derives from the events and which name the days that changed.
 */
import { type FactGroup, over, within } from './define.ts';

export const PRODUCT_FACTS = {
  product_events: {
    area: 'product',
    tables: ['event_user_days'],
    columns: { events_tracked: 'count' },
  },
  active_users: {
    area: 'product',
    tables: ['user_days'],
    columns: { active_users: 'count' },
  },
  rolling_users: {
    area: 'product',
    tables: ['user_days'],
    columns: { active_users_7d: over('count', 7), active_users_30d: over('count', 30) },
  },
  signups: {
    area: 'product',
    tables: [],
    columns: { signups: 'count' },
  },
  signup_cohorts: {
    area: 'product',
    tables: [],
    columns: {
      activated_7d: within('count', 7),
      retained_d1: within('count', 1),
      retained_d7: within('count', 7),
      retained_d30: within('count', 30),
    },
  },
  suggestions: {
    area: 'product',
    tables: [],
    columns: { suggestions_shown: 'count' },
  },
  suggestion_outcomes: {
    area: 'product',
    tables: [],
    columns: { suggestions_accepted_3d: within('count', 3) },
  },
  emails: {
    area: 'product',
    tables: [],
    columns: { emails_sent: 'count' },
  },
  email_outcomes: {
    area: 'product',
    tables: [],
    columns: {
      emails_delivered_3d: within('count', 3),
      emails_delivered_7d: within('count', 7),
      emails_clicked_7d: within('count', 7),
    },
  },
} as const satisfies Record<string, FactGroup>;
