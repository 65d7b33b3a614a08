-- grain: one row per (dimension)
create or replace view dimension_catalogue as
select
    d.dimension,
    d.dimension_group
from (
    values
    ('account', 'message'),
    ('region', 'message'),
    ('configuration_set', 'message'),
    ('identity', 'message'),
    ('identity_account', 'message'),
    ('tenant', 'message'),
    ('from_domain', 'message'),
    ('caller_identity', 'message'),
    ('source_ip', 'message'),
    ('source_tls_version', 'message'),
    ('tags', 'message'),
    ('recipient_domain', 'recipient'),
    ('provider', 'recipient'),
    ('bounce_type', 'bounce'),
    ('bounce_sub_type', 'bounce'),
    ('bounce_kind', 'bounce'),
    ('bounce_class', 'bounce'),
    ('status', 'bounce'),
    ('outgoing_ip', 'outgoing'),
    ('outgoing_tls_version', 'outgoing'),
    ('link', 'link'),
    ('link_tags', 'link')
) as d (dimension, dimension_group);

comment on view dimension_catalogue is
'Columns of event_tallies to group by. A metric that lacks the group has no figure there: a link has no deliveries, an outgoing address no sends.';
comment on column dimension_catalogue.dimension is
'Column of event_tallies.';
comment on column dimension_catalogue.dimension_group is
'The metrics that have it name this group in metric_catalogue.';
