-- grain: one row per (event_date, account, region, configuration_set, provider,
-- authority, metric)
create or replace view reconciliation as
select
    r.event_date,
    r.account,
    r.region,
    r.configuration_set,
    r.provider,
    r.authority,
    r.metric,
    r.ours,
    r.theirs,
    r.theirs - r.ours as difference,
    rate(abs(r.theirs - r.ours), greatest(r.ours, r.theirs)) as difference_rate,
    r.reasons,
    coalesce(r.theirs = r.ours, false) as is_equal,
    not list_contains(r.reasons, 'unexplained') as is_explained,
    r.reconciled_at
from reconciliations as r;

comment on view reconciliation is
'Our daily figures beside AWS''s own, as duckpost reconcile last found them, and why they differ where that is known.';
comment on column reconciliation.event_date is
'UTC day, as AWS counts days.';
comment on column reconciliation.account is
'AWS account that was asked.';
comment on column reconciliation.region is
'AWS region that was asked.';
comment on column reconciliation.configuration_set is
'Configuration set; NULL for the whole account or a provider.';
comment on column reconciliation.provider is
'Mailbox provider; NULL for the whole account or a configuration set.';
comment on column reconciliation.authority is
'Whose figure it is: vdm (BatchGetMetricData) or cloudwatch (AWS/SES).';
comment on column reconciliation.metric is
'The metric, as the authority names it.';
comment on column reconciliation.ours is
'What duckpost counts by that authority''s rules.';
comment on column reconciliation.theirs is
'What AWS counts; NULL where it has no figure.';
comment on column reconciliation.difference is
'theirs - ours.';
comment on column reconciliation.difference_rate is
'The difference as a share of the larger of both.';
comment on column reconciliation.reasons is
'What accounts for the difference; unexplained where nothing known does.';
comment on column reconciliation.is_equal is
'Whether both are the same.';
comment on column reconciliation.is_explained is
'Whether there is no difference, or one whose reason is known.';
comment on column reconciliation.reconciled_at is
'When AWS was asked (UTC).';
