-- What the product metrics remember of days: who was active, what was shown and sent, derived from the events of a day
-- whenever that day changes. They are small beside the events, answer every question that looks across days by an index,
-- tell by comparison whom a changed day touches, and outlive the months of events that retention takes out.

create table ops.product_settings (
  only_row boolean primary key default true check (only_row),
  -- Patterns of LIKE over event names.
  qualifying text[] not null,
  not_qualifying text[] not null,
  signup_event text not null,
  activation_event text not null,
  updated_at timestamptz not null default now()
);
comment on table ops.product_settings is 'Which events make a user active, signed up, activated. Written by every metrics run from its configuration; another one has every day derived anew.';

create table ops.event_days (
  day date primary key,
  events numeric not null
);
comment on table ops.event_days is 'How many events a business day had.';

create table ops.user_days (
  user_id text not null,
  day date not null,
  -- Did something that qualifies.
  active boolean not null,
  signed_up boolean not null,
  activated boolean not null,
  primary key (user_id, day)
);
comment on table ops.user_days is 'What an identified user did on a business day, as the product settings say; no row for a day with nothing of it.';
create index user_days_day_idx on ops.user_days (day, user_id) include (active);
create index user_days_signups_idx on ops.user_days (day, user_id) where signed_up;
create index user_days_first_signup_idx on ops.user_days (user_id, day) where signed_up;

create table ops.suggestion_days (
  suggestion_id text not null,
  day date not null,
  shown boolean not null,
  accepted boolean not null,
  primary key (suggestion_id, day)
);
comment on table ops.suggestion_days is 'What happened to a suggestion on a business day.';
create index suggestion_days_day_idx on ops.suggestion_days (day, suggestion_id);

create table ops.email_days (
  email_id text not null,
  day date not null,
  sent boolean not null,
  delivered boolean not null,
  -- By a person: clicks of machines that follow every link are none.
  clicked boolean not null,
  primary key (email_id, day)
);
comment on table ops.email_days is 'What happened to a sent message on a business day.';
create index email_days_day_idx on ops.email_days (day, email_id);

do $$
declare
  t text;
begin
  foreach t in array array['product_settings', 'event_days', 'user_days', 'suggestion_days', 'email_days'] loop
    execute format('alter table ops.%I enable row level security', t);
    execute format('revoke all on ops.%I from public, anon, authenticated', t);
    execute format('grant select, insert, update, delete on ops.%I to service_role', t);
  end loop;
end
$$;
