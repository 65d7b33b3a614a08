-- What is published, as PostgreSQL's catalogue tells it: views in the schema public,
-- and in the schema my what users made.

-- grain: one row per schema
create table pg.pg_namespace as
select
    v.oid::uinteger as oid,
    v.nspname,
    10::uinteger as nspowner,
    null::varchar[] as nspacl
from (
    values (11, 'pg_catalog'),
    (2200, 'public'),
    (13000, 'information_schema'),
    (16000, 'my')
) as v (oid, nspname);

-- grain: one row per relation
create table pg.pg_class as
select
    (16384 + row_number() over (order by r.schema desc, r.name asc))::uinteger as oid,
    r.name as relname,
    n.oid as relnamespace,
    0::uinteger as reltype,
    0::uinteger as reloftype,
    10::uinteger as relowner,
    0::uinteger as relam,
    0::uinteger as relfilenode,
    0::uinteger as reltablespace,
    0 as relpages,
    -1::float as reltuples,
    0 as relallvisible,
    0::uinteger as reltoastrelid,
    false as relhasindex,
    false as relisshared,
    'p' as relpersistence,
    'v' as relkind,
    (
        select count(*) from own.columns as c
        where c.schema = r.schema and c.relation = r.name)::smallint
        as relnatts,
    0::smallint as relchecks,
    false as relhasrules,
    false as relhastriggers,
    false as relhassubclass,
    false as relrowsecurity,
    false as relforcerowsecurity,
    true as relispopulated,
    'n' as relreplident,
    false as relispartition,
    0::uinteger as relrewrite,
    0::uinteger as relfrozenxid,
    0::uinteger as relminmxid,
    false as relhasoids,
    null::varchar[] as relacl,
    null::varchar[] as reloptions,
    null::varchar as relpartbound,
    0::uinteger as tableoid
from own.relations as r
inner join pg.pg_namespace as n on r.schema = n.nspname;

-- grain: one row per column of a relation
create table pg.pg_attribute as
select
    k.oid as attrelid,
    c.name as attname,
    t.oid as atttypid,
    -1 as attstattarget,
    t.typlen as attlen,
    c.position::smallint as attnum,
    case when t.typelem > 0 then 1 else 0 end as attndims,
    -1 as attcacheoff,
    case
        when c.data_type like 'DECIMAL(%'
            then (
                (
                    (regexp_extract(c.data_type, '\((\d+),(\d+)\)', 1)::integer << 16)
                    | regexp_extract(c.data_type, '\((\d+),(\d+)\)', 2)::integer
                ) + 4
            )::integer
        else -1
    end as atttypmod,
    t.typbyval as attbyval,
    t.typalign as attalign,
    t.typstorage as attstorage,
    '' as attcompression,
    false as attnotnull,
    false as atthasdef,
    false as atthasmissing,
    '' as attidentity,
    '' as attgenerated,
    false as attisdropped,
    true as attislocal,
    0 as attinhcount,
    t.typcollation as attcollation,
    null::varchar[] as attacl,
    null::varchar[] as attoptions,
    null::varchar[] as attfdwoptions,
    null::varchar as attmissingval
from own.columns as c
inner join pg.pg_namespace as n on c.schema = n.nspname
inner join pg.pg_class as k
    on c.relation = k.relname and n.oid = k.relnamespace
inner join pg.pg_type as t on t.typname = own.pg_type_name(c.data_type);

-- grain: one row per comment
create table pg.pg_description as
select
    k.oid as objoid,
    1259::uinteger as classoid,
    0 as objsubid,
    r.comment as description
from own.relations as r
inner join pg.pg_namespace as n on r.schema = n.nspname
inner join pg.pg_class as k on r.name = k.relname and n.oid = k.relnamespace
where r.comment is not null
union all
select
    k.oid,
    1259::uinteger,
    c.position,
    c.comment
from own.columns as c
inner join pg.pg_namespace as n on c.schema = n.nspname
inner join pg.pg_class as k
    on c.relation = k.relname and n.oid = k.relnamespace
where c.comment is not null;

-- grain: one row per database: there is one
create table pg.pg_database as
select
    16383::uinteger as oid,
    'duckpost' as datname,
    10::uinteger as datdba,
    6 as encoding,
    'c' as datlocprovider,
    false as datistemplate,
    true as datallowconn,
    -1 as datconnlimit,
    0::uinteger as datfrozenxid,
    0::uinteger as datminmxid,
    1663::uinteger as dattablespace,
    'C' as datcollate,
    'C' as datctype,
    null::varchar as daticulocale,
    null::varchar as datcollversion,
    null::varchar[] as datacl;

-- grain: one row per role; who may connect is not told
create table pg.pg_roles as
select
    v.oid::uinteger as oid,
    v.rolname,
    false as rolsuper,
    true as rolinherit,
    false as rolcreaterole,
    false as rolcreatedb,
    v.rolname <> 'duckpost' as rolcanlogin,
    false as rolreplication,
    -1 as rolconnlimit,
    '********' as rolpassword,
    null::timestamptz as rolvaliduntil,
    false as rolbypassrls,
    null::varchar[] as rolconfig
from (values (10, 'duckpost')) as v (oid, rolname);

create view pg.pg_user as
select
    r.rolname as usename,
    r.oid as usesysid,
    false as usecreatedb,
    false as usesuper,
    false as userepl,
    false as usebypassrls,
    '********' as passwd,
    null::timestamptz as valuntil,
    null::varchar[] as useconfig
from pg.pg_roles as r;

create view pg.pg_authid as select r.* from pg.pg_roles as r;

-- grain: one row per setting that programs look at before they go on
create table pg.pg_settings as
select
    v.name,
    v.setting,
    null::varchar as unit,
    'duckpost' as category,
    '' as short_desc,
    null::varchar as extra_desc,
    'internal' as context,
    'string' as vartype,
    'default' as source,
    null::varchar as min_val,
    null::varchar as max_val,
    null::varchar[] as enumvals,
    v.setting as boot_val,
    v.setting as reset_val,
    false as pending_restart
from (
    values
    ('server_version', '15.0'),
    ('server_version_num', '150000'),
    ('server_encoding', 'UTF8'),
    ('client_encoding', 'UTF8'),
    ('standard_conforming_strings', 'on'),
    ('integer_datetimes', 'on'),
    ('is_superuser', 'off'),
    ('transaction_read_only', 'on'),
    ('default_transaction_read_only', 'on'),
    ('transaction_isolation', 'read committed'),
    ('default_transaction_isolation', 'read committed'),
    ('search_path', '"$user", public'),
    ('TimeZone', 'UTC'),
    ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'),
    ('bytea_output', 'hex'),
    ('lc_collate', 'C'),
    ('lc_ctype', 'C'),
    ('max_identifier_length', '63'),
    ('max_index_keys', '32'),
    ('extra_float_digits', '1'),
    ('statement_timeout', '0'),
    ('jit', 'off')
) as v (name, setting);

-- grain: one row per function that is published beside DuckDB's own
create table pg.pg_proc as
select
    (20000 + row_number() over (order by f.schema desc, f.name asc))::uinteger as oid,
    f.name as proname,
    n.oid as pronamespace,
    10::uinteger as proowner,
    14::uinteger as prolang,
    1::float as procost,
    0::float as prorows,
    0::uinteger as provariadic,
    '-' as prosupport,
    'f' as prokind,
    false as prosecdef,
    false as proleakproof,
    false as proisstrict,
    f.is_table as proretset,
    'i' as provolatile,
    's' as proparallel,
    len(f.parameters)::smallint as pronargs,
    0::smallint as pronargdefaults,
    25::uinteger as prorettype,
    -- an oidvector, whose text is so
    rtrim(repeat('25 ', len(f.parameters))) as proargtypes,
    null::uinteger[] as proallargtypes,
    null::varchar[] as proargmodes,
    f.parameters as proargnames,
    '' as prosrc,
    null::varchar[] as proacl
from own.functions as f
inner join pg.pg_namespace as n on f.schema = n.nspname;

-- grain: one row per language
create table pg.pg_language as
select
    14::uinteger as oid,
    'sql' as lanname,
    10::uinteger as lanowner,
    false as lanispl,
    true as lanpltrusted;

-- grain: one row per access method
create table pg.pg_am as
select
    2::uinteger as oid,
    'heap' as amname,
    't' as amtype;

-- grain: one row per collation
create table pg.pg_collation as
select
    100::uinteger as oid,
    'default' as collname,
    11::uinteger as collnamespace,
    10::uinteger as collowner,
    'd' as collprovider,
    true as collisdeterministic,
    -1 as collencoding,
    'C' as collcollate,
    'C' as collctype;

-- grain: one row per tablespace
create table pg.pg_tablespace as
select
    1663::uinteger as oid,
    'pg_default' as spcname,
    10::uinteger as spcowner,
    null::varchar[] as spcacl,
    null::varchar[] as spcoptions;

create view pg.pg_tables as
select
    ''::varchar as schemaname,
    ''::varchar as tablename,
    ''::varchar as tableowner,
    ''::varchar as tablespace,
    false as hasindexes,
    false as hasrules,
    false as hastriggers,
    false as rowsecurity
where false;

create view pg.pg_views as
select
    n.nspname as schemaname,
    k.relname as viewname,
    'duckpost' as viewowner,
    null::varchar as definition
from pg.pg_class as k
inner join pg.pg_namespace as n on k.relnamespace = n.oid;

create view pg.pg_matviews as
select
    ''::varchar as schemaname,
    ''::varchar as matviewname,
    ''::varchar as matviewowner,
    ''::varchar as tablespace,
    false as hasindexes,
    false as ispopulated,
    ''::varchar as definition
where false;
