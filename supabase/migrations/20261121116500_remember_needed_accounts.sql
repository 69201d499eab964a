-- Which accounts a day has to have been read of, whoever computes it: a command that runs where fewer sources are
-- configured would take the others for not needed, and call days final that they are missing from.

create table ops.needed_accounts (
  source text not null,
  account_id text not null,
  stream text not null,
  run_id uuid,
  noted_at timestamptz not null default now(),
  primary key (source, account_id, stream)
);
comment on table ops.needed_accounts is 'The accounts and streams that days wait for. Every run adds what its environment configures; only a run of all sources takes out what it no longer does.';

alter table ops.needed_accounts enable row level security;
revoke all on ops.needed_accounts from public, anon, authenticated;
grant select, insert, update, delete on ops.needed_accounts to service_role;

-- Until the next run of all sources: what was read in the last week before the latest reading.
insert into ops.needed_accounts (source, account_id, stream)
select source, account_id, stream from ops.coverage
where source <> 'fx' and read_at > (select max(read_at) from ops.coverage where source <> 'fx') - interval '7 days'
group by source, account_id, stream;
