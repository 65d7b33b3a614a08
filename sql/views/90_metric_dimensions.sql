-- grain: one row per (metric, dimension)
create or replace view metric_dimensions as
select
    m.metric,
    d.dimension,
    list_contains(m.dimension_groups, d.dimension_group) as is_answered
from metric_catalogue as m
cross join dimension_catalogue as d;

comment on view metric_dimensions is
'The matrix of figures and what they can be grouped by. Outside it the dimension is empty for all of the figure or for a part that nothing tells.';
comment on column metric_dimensions.metric is
'Count or rate of metric_catalogue.';
comment on column metric_dimensions.dimension is
'Column of event_tallies, from dimension_catalogue.';
comment on column metric_dimensions.is_answered is
'Whether all of the figure has the dimension: a link has no deliveries, an outgoing address no sends, and an Open of mail to several has no provider.';
