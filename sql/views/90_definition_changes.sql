-- grain: one row per metric that a version of the definitions changed
-- A new version gets a row for each metric here, beside its entry in the changelog.
create or replace view definition_changes as
select
    c.version,
    c.metric,
    c.what_changed,
    f.value::timestamp as taken_up_at
from
    (
        values
        (1, 'all', 'the first definitions')
    ) as c (version, metric, what_changed)
left join warehouse_facts as f
    on f.name = 'definitions_' || c.version || '_since';

comment on view definition_changes is
'What each version of the definitions changed. Views follow the newest, for all of history.';
comment on column definition_changes.version is 'Version of the definitions.';
comment on column definition_changes.metric is 'Metric it changed; all for every one.';
comment on column definition_changes.what_changed is 'What it counts now, and what before.';
comment on column definition_changes.taken_up_at is
'When this warehouse took the version up, UTC; NULL for one that it never had.';
