-- Functions of PostgreSQL's that programs call to browse, and bounded forms of DuckDB's
-- own whose size a number decides. Aliases in macros are ones that nobody else has:
-- what is given for a parameter stands inside the subquery too.

create macro pg.version() as (
    'PostgreSQL 15.0 (duckpost, DuckDB underneath; for reading)'
);
create macro pg.current_database() as 'duckpost';
create macro pg.current_catalog() as 'duckpost';
create macro pg.current_schema() as 'public';
create macro pg.current_schemas(with_implicit) as (
    case when with_implicit then ['pg_catalog', 'public'] else ['public'] end
);
create macro pg.current_setting(setting_name, missing_ok := false) as (
    (
        select found_s.setting
        from pg.pg_settings as found_s
        where lower(found_s.name) = lower(setting_name)
    )
);
create macro pg.set_config(setting_name, new_value, is_local) as new_value::varchar;
create macro pg.pg_backend_pid() as 0;
create macro pg.pg_is_in_recovery() as false;
create macro pg.pg_postmaster_start_time() as now();
create macro pg.pg_typeof(x) as own.standard_name(own.pg_type_name(typeof(x)));
create macro pg.pg_encoding_to_char(encoding) as 'UTF8';
create macro pg.pg_get_userbyid(role_oid) as 'duckpost';
-- What is in my is named with its schema.
create macro pg.pg_table_is_visible(relation_oid) as (
    coalesce(
        (
            select found_v.relnamespace <> 16000
            from pg.pg_class as found_v
            where found_v.oid = relation_oid
        ),
        true
    )
);
create macro pg.pg_type_is_visible(type_oid) as true;
create macro pg.pg_function_is_visible(function_oid) as (
    coalesce(
        (
            select found_v.pronamespace <> 16000
            from pg.pg_proc as found_v
            where found_v.oid = function_oid
        ),
        true
    )
);
create macro pg.pg_get_expr(
    expression, relation_oid, is_pretty := false
) as null::varchar;
create macro pg.pg_get_constraintdef(
    constraint_oid, is_pretty := false
) as null::varchar;
create macro pg.pg_get_indexdef(index_oid, column_number := 0, is_pretty := false) as (
    null::varchar
);
create macro pg.pg_get_viewdef(relation, is_pretty := false) as null::varchar;
create macro pg.pg_get_ruledef(rule_oid, is_pretty := false) as null::varchar;
create macro pg.pg_get_triggerdef(trigger_oid, is_pretty := false) as null::varchar;
create macro pg.pg_get_partkeydef(relation_oid) as null::varchar;
create macro pg.pg_get_serial_sequence(relation, column_name) as null::varchar;
create macro pg.pg_get_function_result(function_oid) as 'text';
create macro pg.pg_get_function_arguments(function_oid) as (
    (
        select array_to_string(found_p.proargnames, ', ')
        from pg.pg_proc as found_p
        where found_p.oid = function_oid
    )
);
create macro pg.pg_get_function_identity_arguments(function_oid) as (
    pg.pg_get_function_arguments(function_oid)
);
create macro pg.pg_get_functiondef(function_oid) as null::varchar;
create macro pg.pg_relation_size(relation, fork := 'main') as 0::bigint;
create macro pg.pg_table_size(relation) as 0::bigint;
create macro pg.pg_indexes_size(relation) as 0::bigint;
create macro pg.pg_total_relation_size(relation) as 0::bigint;
create macro pg.pg_database_size(database) as 0::bigint;
create macro pg.pg_size_pretty(size) as size::varchar || ' bytes';
create macro pg.pg_tablespace_location(tablespace_oid) as '';
create macro pg.pg_relation_is_publishable(relation) as false;
create macro pg.pg_is_other_temp_schema(namespace_oid) as false;
create macro pg.pg_my_temp_schema() as 0;
create macro pg.pg_has_role(a, b, c := '') as true;
create macro pg.has_schema_privilege(a, b, c := '') as true;
create macro pg.has_table_privilege(a, b, c := '') as true;
create macro pg.has_column_privilege(a, b, c, d := '') as true;
create macro pg.has_any_column_privilege(a, b, c := '') as true;
create macro pg.has_database_privilege(a, b, c := '') as true;
create macro pg.has_function_privilege(a, b, c := '') as true;
create macro pg.inet_server_addr() as null::varchar;
create macro pg.inet_server_port() as null::integer;
create macro pg.inet_client_addr() as null::varchar;
create macro pg.txid_current() as 0::bigint;
create macro pg.quote_ident(name) as (
    case
        when regexp_matches(name, '^[a-z_][a-z0-9_$]*$') then name
        else '"' || replace(name, '"', '""') || '"'
    end
);
create macro pg.quote_literal(written) as ''''
|| replace(written, '''', '''''')
|| '''';
create macro pg.obj_description(object_oid, catalogue := 'pg_class') as (
    (
        select found_d.description
        from pg.pg_description as found_d
        where
            found_d.objoid = object_oid
            and found_d.objsubid = 0
            and catalogue = 'pg_class'
    )
);
create macro pg.col_description(relation_oid, column_number) as (
    (
        select found_d.description
        from pg.pg_description as found_d
        where found_d.objoid = relation_oid and found_d.objsubid = column_number
    )
);
create macro pg.shobj_description(object_oid, catalogue) as null::varchar;
create macro pg.to_regclass(written) as (
    coalesce(
        try_cast(written as uinteger),
        (
            select found_k.oid
            from pg.pg_class as found_k
            where
                case
                    when found_k.relnamespace = 16000 then 'my.' || found_k.relname
                    else found_k.relname
                end
                = replace(regexp_replace(written, '^"?public"?\.', ''), '"', '')
        ),
        case regexp_replace(written, '^pg_catalog\.', '')
            when 'pg_class' then 1259
            when 'pg_type' then 1247
            when 'pg_proc' then 1255
            when 'pg_namespace' then 2615
            when 'pg_constraint' then 2606
            when 'pg_attrdef' then 2604
            when 'pg_trigger' then 2620
            when 'pg_database' then 1262
            when 'pg_rewrite' then 2618
            when 'pg_extension' then 3079
            when 'pg_description' then 2609
        end::uinteger
    )
);
create macro pg.to_regtype(written) as (
    (
        select found_t.oid
        from pg.pg_type as found_t
        where
            found_t.typname = lower(written)
            or (
                found_t.typelem = 0
                and own.standard_name(found_t.typname) = lower(written)
            )
            or (
                found_t.typelem > 0
                and own.standard_name(ltrim(found_t.typname, '_')) || '[]'
                = lower(written)
            )
        order by found_t.oid
        limit 1
    )
);
-- By its name, as the columns of pg_type have functions too.
create macro pg.to_regproc(written) as replace(written, 'pg_catalog.', '');
create macro pg.to_regnamespace(written) as (
    (
        select found_n.oid
        from pg.pg_namespace as found_n
        where found_n.nspname = lower(replace(written, '"', ''))
    )
);
create macro pg.array_upper(items, dimension) as nullif(len(items), 0);
create macro pg.array_lower(items, dimension) as case when len(items) > 0 then 1 end;
create macro pg.pg_collation_is_visible(collation_oid) as true;
create macro pg.pg_opclass_is_visible(opclass_oid) as true;
create macro pg.btrim(written, characters := ' ') as trim(written, characters);
create macro pg.initcap(written) as (
    array_to_string(
        list_transform(
            string_split(lower(written), ' '), lambda w: upper(w[1]) || w[2:]
        ),
        ' '
    )
);
-- The patterns that reports use, of PostgreSQL's to_char.
create macro pg.to_char(x, pattern) as (
    strftime(
        x,
        replace(replace(replace(replace(replace(replace(replace(replace(replace(
            pattern, 'YYYY', '%Y'
        ), 'MM', '%m'), 'DD', '%d'), 'HH24', '%H'), 'HH12', '%I'),
        'MI', '%M'), 'SS', '%S'), 'Mon', '%b'), 'Dy', '%a')
    )
);
create macro pg.repeat(written, times) as (
    system.main.repeat(written, least(times, 1000))
);
create macro pg.lpad(written, size, filler := ' ') as (
    system.main.lpad(written, least(size, 10000)::integer, filler)
);
create macro pg.rpad(written, size, filler := ' ') as (
    system.main.rpad(written, least(size, 10000)::integer, filler)
);


create type pg.regclass as uinteger;
create type pg.regtype as uinteger;
create type pg.regproc as uinteger;
create type pg.regnamespace as uinteger;
create type pg.name as varchar;
create type pg.xid as uinteger;

-- What JDBC asks about the columns of indexes; there are none, so that it is never run.
create macro info._pg_expandarray(items) as { 'x': items[1], 'n': 1 };

create macro pg.pg_stat_get_numscans(index_oid) as 0::bigint;

-- The reserved words alone, as JDBC wants to know what to quote.
create macro pg.pg_get_keywords() as table
    select
        v.word,
        'R' as catcode,
        'reserved' as catdesc
    from (
        values ('all'),
        ('and'),
        ('any'),
        ('as'),
        ('case'),
        ('cast'),
        ('column'),
        ('create'),
        ('desc'),
        ('distinct'),
        ('else'),
        ('end'),
        ('from'),
        ('group'),
        ('having'),
        ('in'),
        ('limit'), ('not'), ('null'), ('offset'), ('on'), ('or'), ('order'), ('select'),
        ('table'), ('then'), ('union'), ('using'), ('when'), ('where'), ('with')
    ) as v (word);

-- %s and %I alone. A width could ask for any memory.
create macro own.filled(pattern, x) as regexp_replace(
    pattern,
    '%[sI]',
    replace(
        case
            when
                regexp_extract(pattern, '%([sI])', 1) = 'I'
                then pg.quote_ident(x::varchar)
            else x::varchar
        end,
        '\', '\\'
    )
);
create macro pg.format(pattern, x, y := null) as (
    coalesce(own.filled(own.filled(pattern, x), y), own.filled(pattern, x))
);

-- Patterns that say what a cast reads by itself.
create macro own.parsed(written, pattern) as (
    case
        when
            pattern in (
                'YYYY-MM-DD', 'YYYY-MM-DD HH24:MI', 'YYYY-MM-DD HH24:MI:SS',
                'YYYY-MM-DD HH24:MI:SS.MS', 'YYYY-MM-DD HH24:MI:SS.US'
            )
            then written::varchar::timestamp
        else error('only patterns like YYYY-MM-DD HH24:MI:SS.US are read here')
    end
);
create macro pg.to_timestamp(x, pattern := null) as (
    case
        when pattern is null then system.main.to_timestamp(x::varchar::double)
        else timezone('UTC', own.parsed(x, pattern))
    end
);
create macro pg.to_date(written, pattern) as own.parsed(written, pattern)::date;
