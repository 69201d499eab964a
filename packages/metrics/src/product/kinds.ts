/** What is remembered of days, kind by kind: the tables that sql/days/<table>.sql derives from the events of a day. */

export interface DayKind {
  /** In the schema ops, and the file in sql/days. */
  readonly table: 'event_days' | 'user_days' | 'suggestion_days' | 'email_days';
  /** Whose marks of days have it derived anew. */
  readonly from: 'events' | 'event_user_days';
  /** Whom a row is about besides its day, and what it says. */
  readonly key: string | undefined;
  readonly says: readonly string[];
  /** The column that begins a life: its first day is the day that all of the life is told on. */
  readonly begins: string | undefined;
  /** Fact groups about the beginnings of a day, and about what came of them. */
  readonly beginnings: string | undefined;
  readonly outcomes: string | undefined;
}

export const DAY_KINDS: readonly DayKind[] = [
  {
    table: 'event_days',
    from: 'event_user_days',
    key: undefined,
    says: ['events'],
    begins: undefined,
    beginnings: undefined,
    outcomes: undefined,
  },
  {
    table: 'user_days',
    from: 'event_user_days',
    key: 'user_id',
    says: ['active', 'signed_up', 'activated'],
    begins: 'signed_up',
    beginnings: 'signups',
    outcomes: 'signup_cohorts',
  },
  {
    table: 'suggestion_days',
    from: 'events',
    key: 'suggestion_id',
    says: ['shown', 'accepted'],
    begins: 'shown',
    beginnings: 'suggestions',
    outcomes: 'suggestion_outcomes',
  },
  {
    table: 'email_days',
    from: 'events',
    key: 'email_id',
    says: ['sent', 'delivered', 'clicked'],
    begins: 'sent',
    beginnings: 'emails',
    outcomes: 'email_outcomes',
  },
];
