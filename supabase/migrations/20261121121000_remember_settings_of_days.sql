-- Some settings decide what stored figures count, such as the action that is a conversion. A day remembers those it was
-- read with, so that a change that reaches only the days read since is told.

alter table ops.coverage add column settings jsonb;
comment on column ops.coverage.settings is 'The environment variables that the rows of the day were made with, and their values at that reading; null where the stream names none, or it was before this was remembered: that differs from nothing.';
