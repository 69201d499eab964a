-- When a refund was processed: its business day can be told again when the reporting time zone changes.

alter table public.refunds add column processed_at timestamptz;
comment on column public.refunds.processed_at is 'When it was processed; date is its business day. Null for refunds read before this column existed.';
