-- Who asked to be erased stays erased: a later reading of the same orders is anonymised again, in the same statement's
-- transaction. The customer is known by a digest alone.

create table ops.erasures (
  customer_digest text primary key,
  pseudonym text not null unique,
  shop text not null,
  erased_at timestamptz not null,
  run_id uuid
);
comment on table ops.erasures is 'A customer who was erased: sha256 of shop/customer id, and the random name under which the orders keep belonging together.';

alter table ops.erasures enable row level security;
revoke all on ops.erasures from public, anon, authenticated;
grant select, insert, update, delete on ops.erasures to service_role;

create function ops.customer_digest(shop text, customer_id text) returns text
language sql immutable
return encode(sha256(convert_to(shop || '/' || customer_id, 'UTF8')), 'hex');

create function ops.keep_erased() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- An update fires the trigger of statements again, also when it finds no row: so it has to be asked first.
  if exists (select 1 from ops.erasures) and exists (
    select 1 from new_rows n join ops.erasures e on e.customer_digest = ops.customer_digest(n.shop, n.customer_id)
  ) then
    update public.orders o
    set customer_id = e.pseudonym, order_name = 'erased', landing_page = null, utm_source = null, utm_medium = null, utm_campaign = null
    from new_rows n join ops.erasures e on e.customer_digest = ops.customer_digest(n.shop, n.customer_id)
    where o.external_id = n.external_id;
  end if;
  return null;
end
$$;
create trigger keep_erased_insert after insert on public.orders referencing new table as new_rows
  for each statement execute function ops.keep_erased();
create trigger keep_erased_update after update on public.orders referencing new table as new_rows
  for each statement execute function ops.keep_erased();

revoke execute on function ops.keep_erased(), ops.customer_digest(text, text) from public, anon, authenticated;
grant execute on function ops.customer_digest(text, text) to service_role;
