-- Who may read (design: raw tables and ops are for the service role alone). On Supabase every signed-in end user of the
-- product is `authenticated`, and default privileges grant new tables to it: take that back and turn row security on.

do $$
declare
  t record;
begin
  for t in select schemaname, tablename from pg_tables where schemaname = 'ops'
    or (schemaname = 'public' and tablename in ('spend', 'orders', 'order_items', 'refunds', 'fx_rates'))
  loop
    execute format('alter table %I.%I enable row level security', t.schemaname, t.tablename);
    execute format('revoke all on %I.%I from public, anon, authenticated', t.schemaname, t.tablename);
    execute format('grant select, insert, update, delete on %I.%I to service_role', t.schemaname, t.tablename);
  end loop;
end
$$;

revoke all on schema ops from public, anon, authenticated;
grant usage on schema ops to service_role;
alter default privileges in schema ops grant select, insert, update, delete on tables to service_role;
