-- The runs of a backfill that is not done are told by the runs themselves: kept in the agent's state they filled its 10 KB
-- when many accounts were backfilled often. A backfill that is not done when this is applied reads all its days.

alter table ops.runs add column unfinished_backfill text;
comment on column ops.runs.unfinished_backfill is 'The backfill that this run has read days for (source, account if it was for one, from..to), until all of it is done or the run is too old; then null.';
create index runs_unfinished_backfill_idx on ops.runs (unfinished_backfill) where unfinished_backfill is not null;

delete from ops.agent_state where key like 'backfill %';
