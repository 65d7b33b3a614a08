-- The SQL standard's catalogue: the same, in its own words.

create view info.schemata as
select
    'duckpost' as catalog_name,
    n.nspname as schema_name,
    'duckpost' as schema_owner,
    null::varchar as default_character_set_catalog,
    null::varchar as default_character_set_schema,
    null::varchar as default_character_set_name,
    null::varchar as sql_path
from pg.pg_namespace as n;

create view info.tables as
select
    'duckpost' as table_catalog,
    n.nspname as table_schema,
    k.relname as table_name,
    'VIEW' as table_type,
    null::varchar as self_referencing_column_name,
    null::varchar as reference_generation,
    null::varchar as user_defined_type_catalog,
    null::varchar as user_defined_type_schema,
    null::varchar as user_defined_type_name,
    'NO' as is_insertable_into,
    'NO' as is_typed,
    null::varchar as commit_action
from pg.pg_class as k
inner join pg.pg_namespace as n on k.relnamespace = n.oid;

create view info.views as
select
    'duckpost' as table_catalog,
    n.nspname as table_schema,
    k.relname as table_name,
    null::varchar as view_definition,
    'NONE' as check_option,
    'NO' as is_updatable,
    'NO' as is_insertable_into,
    'NO' as is_trigger_updatable,
    'NO' as is_trigger_deletable,
    'NO' as is_trigger_insertable_into
from pg.pg_class as k
inner join pg.pg_namespace as n on k.relnamespace = n.oid;

create view info.columns as
select
    'duckpost' as table_catalog,
    n.nspname as table_schema,
    k.relname as table_name,
    a.attname as column_name,
    a.attnum::integer as ordinal_position,
    null::varchar as column_default,
    'YES' as is_nullable,
    case when t.typelem > 0 then 'ARRAY' else own.standard_name(t.typname) end
        as data_type,
    null::integer as character_maximum_length,
    null::integer as character_octet_length,
    case t.typname
        when 'int2' then 16
        when 'int4' then 32
        when 'int8' then 64
        when 'float8' then 53
        when 'numeric'
            then case when a.atttypmod > 0 then (a.atttypmod - 4) >> 16 end
    end::integer as numeric_precision,
    case
        when t.typcategory = 'N' and t.typname <> 'numeric' then 2
        when t.typname = 'numeric' then 10
    end::integer as numeric_precision_radix,
    case
        when t.typname in ('int2', 'int4', 'int8') then 0
        when t.typname = 'numeric' and a.atttypmod > 0
            then (a.atttypmod - 4) & 65535
    end::integer as numeric_scale,
    case when t.typcategory = 'D' then 6 end::integer as datetime_precision,
    null::varchar as interval_type,
    null::integer as interval_precision,
    null::varchar as character_set_catalog,
    null::varchar as character_set_schema,
    null::varchar as character_set_name,
    null::varchar as collation_catalog,
    null::varchar as collation_schema,
    null::varchar as collation_name,
    null::varchar as domain_catalog,
    null::varchar as domain_schema,
    null::varchar as domain_name,
    'duckpost' as udt_catalog,
    'pg_catalog' as udt_schema,
    t.typname as udt_name,
    'NO' as is_identity,
    null::varchar as identity_generation,
    'NEVER' as is_generated,
    null::varchar as generation_expression,
    'NO' as is_updatable
from pg.pg_attribute as a
inner join pg.pg_class as k on a.attrelid = k.oid
inner join pg.pg_namespace as n on k.relnamespace = n.oid
inner join pg.pg_type as t on a.atttypid = t.oid;

create view info.routines as
select
    'duckpost' as specific_catalog,
    n.nspname as specific_schema,
    p.proname as specific_name,
    'duckpost' as routine_catalog,
    n.nspname as routine_schema,
    p.proname as routine_name,
    'FUNCTION' as routine_type,
    'text' as data_type
from pg.pg_proc as p
inner join pg.pg_namespace as n on p.pronamespace = n.oid;

create table info.table_constraints (
    constraint_catalog varchar,
    constraint_schema varchar,
    constraint_name varchar,
    table_catalog varchar,
    table_schema varchar,
    table_name varchar,
    constraint_type varchar,
    is_deferrable varchar,
    initially_deferred varchar
);

create table info.key_column_usage (
    constraint_catalog varchar,
    constraint_schema varchar,
    constraint_name varchar,
    table_catalog varchar,
    table_schema varchar,
    table_name varchar,
    column_name varchar,
    ordinal_position integer,
    position_in_unique_constraint integer
);

create table info.referential_constraints (
    constraint_catalog varchar,
    constraint_schema varchar,
    constraint_name varchar,
    unique_constraint_catalog varchar,
    unique_constraint_schema varchar,
    unique_constraint_name varchar,
    match_option varchar,
    update_rule varchar,
    delete_rule varchar
);

create table info.constraint_column_usage (
    table_catalog varchar,
    table_schema varchar,
    table_name varchar,
    column_name varchar,
    constraint_catalog varchar,
    constraint_schema varchar,
    constraint_name varchar
);

create table info.sequences (
    sequence_catalog varchar,
    sequence_schema varchar,
    sequence_name varchar,
    data_type varchar
);
