-- Changes of billing rows leave marks like those of any source row (I9). Row by row and not by statement: a webhook
-- writes one row at a time, for which transition tables cost far more. A trigger's condition is read anew, from its text,
-- in every statement: a long one is in the function instead. Only the platform's own live account is in metrics.

alter table ops.dirty_marks drop constraint dirty_marks_kind_check;
alter table ops.dirty_marks add constraint dirty_marks_kind_check
  check (kind in ('day', 'customer', 'order', 'refund', 'rate', 'user', 'subscription', 'subscriber', 'reference'));
comment on table ops.dirty_marks is 'What changed since metrics were computed. day: that day; customer (key shop/customer id; day and until of the changed orders, at: the earliest processed_at among them): the days of its orders when its first order may be another, and its cohort; order (key external_id): the days of its refunds; refund (key external_id of the order, day to until of the changed refunds): the order''s day and its customer''s cohort; rate (key currency, * for all; day to until): days with facts that need it; user (key user_id, event; day and until of the changed events, at: the earliest occurred_at among them): what follows from when this user did this event; subscription (key external_id): the days on which it turns out to be worth something else; subscriber (key Stripe customer id), reference (key of a price, discount or coupon): the same for the subscriptions that it is of.';

-- What a subscription's change touches is found by comparing its spans before and after, when metrics run.
create function ops.mark_subscription() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE'
    and (old.external_id, old.date, old.account, old.livemode, old.customer_id, old.status, old.currency, old.mrr, old.items, old.discounts,
      old.trial_start, old.trial_end, old.pause_behavior, old.cancel_at, old.cancel_at_period_end, old.current_period_end, old.ended_at,
      old.cancellation_reason)
    is not distinct from (new.external_id, new.date, new.account, new.livemode, new.customer_id, new.status, new.currency, new.mrr, new.items, new.discounts,
      new.trial_start, new.trial_end, new.pause_behavior, new.cancel_at, new.cancel_at_period_end, new.current_period_end, new.ended_at,
      new.cancellation_reason) then return null; end if;
  if tg_op <> 'DELETE' then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'subscriptions', new.external_id);
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.external_id <> new.external_id) then
    insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'subscriptions', old.external_id);
  end if;
  return null;
end
$$;

-- A payment counts on its day.
create function ops.mark_payment() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'DELETE' and new.account = 'default' and new.livemode then
    insert into ops.dirty_marks (kind, table_name, day) values ('day', 'payments', new.date);
  end if;
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.date <> new.date) then
    insert into ops.dirty_marks (kind, table_name, day) values ('day', 'payments', old.date);
  end if;
  return null;
end
$$;

-- An invoice says whether a trial was paid for; a deleted customer has no subscriptions any more.
create function ops.mark_invoice() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into ops.dirty_marks (kind, table_name, key) values ('subscription', 'invoices', 'stripe:' || new.subscription_id);
  return null;
end
$$;

create function ops.mark_subscriber() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and (old.deleted, case when old.deleted then old.version_at end)
    is not distinct from (new.deleted, case when new.deleted then new.version_at end) then return null; end if;
  insert into ops.dirty_marks (kind, table_name, key) values ('subscriber', 'billing_objects', new.object_id);
  return null;
end
$$;

-- What an event leaves out is looked up: another answer may be another value. What was unknown until the first answer is
-- valued anew where the answer is stored, and marked by that.
create function ops.mark_reference() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if new.type not in ('price', 'coupon', 'discount') then return null; end if;
  insert into ops.dirty_marks (kind, table_name, key) values ('reference', 'billing_objects', new.object_id);
  return null;
end
$$;

create function ops.mark_all_billing() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_table_name = 'payments' then
    insert into ops.dirty_marks (kind, table_name, day) select distinct 'day', 'payments', date from public.payments;
  else
    insert into ops.dirty_marks (kind, table_name, key) select distinct 'subscription', tg_table_name, external_id from public.subscriptions;
  end if;
  return null;
end
$$;

create trigger mark_insert after insert on public.subscriptions for each row
  when (new.account = 'default' and new.livemode) execute function ops.mark_subscription();
create trigger mark_update after update on public.subscriptions for each row execute function ops.mark_subscription();
create trigger mark_delete after delete on public.subscriptions for each row execute function ops.mark_subscription();
create trigger mark_truncate before truncate on public.subscriptions for each statement execute function ops.mark_all_billing();

create trigger mark_insert after insert on public.payments for each row
  when (new.counted and new.account = 'default' and new.livemode) execute function ops.mark_payment();
create trigger mark_update after update on public.payments for each row
  when ((old.date, old.account, old.livemode, old.kind, old.currency, old.amount, old.counted)
    is distinct from (new.date, new.account, new.livemode, new.kind, new.currency, new.amount, new.counted))
  execute function ops.mark_payment();
create trigger mark_delete after delete on public.payments for each row execute function ops.mark_payment();
create trigger mark_truncate before truncate on public.payments for each statement execute function ops.mark_all_billing();

create trigger mark_insert after insert on public.invoices for each row
  when (new.subscription_id is not null and new.amount_paid > 0) execute function ops.mark_invoice();
create trigger mark_update after update on public.invoices for each row
  when (new.subscription_id is not null
    and (old.subscription_id, old.amount_paid, old.paid_at) is distinct from (new.subscription_id, new.amount_paid, new.paid_at))
  execute function ops.mark_invoice();
create trigger mark_truncate before truncate on public.invoices for each statement execute function ops.mark_all_billing();

create trigger mark_customer_insert after insert on public.billing_objects for each row
  when (new.type = 'customer' and new.deleted) execute function ops.mark_subscriber();
create trigger mark_customer_update after update on public.billing_objects for each row
  when (new.type = 'customer') execute function ops.mark_subscriber();
create trigger mark_reference_update after update on public.billing_objects for each row
  when (old.data is distinct from new.data) execute function ops.mark_reference();

revoke execute on function ops.mark_subscription(), ops.mark_payment(), ops.mark_invoice(), ops.mark_subscriber(), ops.mark_reference(),
  ops.mark_all_billing() from public, anon, authenticated;
