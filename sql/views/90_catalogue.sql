-- grain: one row per (view, column), and one per view with column_name NULL
create or replace view catalogue as
select
    v.view_name,
    null::varchar as column_name,
    null::varchar as data_type,
    0 as position,
    v.comment as description
from duckdb_views() as v
where not v.internal and v.schema_name = current_schema()
union all
select
    c.table_name as view_name,
    c.column_name,
    c.data_type,
    c.column_index as position,
    c.comment as description
from duckdb_columns() as c
inner join duckdb_views() as v
    on
        c.table_name = v.view_name
        and c.schema_name = v.schema_name
        and c.database_name = v.database_name
where not v.internal and v.schema_name = current_schema();

comment on view catalogue is
'Every view and what its columns mean.';
comment on column catalogue.view_name is
'The view.';
comment on column catalogue.column_name is
'The column; NULL for the view itself.';
comment on column catalogue.data_type is
'The column''s type.';
comment on column catalogue.position is
'Place of the column; 0 for the view itself.';
comment on column catalogue.description is
'What it means.';
