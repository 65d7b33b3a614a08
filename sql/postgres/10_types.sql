-- PostgreSQL's types, for what looks them up: those that results and parameters have.

-- grain: one row per type
create table pg.pg_type as
with scalars as (
    select
        t.oid,
        t.typname,
        t.typlen,
        t.typcategory,
        t.typarray
    from (
        values
        (16, 'bool', 1, 'B', 1000),
        (17, 'bytea', -1, 'U', 1001),
        (18, 'char', 1, 'Z', 1002),
        (19, 'name', 64, 'S', 1003),
        (20, 'int8', 8, 'N', 1016),
        (21, 'int2', 2, 'N', 1005),
        (23, 'int4', 4, 'N', 1007),
        (24, 'regproc', 4, 'N', 1008),
        (25, 'text', -1, 'S', 1009),
        (26, 'oid', 4, 'N', 1028),
        (114, 'json', -1, 'U', 199),
        (700, 'float4', 4, 'N', 1021),
        (701, 'float8', 8, 'N', 1022),
        (1042, 'bpchar', -1, 'S', 1014),
        (1043, 'varchar', -1, 'S', 1015),
        (1082, 'date', 4, 'D', 1182),
        (1083, 'time', 8, 'D', 1183),
        (1114, 'timestamp', 8, 'D', 1115),
        (1184, 'timestamptz', 8, 'D', 1185),
        (1186, 'interval', 16, 'T', 1187),
        (1700, 'numeric', -1, 'N', 1231),
        (2205, 'regclass', 4, 'N', 2210),
        (2206, 'regtype', 4, 'N', 2211),
        (2950, 'uuid', 16, 'U', 2951),
        (3802, 'jsonb', -1, 'U', 3807)
    ) as t (oid, typname, typlen, typcategory, typarray)
),

everything as (
    select
        s.oid,
        s.typname,
        s.typlen,
        s.typcategory,
        s.typarray,
        0 as typelem
    from scalars as s
    union all
    select
        s.typarray as oid,
        '_' || s.typname as typname,
        -1 as typlen,
        'A' as typcategory,
        0 as typarray,
        s.oid as typelem
    from scalars as s
    union all
    select
        v.oid,
        v.typname,
        4 as typlen,
        'P' as typcategory,
        0 as typarray,
        0 as typelem
    from (values (2278, 'void'), (2249, 'record'), (705, 'unknown')) as v (oid, typname)
)

select
    e.oid::uinteger as oid,
    e.typname,
    11::uinteger as typnamespace,
    10::uinteger as typowner,
    e.typlen::smallint as typlen,
    e.typlen between 1 and 8 as typbyval,
    case when e.typcategory = 'P' then 'p' else 'b' end as typtype,
    e.typcategory,
    e.typname in ('text', 'float8', 'bool', 'timestamptz') as typispreferred,
    true as typisdefined,
    ',' as typdelim,
    0::uinteger as typrelid,
    case when e.typelem > 0 then 'array_subscript_handler' else '-' end as typsubscript,
    e.typelem::uinteger as typelem,
    e.typarray::uinteger as typarray,
    case when e.typelem > 0 then 'array_in' else e.typname || 'in' end as typinput,
    case when e.typelem > 0 then 'array_out' else e.typname || 'out' end as typoutput,
    case when e.typelem > 0 then 'array_recv' else e.typname || 'recv' end
        as typreceive,
    case when e.typelem > 0 then 'array_send' else e.typname || 'send' end as typsend,
    '-' as typmodin,
    '-' as typmodout,
    '-' as typanalyze,
    'i' as typalign,
    case when e.typlen > 0 then 'p' else 'x' end as typstorage,
    false as typnotnull,
    0::uinteger as typbasetype,
    -1 as typtypmod,
    0 as typndims,
    case when e.typcategory = 'S' then 100 else 0 end::uinteger as typcollation,
    null::varchar as typdefaultbin,
    null::varchar as typdefault,
    null::varchar[] as typacl
from everything as e;

-- A type by DuckDB's name, without what stands in parentheses.
create macro own.pg_scalar_name(data_type) as (
    case
        when data_type like 'DECIMAL%' then 'numeric'
        else coalesce(
            map {
                'BOOLEAN': 'bool', 'TINYINT': 'int2', 'SMALLINT': 'int2',
                'UTINYINT': 'int2', 'USMALLINT': 'int4', 'INTEGER': 'int4',
                'UINTEGER': 'oid', 'BIGINT': 'int8', 'UBIGINT': 'numeric',
                'HUGEINT': 'numeric', 'UHUGEINT': 'numeric', 'FLOAT': 'float4',
                'DOUBLE': 'float8', 'BLOB': 'bytea', 'DATE': 'date', 'TIME': 'time',
                'TIMESTAMP': 'timestamp', 'TIMESTAMP_S': 'timestamp',
                'TIMESTAMP_MS': 'timestamp', 'TIMESTAMP_NS': 'timestamp',
                'TIMESTAMP WITH TIME ZONE': 'timestamptz', 'INTERVAL': 'interval',
                'UUID': 'uuid', 'JSON': 'json'
            }[data_type],
            'text'
        )
    end
);

create macro own.pg_type_name(data_type) as (
    case
        when data_type like 'MAP(%' or data_type like 'STRUCT(%' then 'json'
        when data_type like '%[]' then '_' || own.pg_scalar_name(data_type[:-3])
        else own.pg_scalar_name(data_type)
    end
);

-- A type as the SQL standard writes it.
create macro own.standard_name(name) as (
    coalesce(
        map {
            'bool': 'boolean', 'int2': 'smallint', 'int4': 'integer', 'int8': 'bigint',
            'float4': 'real', 'float8': 'double precision',
            'timestamp': 'timestamp without time zone',
            'timestamptz': 'timestamp with time zone', 'time': 'time without time zone',
            'varchar': 'character varying', 'bpchar': 'character', 'char': '"char"'
        }[name],
        name
    )
);

create macro pg.format_type(type_oid, typmod) as (
    (
        select
            own.standard_name(ltrim(found_t.typname, '_'))
            || case
                when found_t.typname = 'numeric' and typmod > 4
                    then printf(
                        '(%d,%d)',
                        ((typmod - 4) >> 16)::integer,
                        ((typmod - 4) & 65535)::integer
                    )
                else ''
            end
            || case when found_t.typelem > 0 then '[]' else '' end
        from pg.pg_type as found_t
        where found_t.oid = type_oid
    )
);
