-- A metric that looks ahead (a cohort's value within 30 days) lacks a rate only when the amount without one lies within
-- what it looks at.

alter table ops.missing_rates add column after_days integer not null default 0 check (after_days >= 0);
comment on column ops.missing_rates.after_days is 'How many days after `day` the first amount without a rate comes; more than 0 only for facts that look ahead.';
