-- grain: one row per (account, region, configuration_set)
create or replace view configuration_sets as
with named as (
    select distinct
        p.account,
        p.region,
        p.configuration_set
    from event_publication as p
)

select
    n.account,
    n.region,
    n.configuration_set,
    coalesce(n.configuration_set, '(none)') as configuration_set_name,
    case
        when
            count(*) over (partition by n.configuration_set) = 1
            then coalesce(n.configuration_set, '(none)')
        else concat_ws(
            ' · ', coalesce(n.configuration_set, '(none)'), n.account, n.region
        )
    end as configuration_set_label
from named as n;

comment on view configuration_sets is
'Every configuration set that mail was sent with, mail without one included.';
comment on column configuration_sets.account is
'AWS account that sent.';
comment on column configuration_sets.region is
'AWS region that sent.';
comment on column configuration_sets.configuration_set is
'Configuration set; NULL for mail without one.';
comment on column configuration_sets.configuration_set_name is
'The configuration set, or (none): for labels.';
comment on column configuration_sets.configuration_set_label is
'Its name, (none) for mail without one; with account and region where another has the same name.';
